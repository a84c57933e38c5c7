"""Are a scan's axes such that a mask can be mapped back to them?"""

from __future__ import annotations

import numpy as np

from SATSegmentLib.errors import GeometryError

# 0.1 degrees: well above the rounding of six-digit DICOM cosines, and 0.5 mm at the far end of a 300 mm scan.
_LARGEST_COSINE = float(np.sin(np.deg2rad(0.1)))


def lps_to_ras(ijk_to_lps: np.ndarray) -> np.ndarray:
    """The 4x4 affine with its first two world axes turned round (and back again: it is its own inverse)."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_lps


def check_axes(direction: np.ndarray, spacing_mm: np.ndarray) -> None:
    """Refuse a grid whose voxels have no size, or whose axes are not at right angles.

    Parameters
    ----------
    direction: 3x3, one unit vector per column.
    spacing_mm: three voxel edges.

    Raises
    ------
    GeometryError: says which, and what to do.
    """
    if not np.all(np.isfinite(spacing_mm)) or np.any(spacing_mm <= 0):
        words = " x ".join(f"{s:g}" for s in spacing_mm)
        raise GeometryError(
            f"The voxel spacing is {words} mm; every one must be above zero.",
            "Correct the spacing in the file (in Slicer: module Volumes, Volume Information) and save it again.",
        )
    if not np.all(np.isfinite(direction)):
        raise GeometryError("The directions of the scan's axes are missing or damaged.", "Export the scan again.")
    check_right_angles(direction)


def check_right_angles(axes: np.ndarray) -> None:
    """Refuse axes (3x3, one vector of any length per column) that are sheared by more than 0.1 degrees."""
    lengths = np.linalg.norm(axes, axis=0)
    if np.any(lengths == 0):
        raise GeometryError("One of the scan's axes has no length.", "Export the scan again.")
    unit = axes / lengths
    cosine = float(np.abs(unit.T @ unit - np.eye(3)).max())
    if cosine > _LARGEST_COSINE:
        angle = np.rad2deg(np.arcsin(min(cosine, 1.0)))
        raise GeometryError(
            f"The scan's axes are sheared: they are {angle:.1f} degrees off the right angle.",
            "Resample the scan onto a grid with right angles first "
            "(in Slicer: module Resample Scalar/Vector/DWI Volume, or harden its acquisition transform).",
        )
