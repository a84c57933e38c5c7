"""Putting planes that say where they lie onto a scan's grid, voxel by voxel."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.grid import Grid

# How far a plane's corner may lie from a voxel of the grid, and a step in it from one voxel over its length; in voxels.
_SAME_PLACE = 0.25
_SAME_STEP = 0.1


class PlanePaster:
    """Collects planes into one mask on a grid.

    Parameters
    ----------
    grid : Grid
        The scan's.

    Attributes
    ----------
    mask
        np.ndarray
        bool, KJI.
    """

    def __init__(self, grid: Grid) -> None:
        self.mask = np.zeros(grid.shape_kji, bool)
        self._to_index = np.linalg.inv(lps_to_ras(np.asarray(grid.ijk_to_ras, float)))
        self._grid = grid

    def paste(self, plane: np.ndarray, affine: np.ndarray) -> None:
        """Add a plane's true pixels.

        Parameters
        ----------
        plane : np.ndarray
            (rows, columns) bool.
        affine : np.ndarray
            4x3 from (column, row, 1) to LPS millimetres.

        Raises
        ------
        GeometryError
            The plane's pixels are no voxels of the grid, or lie beyond it.
        """
        if not plane.any():
            return
        step = self._to_index @ affine
        axes = [int(np.abs(step[:3, n]).argmax()) for n in (0, 1)]
        exact = np.zeros((3, 2))
        for n, axis in enumerate(axes):
            exact[axis, n] = np.sign(step[axis, n])
        drift = np.abs(step[:3, :2] - exact).max(axis=0) * (np.array(plane.shape[::-1]) - 1)
        corner = np.rint(step[:3, 2])
        if axes[0] == axes[1] or drift.max() > _SAME_STEP or np.abs(step[:3, 2] - corner).max() > _SAME_PLACE:
            raise GeometryError(
                "A plane of the segmentation does not lie on the scan's voxels.",
                "Give the scan that was segmented, or resample one of them in Slicer.",
            )
        rows, columns = np.nonzero(plane)
        index = corner[:, None] + exact[:, :1] * columns + exact[:, 1:] * rows
        index = index.astype(np.intp)
        if np.any(index < 0) or np.any(index >= np.array(self._grid.shape_kji[::-1])[:, None]):
            raise GeometryError("The segmentation goes beyond the scan.", "Give the scan that was segmented.")
        i, j, k = index
        self.mask[k, j, i] = True
