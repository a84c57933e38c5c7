"""Boxes of a three-dimensional array."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, slice, slice]


def intersection(a: Box, b: Box) -> Box | None:
    """What two boxes share; None where that is nothing."""
    x, y, z = (slice(max(s.start, t.start), min(s.stop, t.stop)) for s, t in zip(a, b, strict=True))
    return (x, y, z) if all(side.start < side.stop for side in (x, y, z)) else None


def bounding_box(mask: np.ndarray) -> Box | None:
    """The smallest box around the true voxels of a 3-D mask; None where there are none."""
    box = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(used):
            return None
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    return (box[0], box[1], box[2])
