"""Released conv blocks are stored twice: under their parts' names, and as a sequence of their parts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.shapes import GET_A_NETWORK, incomplete

_DUPLICATE = re.compile(r"\.all_modules\.([01])\.")
_PARTS = ("conv", "norm")


def drop_duplicates(tensors: Mapping[str, Tensor], block: re.Pattern[str], name: str) -> dict[str, Tensor]:
    """The tensors without second copies, which a released file holds of all blocks, and a converted one of none.

    Raises
    ------
    IncompleteCheckpoint
        In the file `name` a copy differs from its original, or only some are there.
    """
    missing = add_duplicates(tensors, block).keys() - tensors.keys()
    if missing and any(_DUPLICATE.search(key) for key in tensors):
        raise incomplete(name, [f"{key} is missing" for key in sorted(missing)], GET_A_NETWORK)
    kept = {}
    for key, tensor in tensors.items():
        match = _DUPLICATE.search(key)
        if match is None:
            kept[key] = tensor
        else:
            check_copy(tensors, _DUPLICATE.sub(f".{_PARTS[int(match[1])]}.", key), tensor, name)
    return kept


def check_copy(tensors: Mapping[str, Tensor], original: str, copy: Tensor, name: str) -> None:
    """Compare a second copy with the tensor that is used.

    Raises
    ------
    IncompleteCheckpoint
        They differ, or there is no original.
    """
    if original not in tensors or not torch.equal(tensors[original], copy):
        raise IncompleteCheckpoint(f"In {name} the two copies of {original} differ.", GET_A_NETWORK)


def add_duplicates(tensors: Mapping[str, Tensor], block: re.Pattern[str]) -> dict[str, Tensor]:
    """The tensors with second copies, each beside its original.

    Parameters
    ----------
    block : re.Pattern
        Matches the names of a block's tensors; its groups are the block, "conv" or "norm", and what follows.
    """
    doubled: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        doubled[key] = tensor
        if match := block.match(key):
            doubled[f"{match[1]}.all_modules.{_PARTS.index(match[2])}.{match[3]}"] = tensor
    return doubled


def fold_stems(tensors: dict[str, Tensor], stems: Collection[str], name: str) -> dict[str, Tensor]:
    """Sum first convolutions over their input channels: SAT feeds them three copies of one image.

    Raises
    ------
    IncompleteCheckpoint
        In the file `name` one has neither three input channels nor one.
    """
    folded = dict(tensors)
    for key in stems:
        stem = tensors.get(key)
        if stem is None:
            continue  # which is told with everything else that is missing
        if stem.ndim != 5 or stem.shape[1] not in (1, 3):
            raise IncompleteCheckpoint(
                f"In {name} the first convolution has the shape {tuple(stem.shape)}; SAT's takes one image, "
                "three times over (or once, where it was converted).",
                GET_A_NETWORK,
            )
        folded[key] = stem.float().sum(dim=1, keepdim=True)
    return folded
