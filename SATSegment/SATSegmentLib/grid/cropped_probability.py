"""A probability map that is kept small: cropped to where it is above zero, one byte for each voxel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from SATSegmentLib.grid.box import Box

# The highest level stands for a probability of 1.
LEVELS = 255
# What lies below rounds to level zero.
LEAST_PROBABILITY = 0.5 / LEVELS


@dataclass(frozen=True, eq=False)
class CroppedProbability:
    """Probabilities on a grid, in steps of 1/255, on the bounding box of those that are not zero.

    Attributes
    ----------
    levels : np.ndarray
        uint8, in the order of the grid's array axes; 255 stands for 1.
    offset : tuple of int
        Index of its first voxel in the grid.
    """

    levels: np.ndarray = field(repr=False)
    offset: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def from_array(cls, probability: np.ndarray, offset: tuple[int, int, int] = (0, 0, 0)) -> CroppedProbability:
        """Round and crop an array of probabilities (0 to 1, three axes).

        A half is rounded down, so that level 128 and above is just what lies above one half.
        """
        levels = np.ceil(probability * np.float32(LEVELS) - np.float32(0.5)).astype(np.uint8)
        inside = Box.around(levels > 0)
        if inside is None:
            return cls(np.zeros((0, 0, 0), np.uint8))
        i, j, k = (int(a) + int(b) for a, b in zip(inside.offset, offset, strict=True))
        return cls(np.ascontiguousarray(levels[inside]), (i, j, k))
