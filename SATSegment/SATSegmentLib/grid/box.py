"""Boxes of a three-dimensional array."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np


class Box(tuple[slice, slice, slice]):
    """A box of a three-dimensional array: three slices along its axes, so that it is an index (`array[box]`).

    Each slice has a start and a stop of zero or more, and no step.

        box = Box.around(mask)
        box.offset, box.shape, mask[box]
    """

    __slots__ = ()

    @classmethod
    def at(cls, offset: Sequence[int], shape: Sequence[int]) -> Box:
        """The box of this shape whose first voxel has this index."""
        return cls(slice(int(low), int(low) + int(size)) for low, size in zip(offset, shape, strict=True))

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """All of an array of this shape."""
        return cls.at((0, 0, 0), shape)

    @classmethod
    def around(cls, mask: np.ndarray) -> Box | None:
        """The smallest box around the true voxels of a 3-D mask; None where there are none."""
        sides = []
        for axis in range(3):
            used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
            if not len(used):
                return None
            sides.append(slice(int(used[0]), int(used[-1]) + 1))
        return cls(sides)

    @classmethod
    def union(cls, boxes: Iterable[Box]) -> Box:
        """The smallest box around one or more boxes."""
        sides = zip(*boxes, strict=True)
        return cls(slice(min(side.start for side in axis), max(side.stop for side in axis)) for axis in sides)

    @property
    def offset(self) -> tuple[int, int, int]:
        """Index of the first voxel."""
        x, y, z = (side.start for side in self)
        return (x, y, z)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = (side.stop - side.start for side in self)
        return (x, y, z)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    def intersection(self, other: Box) -> Box | None:
        """What two boxes share; None where that is nothing."""
        shared = Box(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(self, other, strict=True))
        return shared if all(side.start < side.stop for side in shared) else None

    def relative_to(self, outer: Box) -> Box:
        """The same box, counted from the first voxel of a box that contains it."""
        return Box(slice(a.start - b.start, a.stop - b.start) for a, b in zip(self, outer, strict=True))

    def grown(self, margin: int, shape: Sequence[int]) -> Box:
        """With `margin` voxels more on each side, as far as an array of this shape reaches."""
        return Box(
            slice(max(side.start - margin, 0), min(side.stop + margin, size))
            for side, size in zip(self, shape, strict=True)
        )
