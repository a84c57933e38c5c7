"""4x4 affines from voxel indices to millimetres: conversions, and the check that masks can be mapped back."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.sizes import check_spacing

# Axes within this of a right angle count as straight; see Docs/tolerances.md.
SHEAR_TOLERANCE_DEGREES = 0.1
# Slices shifted against each other by more than this are no gantry tilt.
LARGEST_TILT_DEGREES = 45.0

_SHEARED = (
    "Resample the scan onto a grid with right angles first (in Slicer: module Resample Scalar/Vector/DWI Volume)."
)


def lps_to_ras(ijk_to_lps: np.ndarray) -> np.ndarray:
    """The 4x4 affine with its first two world axes turned round (and back again: it is its own inverse)."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_lps


def spacing_mm(affine: np.ndarray) -> np.ndarray:
    """Edge lengths of a voxel along i, j, k in millimetres."""
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def in_plane_shear_degrees(axes: np.ndarray) -> float:
    """How far rows and columns are from a right angle to each other, for 3x3 axes (one vector per column)."""
    unit = axes[:, :2] / np.linalg.norm(axes[:, :2], axis=0)
    return _degrees(float(unit[:, 0] @ unit[:, 1]))


def slice_tilt_degrees(axes: np.ndarray) -> float:
    """The angle between the stack's direction and the normal of its slices, for 3x3 axes (one vector per column)."""
    unit = axes / np.linalg.norm(axes, axis=0)
    normal = np.cross(unit[:, 0], unit[:, 1])
    along = abs(float(normal @ unit[:, 2])) / float(np.linalg.norm(normal))
    # By the tangent: near zero the arc cosine has lost half of its digits.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(normal, unit[:, 2])) / np.linalg.norm(normal), along)))


def check_affine(affine: np.ndarray) -> None:
    """Refuse a grid that masks cannot be mapped back to.

    Parameters
    ----------
    affine : np.ndarray
        4x4, from IJK to millimetres (RAS or LPS).

    Raises
    ------
    GeometryError
        Not 4x4, not finite, a voxel without extent, rows and columns that are sheared, or slices that are tilted by
        more than a scanner's gantry is. A smaller tilt is not refused: see `tilt.slice_tilt`.
    """
    affine = np.asarray(affine)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.allclose(affine[3], (0, 0, 0, 1)):
        raise GeometryError("The scan's position in space is not a valid 4x4 matrix.", "Export the scan again.")
    check_axes(affine[:3, :3], spacing_mm(affine))


def check_axes(axes: np.ndarray, lengths: np.ndarray, name: object = "") -> None:
    """The same, where a header has directions and spacing apart.

    Parameters
    ----------
    axes : np.ndarray
        3x3, one vector per column, of any length.
    lengths : np.ndarray
        Three voxel edges in millimetres.
    name : object, optional
        What has them, for the message.

    Raises
    ------
    GeometryError
        Says which, and what to do.
    """
    check_spacing(lengths, name)
    if not np.all(np.isfinite(axes)):
        raise GeometryError("The directions of the scan's axes are missing or damaged.", "Export the scan again.")
    check_right_angles(axes)


def check_right_angles(axes: np.ndarray) -> None:
    """Refuse axes (3x3, one vector of any length per column) that are sheared, but for a tilt of the slices.

    Raises
    ------
    GeometryError
        Rows and columns are not at right angles, or the slices are tilted by more than a gantry is.
    """
    if np.any(np.linalg.norm(axes, axis=0) == 0):
        raise GeometryError("One of the scan's axes has no length.", "Export the scan again.")
    shear = in_plane_shear_degrees(axes)
    if shear > SHEAR_TOLERANCE_DEGREES:
        raise GeometryError(
            f"The scan's axes are sheared: its rows and columns are {shear:.3g} degrees off the right angle.", _SHEARED
        )
    tilt = slice_tilt_degrees(axes)
    if tilt > LARGEST_TILT_DEGREES:
        raise GeometryError(
            f"The scan's axes are sheared: its slices are tilted by {tilt:.0f} degrees, more than a gantry tilts.",
            _SHEARED,
        )


def _degrees(cosine: float) -> float:
    """How far an angle with this cosine is from a right one."""
    return float(np.degrees(np.arcsin(min(abs(cosine), 1.0))))
