"""Burnt-in values: many voxels that share one value far above all others."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.types import Doubt, DoubtKind

# A projector's frame or a line of text is more than this share of a scan, a clipped vessel is not far above the rest.
_SHARE = 2e-4
_FAR_ABOVE = 2.0
# A label map or a mask is not a scan with marks.
_FEWEST_VALUES = 30


def mark_doubts(array: np.ndarray) -> tuple[Doubt, ...]:
    """Where the highest value is shared by many voxels and no other value comes near it.

    Such a border moves the statistics that a scan is normalised by, and masks go wrong without a word.
    """
    if not array.size:
        return ()
    # Slice by slice, so that no second copy of the scan is made.
    highest = array.max()
    share = sum(np.count_nonzero(piece == highest) for piece in array) / array.size
    if not _SHARE <= share <= 0.5:
        return ()
    second = max((_highest_below(piece, highest) for piece in array), default=highest)
    span = float(second) - float(array.min())
    if span <= 0 or float(highest) - float(second) < _FAR_ABOVE * span:
        return ()
    if len(np.unique(array[:: max(len(array) // 16, 1), ::4, ::4])) < _FEWEST_VALUES:
        return ()
    text = (
        f"{share:.1%} of the voxels have the value {highest:g}, far above all others (up to {second:g}): a border, or "
        "marks burnt into the scan. They disturb the masks; remove them first."
    )
    return (Doubt(DoubtKind.MARKS, text),)


def _highest_below(piece: np.ndarray, limit: np.generic) -> float:
    below = piece[piece < limit]
    return float(below.max()) if below.size else -np.inf
