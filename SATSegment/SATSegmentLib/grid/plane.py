"""A plane of pixels that says where it lies, on a grid: which voxels its pixels are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.affine import lps_to_ras

# How far a plane's first pixel may lie from a voxel: positions are often written with one decimal, and slices of 0.5 mm
# exist. And how far a step along a row or column may be off one voxel over the whole plane. Both in voxels.
_SAME_PLACE = 0.25
_SAME_STEP = 0.1


@dataclass(frozen=True)
class PlanePlace:
    """Which voxels a plane's pixels are; some of them may lie beyond the grid.

    Attributes
    ----------
    axes : tuple of int
        The grid's IJK axes that count the plane itself, its rows and its columns.
    first : tuple of int
        IJK index of the first pixel.
    flips : tuple of bool
        Whether rows and columns run against their axes.
    """

    axes: tuple[int, int, int]
    first: tuple[int, int, int]
    flips: tuple[bool, bool]

    def voxels(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(3, n) IJK indices of the pixels in these rows and columns."""
        index = np.repeat(np.array(self.first)[:, None], len(rows), axis=1)
        index[self.axes[1]] += -rows if self.flips[0] else rows
        index[self.axes[2]] += -columns if self.flips[1] else columns
        return index


def lps_to_index(ijk_to_ras: np.ndarray) -> np.ndarray:
    """4x4 affine from LPS millimetres to a grid's IJK indices."""
    inverse: np.ndarray = np.linalg.inv(lps_to_ras(np.asarray(ijk_to_ras, float)))
    return inverse


def place_plane(to_index: np.ndarray, affine: np.ndarray, shape: tuple[int, int]) -> PlanePlace | None:
    """Where a plane lies on a grid; None where its pixels are no voxels of the grid, which may go on beyond its ends.

    Parameters
    ----------
    to_index : np.ndarray
        Of the grid, from `lps_to_index`.
    affine : np.ndarray
        4x3 from (column, row, 1) to LPS millimetres, pixel centres at integers.
    shape : tuple of int
        Rows and columns.
    """
    step = to_index @ affine  # columns: one pixel to the right, one row down, the first pixel
    column_axis, row_axis = (int(np.abs(step[:3, n]).argmax()) for n in (0, 1))
    if column_axis == row_axis:
        return None
    exact = np.zeros((3, 2))
    for n, axis in enumerate((column_axis, row_axis)):
        exact[axis, n] = np.sign(step[axis, n])
    drift = np.abs(step[:3, :2] - exact).max(axis=0) * np.maximum(np.array(shape[::-1]) - 1, 1)
    first = np.rint(step[:3, 2])
    if drift.max() > _SAME_STEP or np.abs(step[:3, 2] - first).max() > _SAME_PLACE:
        return None
    i, j, k = (int(n) for n in first)
    flips = (bool(step[row_axis, 1] < 0), bool(step[column_axis, 0] < 0))
    return PlanePlace((3 - column_axis - row_axis, row_axis, column_axis), (i, j, k), flips)
