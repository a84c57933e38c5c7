"""Scans whose slices are shifted against each other, as with a tilted gantry.

The network wants axes at right angles. A tilted scan is one stack of straight slices, each of them moved within its
own plane by the same step more than the one before; so moving them back is exact up to the interpolation in the plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.affine import SHEAR_TOLERANCE_DEGREES, slice_tilt_degrees
from SATSegmentLib.grid.grid import Grid


@dataclass(frozen=True, eq=False)
class SliceTilt:
    """How a scan's slices are shifted, and the straight grid that holds them all.

    Attributes
    ----------
    degrees : float
        Between the stack's direction and the normal of its slices.
    steps : np.ndarray
        (K, 2); by how many rows and columns, not whole numbers, each slice begins after the first one of the straight
        grid.
    straight : Grid
        The same slices in a straight stack, with as many rows and columns as all of them need.
    """

    degrees: float
    steps: np.ndarray
    straight: Grid

    def straighten(self, array: np.ndarray) -> np.ndarray:
        """A scan's voxels on the straight grid, by linear interpolation within each slice.

        Parameters
        ----------
        array : np.ndarray
            KJI, of the tilted scan; not NaN.

        Returns
        -------
        np.ndarray
            float32; what no slice covers has the scan's lowest value.
        """
        fill = np.float32(array.min())
        straight = np.empty(self.straight.shape_kji, np.float32)
        for k, piece in enumerate(array):
            moved = piece.astype(np.float32) - fill
            for axis in (0, 1):
                moved = _moved(moved, float(self.steps[k, axis]), self.straight.shape_kji[1 + axis], axis)
            straight[k] = moved + fill
        return straight

    def straighten_labels(self, array: np.ndarray) -> np.ndarray:
        """The same for a mask or label map: each slice moved by whole voxels, none lost, none changed.

        Parameters
        ----------
        array : np.ndarray
            KJI, of the tilted scan.

        Returns
        -------
        np.ndarray
            Of the same type; zero where no slice is.
        """
        straight = np.zeros(self.straight.shape_kji, array.dtype)
        rows, columns = array.shape[1:]
        for k, (row, column) in enumerate(np.rint(self.steps).astype(int)):
            straight[k, row : row + rows, column : column + columns] = array[k]
        return straight

    def __str__(self) -> str:
        return (
            f"The scan's slices are tilted by {self.degrees:.1f} degrees. They are straightened for the network; "
            "the masks are in the scan's own slices."
        )


def slice_tilt(scan: Grid) -> SliceTilt | None:
    """The tilt of a scan's slices; None where its axes are straight (see Docs/tolerances.md).

    Parameters
    ----------
    scan : Grid
        One that `affine.check_affine` has let pass.
    """
    axes, depth = scan.ijk_to_ras[:3, :2], scan.ijk_to_ras[:3, 2]
    degrees = slice_tilt_degrees(scan.ijk_to_ras[:3, :3])
    if degrees <= SHEAR_TOLERANCE_DEGREES:
        return None
    lengths = np.linalg.norm(axes, axis=0)
    column, row = (axes / lengths).T
    in_plane = np.array([depth @ row, depth @ column])
    shifts = np.arange(scan.shape_kji[0])[:, None] * (in_plane / lengths[::-1])
    low, high = np.floor(shifts.min(axis=0)), np.ceil(shifts.max(axis=0))
    affine = np.array(scan.ijk_to_ras, float)
    affine[:3, 2] = depth - in_plane[0] * row - in_plane[1] * column
    affine[:3, 3] += axes @ low[::-1]
    rows, columns = ((high - low).astype(int) + scan.shape_kji[1:]).tolist()
    return SliceTilt(degrees, shifts - low, Grid((scan.shape_kji[0], rows, columns), affine))


def _moved(piece: np.ndarray, shift: float, size: int, axis: int) -> np.ndarray:
    """A slice moved along an axis into one of that size, by linear interpolation; zero where it does not reach."""
    whole = int(np.floor(shift))
    part = shift - whole
    shape = list(piece.shape)
    shape[axis] = size
    moved = np.zeros(shape, np.float32)
    target, source = np.moveaxis(moved, axis, 0), np.moveaxis(piece, axis, 0)
    target[whole : whole + len(source)] = (1 - part) * source
    if part:
        target[whole + 1 : whole + 1 + len(source)] += np.float32(part) * source
    return moved
