"""Whether a scan's voxels have sizes that voxels of people have, and whether its volume can be computed at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from SATSegmentLib.errors import GeometryError

# A nanometre: what is thinner is a damaged header's.
_SMALLEST_MM = 1e-6
# Voxels of people are neither thinner nor thicker; beyond, somebody took another unit.
_LEAST_MM, _MOST_MM = 0.01, 30.0
# Nothing that SAT was trained on is flatter.
_FEWEST_SLICES = 4
# 8 GB in float32, more than three people at 1 x 1 x 1 mm.
_MOST_VOXELS = 1 << 31

CORRECT_SPACING = "Correct the spacing in the file (in Slicer: module Volumes, Volume Information) and save it again."


def check_spacing(lengths: Sequence[float] | np.ndarray, name: object = "", remedy: str = CORRECT_SPACING) -> None:
    """Refuse voxel edges that no grid can have.

    Parameters
    ----------
    lengths : sequence of float
        Voxel edges in millimetres, as the file gives them.
    name : object, optional
        What has them, for the message: a file's path, a frame's name.
    remedy : str, optional
        What to do about it.

    Raises
    ------
    GeometryError
        One of them is not a finite number above zero.
    """
    if np.isfinite(lengths).all() and min(lengths) >= _SMALLEST_MM:
        return
    words = " x ".join(f"{length:g}" for length in lengths)
    raise GeometryError(
        f"The voxel spacing{f' of {name}' if name else ''} is {words} mm; "
        f"each must be finite and above zero ({_SMALLEST_MM:g} mm at least).",
        remedy,
    )


def implausible_sizes(lengths: Sequence[float] | np.ndarray) -> str:
    """What there is to say about voxel edges in millimetres; empty where they are plausible."""
    if min(lengths) >= _LEAST_MM and max(lengths) <= _MOST_MM:
        return ""
    words = " x ".join(f"{length:.4g}" for length in lengths)
    return f"The voxels are {words} mm large, which is implausible: check their unit."


def too_few_slices(shape: Sequence[int]) -> str:
    """What there is to say about a scan that hardly is a volume; empty where it is one."""
    count = min(shape)
    if count >= _FEWEST_SLICES:
        return ""
    slices = "a single slice" if count == 1 else f"only {count} slices"
    return f"The scan has {slices}: SAT was trained on volumes, and its masks here cannot be relied on."


def check_volume(shape: Sequence[int], spacing: Sequence[float]) -> None:
    """Refuse a scan whose size in the network's voxels says that its own spacing is wrong.

    Parameters
    ----------
    shape : sequence of int
        Voxels along each axis, at the network's spacing.
    spacing : sequence of float
        The network's, in millimetres.

    Raises
    ------
    GeometryError
        More voxels than any scan of a person has.
    """
    if math.prod(shape) <= _MOST_VOXELS:
        return
    metres = " x ".join(f"{side * length / 1000:.3g}" for side, length in zip(shape, spacing, strict=True))
    raise GeometryError(
        f"By its voxel spacing the scan is {metres} m large, too large to be computed.", CORRECT_SPACING
    )
