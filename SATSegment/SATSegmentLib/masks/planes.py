"""Putting planes that say where they lie onto a scan's grid, voxel by voxel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.plane import lps_to_index, place_plane

# Two slices may well be a structure's own.
_FEWEST_SLICES = 3


def check_every_slice(slices: Iterable[int], name: str) -> None:
    """Refuse a mask on every second or third slice only: made on a series of thicker slices, it would be half a mask.

    Parameters
    ----------
    slices : Iterable[int]
        The slices with a voxel, or a contour, of the structure.
    name : str
        What it is called, for the message.

    Raises
    ------
    GeometryError
    """
    places = sorted(set(slices))
    steps = set(np.diff(places).tolist())
    if len(places) >= _FEWEST_SLICES and len(steps) == 1 and (step := steps.pop()) > 1:
        raise GeometryError(
            f"{name} lies on one of {step} slices of the scan only: it was made on a series of thicker slices.",
            "Give that series, or bring the structure onto this one in the program that made it.",
        )


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
    slices : set of int
        Which of the grid's slices have got a plane with a true pixel.
    """

    def __init__(self, grid: Grid) -> None:
        self.mask = np.zeros(grid.shape_kji, bool)
        self.slices: set[int] = set()
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
        self.slices.add(place.first[place.axes[0]])
