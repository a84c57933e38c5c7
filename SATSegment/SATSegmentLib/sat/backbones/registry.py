"""The backbones there are. A new one is a folder beside this file and a line in it."""

from __future__ import annotations

from collections.abc import Collection

from SATSegmentLib.sat.backbone import BackboneKind, Spec
from SATSegmentLib.sat.backbones.swinunetr.layout import SWINUNETR
from SATSegmentLib.sat.backbones.umamba.layout import UMAMBA
from SATSegmentLib.sat.backbones.unet.layout import UNET

BACKBONES: tuple[BackboneKind, ...] = (UNET, UMAMBA, SWINUNETR)

# The released widths, by the names that configuration files use.
NAMED_SPECS: dict[str, Spec] = {name: spec for kind in BACKBONES for name, spec in kind.named.items()}


def kind_of_file(keys: Collection[str]) -> BackboneKind | None:
    """The backbone whose tensor names (without `module.`) these are; None for any other file."""
    return next((kind for kind in BACKBONES if kind.recognises(keys)), None)


def kind_of_spec(spec: Spec) -> BackboneKind:
    """The backbone that a spec is of."""
    return next(kind for kind in BACKBONES if isinstance(spec, kind.spec))


def kind_named(name: str) -> BackboneKind | None:
    """The backbone of this short name."""
    return next((kind for kind in BACKBONES if kind.name == name), None)
