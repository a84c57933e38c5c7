"""How released files hold a U-Mamba, in both directions: conv blocks twice, the whole encoder twice, three channels."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from SATSegmentLib.sat.backbone import BackboneKind, three_channels
from SATSegmentLib.sat.backbones.stored_twice import add_duplicates, check_copy, drop_duplicates, fold_stems
from SATSegmentLib.sat.backbones.umamba.spec import UMAMBA_SPEC, UMambaSpec
from SATSegmentLib.sat.shapes import GET_A_NETWORK, incomplete

_STEM = "backbone.encoder.stem.convs.0.conv.weight"
_STAGE = re.compile(r"backbone\.encoder\.stages\.\d+\.blocks\.")
_BLOCK = re.compile(r"(backbone\.(?!encoder\.mamba_layers\.).*)\.(conv|norm)\.(weight|bias)$")
_ENCODER, _COPY = "backbone.encoder.", "backbone.decoder.encoder."


def _recognises(keys: Collection[str]) -> bool:
    return any(_STAGE.match(key) for key in keys)


def _read(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    copies = {key for key in tensors if key.startswith(_COPY)}
    missing = {_COPY + key.removeprefix(_ENCODER) for key in tensors if key.startswith(_ENCODER)} - copies
    if copies and missing:
        raise incomplete(name, [f"{key} is missing" for key in sorted(missing)], GET_A_NETWORK)
    for key in sorted(copies):
        check_copy(tensors, _ENCODER + key.removeprefix(_COPY), tensors[key], name)
    kept = {key: tensor for key, tensor in tensors.items() if key not in copies}
    return fold_stems(drop_duplicates(kept, _BLOCK, name), (_STEM,), name)


def _write(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    written = add_duplicates({**tensors, _STEM: three_channels(tensors[_STEM])}, _BLOCK)
    copies = {_COPY + key.removeprefix(_ENCODER): one for key, one in written.items() if key.startswith(_ENCODER)}
    return written | copies


UMAMBA = BackboneKind(
    name="umamba",
    title="U-Mamba",
    spec=UMambaSpec,
    recognises=_recognises,
    read=_read,
    write=_write,
    named={"umamba": UMAMBA_SPEC},
    full_precision=re.compile(r"backbone\.encoder\.mamba_layers\."),
)
