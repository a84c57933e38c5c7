"""What kind of file a state dict is, told by the names of its tensors, and a refusal that names it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from SATSegmentLib.errors import IncompleteCheckpoint, WrongCheckpointKind
from SATSegmentLib.sat.backbone import BackboneKind
from SATSegmentLib.sat.backbones.registry import BACKBONES, kind_of_file
from SATSegmentLib.sat.checkpoint.family import Family
from SATSegmentLib.sat.shapes import GET_A_NETWORK

# What networks are trained and stored in.
_REAL = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def backbone_kind(tensors: Mapping[str, Tensor], name: str, family: Family | None = "sat") -> BackboneKind:
    """The backbone of the network in the file `name`, whose tensors these are (without `module.`); family None is any.

    Raises
    ------
    WrongCheckpointKind
        It is not a segmentation network of the family, or its backbone is not known.
    """
    parts = {key.split(".")[0] for key in tensors}
    embedding = tensors.get("modality_embed.weight")
    if family == "sat" and ("cvpr25" in name.lower() or (embedding is not None and len(embedding) == 5)):
        raise WrongCheckpointKind(
            f"{name} belongs to the CVPR 2025 challenge family (five modalities, 8-bit input), which is prepared "
            "and prompted in another way.",
            "Make a model folder of it with `satsegment convert`, which `satsegment challenge` runs; or take a network "
            "of SAT itself: nano.pth or SAT_Pro.pth.",
        )
    if parts & {"atlas_tower", "temperature"}:
        raise WrongCheckpointKind(f"{name} is a knowledge-pretraining file; it cannot segment.", GET_A_NETWORK)
    if "text_tower" in parts or ("backbone" not in parts and "modality_embed" in parts):
        raise WrongCheckpointKind(f"{name} is a text encoder, not a segmentation network.", GET_A_NETWORK)
    kind = kind_of_file(tensors.keys())
    if kind is None:
        what = "another backbone" if "backbone" in parts else "no SAT network"
        known = ", ".join(one.title for one in BACKBONES)
        raise WrongCheckpointKind(f"{name} holds {what}; the backbones supported are {known}.", GET_A_NETWORK)
    return kind


def refuse_odd_tensors(tensors: Mapping[str, Tensor], kind: BackboneKind, name: str) -> None:
    """Refuse tensors that are not plain real numbers, or integers where the backbone has some.

    Raises
    ------
    IncompleteCheckpoint
        There is one.
    """
    for key, tensor in tensors.items():
        whole = kind.integers is not None and kind.integers.search(key) is not None
        fits = tensor.dtype == torch.int64 if whole else tensor.dtype in _REAL
        if tensor.layout != torch.strided or tensor.is_meta or not fits:
            raise IncompleteCheckpoint(f"In {name}, {key} is not a plain tensor of real numbers.", GET_A_NETWORK)
