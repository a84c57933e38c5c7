"""Putting planes that say where they lie onto a scan's grid, voxel by voxel."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.plane import lps_to_index, place_plane


class PlanePaster:
    """Collects planes into one mask on a grid.

    Parameters
    ----------
    grid : Grid
        The scan's.

    Attributes
    ----------
    mask : np.ndarray
        bool, KJI.
    """

    def __init__(self, grid: Grid) -> None:
        self.mask = np.zeros(grid.shape_kji, bool)
        self._to_index = lps_to_index(grid.ijk_to_ras)

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
        rows, columns = np.nonzero(plane)
        if not len(rows):
            return
        place = place_plane(self._to_index, affine, (plane.shape[0], plane.shape[1]))
        if place is None:
            raise GeometryError(
                "A plane of the segmentation does not lie on the scan's voxels.",
                "Give the scan that was segmented, or resample one of them in Slicer.",
            )
        i, j, k = index = place.voxels(rows, columns)
        if np.any(index < 0) or np.any(index >= np.array(self.mask.shape[::-1])[:, None]):
            raise GeometryError("The segmentation goes beyond the scan.", "Give the scan that was segmented.")
        self.mask[k, j, i] = True
