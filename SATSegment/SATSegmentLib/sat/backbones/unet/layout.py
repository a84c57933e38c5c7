"""How released files hold a U-Net, in both directions: conv blocks twice, a first convolution for three channels."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from SATSegmentLib.sat.backbone import BackboneKind, three_channels
from SATSegmentLib.sat.backbones.stored_twice import add_duplicates, drop_duplicates, fold_stems
from SATSegmentLib.sat.backbones.unet.spec import NANO, PRO, UNetSpec

_STEM = "backbone.encoder.stages.0.0.convs.0.conv.weight"
_STAGE = re.compile(r"backbone\.encoder\.stages\.\d+\.0\.convs\.")
_BLOCK = re.compile(r"(backbone\..*\.convs\.\d+)\.(conv|norm)\.(weight|bias)$")


def _recognises(keys: Collection[str]) -> bool:
    return any(_STAGE.match(key) for key in keys)


def _read(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return fold_stems(drop_duplicates(tensors, _BLOCK, name), (_STEM,), name)


def _write(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return add_duplicates({**tensors, _STEM: three_channels(tensors[_STEM])}, _BLOCK)


UNET = BackboneKind(
    name="unet",
    title="U-Net",
    spec=UNetSpec,
    recognises=_recognises,
    read=_read,
    write=_write,
    named={"nano": NANO, "pro": PRO},
)
