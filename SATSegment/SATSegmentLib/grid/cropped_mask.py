"""A mask that is kept small: cropped to where it is, with eight voxels to a byte."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from SATSegmentLib.grid.box import Box


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask on a grid, packed, on its bounding box: those of hundreds of structures are held at once.

    Attributes
    ----------
    bits : np.ndarray
        np.ndarray
        uint8; the voxels of the box in C order, eight to a byte, the last byte filled up with zeros.
    offset : tuple of int
        Index of its first voxel in the grid, in the order of the grid's array axes.
    shape : tuple of int
        Its voxels along these axes; (0, 0, 0) where the mask is empty.
    """

    bits: np.ndarray = field(repr=False)  # pages of numbers, where a console shows a result
    offset: tuple[int, int, int] = (0, 0, 0)
    shape: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def from_array(cls, mask: np.ndarray, offset: Sequence[int] = (0, 0, 0)) -> CroppedMask:
        """Crop and pack a boolean array.

        Parameters
        ----------
        mask : np.ndarray
            np.ndarray
            bool, three axes.
        offset : sequence of int
            Index of the array's first voxel in the grid.
        """
        inside = Box.around(mask)
        if inside is None:
            return cls(np.zeros(0, np.uint8))
        i, j, k = (int(a) + int(b) for a, b in zip(inside.offset, offset, strict=True))
        return cls(np.packbits(mask[inside]), (i, j, k), inside.shape)

    @classmethod
    def union(cls, masks: Iterable[CroppedMask]) -> CroppedMask:
        """All voxels of one or more masks of the same grid."""
        found = [mask for mask in masks if mask]
        if not found:
            return cls(np.zeros(0, np.uint8))
        whole = Box.union(mask.box for mask in found)
        array = np.zeros(whole.shape, bool)
        for mask in found:
            array[mask.box.relative_to(whole)] |= mask.to_array()
        return cls(np.packbits(array), whole.offset, whole.shape)

    def __bool__(self) -> bool:
        """Whether any voxel is in it."""
        return self.shape != (0, 0, 0)

    @property
    def box(self) -> Box:
        """Where the mask lies in the grid."""
        return Box.at(self.offset, self.shape)

    @property
    def voxels(self) -> int:
        """Number of voxels in the mask."""
        return int(np.bitwise_count(self.bits).sum())

    def to_array(self) -> np.ndarray:
        """The voxels of `box` as a boolean array, made anew with each call."""
        return np.unpackbits(self.bits, count=math.prod(self.shape)).view(bool).reshape(self.shape)

    def within(self, box: Box) -> np.ndarray:
        """The voxels of any box of the grid as a boolean array; only what that needs is unpacked."""
        part = np.zeros(box.shape, bool)
        shared = self.box.intersection(box)
        if shared is None:
            return part
        planes, rows, columns = shared.relative_to(self.box)
        plane = self.shape[1] * self.shape[2]
        first, last = planes.start * plane, planes.stop * plane
        bits = np.unpackbits(self.bits[first // 8 : (last + 7) // 8])[first % 8 :][: last - first].view(bool)
        part[shared.relative_to(box)] = bits.reshape(-1, *self.shape[1:])[:, rows, columns]
        return part

    def on_grid_of_steps(self, steps: Sequence[int], shape: Sequence[int]) -> np.ndarray:
        """The mask on a coarser grid: the middle one of each `steps` voxels, on a grid of this (coarse) shape.

        A mask too small to hold any of these has the coarse voxel that its first voxel lies in.
        """
        coarse = np.zeros(tuple(shape), bool)
        part, places = self.to_array(), []
        for axis, (start, step) in enumerate(zip(self.offset, steps, strict=True)):
            # Coarse voxel n is the grid's voxel n * step + step // 2.
            first = -(-(start - step // 2) // step)
            taken = slice(first * step + step // 2 - start, None, step)
            part = part[(slice(None),) * axis + (taken,)]
            places.append(slice(first, first + part.shape[axis]))
        if part.any():
            coarse[tuple(places)] = part
        elif self:
            one = np.argwhere(self.to_array())[0] + np.array(self.offset)
            coarse[tuple(np.minimum(one // np.array(steps), np.array(shape) - 1))] = True
        return coarse

    def on_grid(self, shape: Sequence[int]) -> np.ndarray:
        """The mask as a boolean array of the whole grid, which has this shape."""
        whole = np.zeros(tuple(shape), bool)
        whole[self.box] = self.to_array()
        return whole
