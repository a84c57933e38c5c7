"""How released files hold a SwinUNETR, in both directions: first convolutions for three channels, index tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from SATSegmentLib.sat.backbone import BackboneKind, three_channels
from SATSegmentLib.sat.backbones.stored_twice import fold_stems
from SATSegmentLib.sat.backbones.swinunetr.spec import SWINUNETR_SPEC, SwinUNETRSpec
from SATSegmentLib.sat.backbones.swinunetr.windows import relative_position_index
from SATSegmentLib.sat.shapes import GET_A_NETWORK, incomplete

_STEMS = (
    "backbone.encoder.swinViT.patch_embed.proj.weight",
    "backbone.encoder.encoder1.layer.conv1.conv.weight",
    "backbone.encoder.encoder1.layer.conv3.conv.weight",
)
_INDEX = re.compile(r"\.attn\.relative_position_index$")
_TABLE = re.compile(r"\.attn\.relative_position_bias_table$")


def _recognises(keys: Collection[str]) -> bool:
    return any(key.startswith("backbone.encoder.swinViT.") for key in keys)


def _read(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    _check_tables(tensors, name)
    return fold_stems({key: tensor for key, tensor in tensors.items() if not _INDEX.search(key)}, _STEMS, name)


def _check_tables(tensors: Mapping[str, Tensor], name: str) -> None:
    """A released file holds an index table beside each bias table; a converted one holds none."""
    needed = {_TABLE.sub(".attn.relative_position_index", key) for key in tensors if _TABLE.search(key)}
    found = {key for key in tensors if _INDEX.search(key)}
    problems = [f"{key} is missing" for key in sorted(needed - found) if found]
    problems += [f"{key} is unknown" for key in sorted(found - needed)]
    problems += [
        f"{key} is not the table of a window of seven cells"
        for key in sorted(found & needed)
        if not torch.equal(tensors[key].cpu(), relative_position_index())
    ]
    if problems:
        raise incomplete(name, problems, GET_A_NETWORK)


def _write(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    written = dict(tensors)
    for stem in tensors.keys() & set(_STEMS):  # three channels in, three out: no convolution on the skip
        written[stem] = three_channels(tensors[stem])
    for key in tensors:
        if _TABLE.search(key):
            written[_TABLE.sub(".attn.relative_position_index", key)] = relative_position_index().clone()
    return written


SWINUNETR = BackboneKind(
    name="swinunetr",
    title="SwinUNETR",
    spec=SwinUNETRSpec,
    recognises=_recognises,
    read=_read,
    write=_write,
    named={"swinunetr": SWINUNETR_SPEC},
    integers=_INDEX,
)
