"""Scans that SAT cannot or should not segment, noticed before any work is done."""

from __future__ import annotations

import warnings

import numpy as np

from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.grid.affine import check_affine
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.tilt import slice_tilt
from SATSegmentLib.types import Image, Modality

# A scan's neighbouring voxels differ almost everywhere; a label map's are equal almost everywhere.
_LABEL_MAP_EQUAL_NEIGHBOURS = 0.85
_LABEL_MAP_VALUES = 2000
_LABEL_MAP = "This looks like a label map (a segmentation), not like a scan."


def check_image(image: Image) -> None:
    """Refuse what is not a three-dimensional scalar scan with finite values and a usable grid.

    Raises
    ------
    ScanError, GeometryError
        With what to do about it.
    """
    array = image.array
    if array.ndim != 3:
        raise ScanError(
            f"The scan has {array.ndim} dimensions; SAT segments one three-dimensional volume.",
            "Choose one frame of a time series, or a volume instead of a single slice.",
        )
    if array.dtype.kind not in "iufb":
        raise ScanError(f"The scan's values are of the type {array.dtype}.", "Use a scalar volume with real values.")
    if 0 in array.shape:
        raise ScanError("The scan holds no voxels.", "Load the scan again.")
    check_affine(image.ijk_to_ras)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ScanError(
            f"{bad} voxels of the scan are not numbers (NaN or infinite).",
            "Replace them, for example by the value of air, and try again.",
        )
    if array.min() == array.max():
        raise ScanError("Every voxel of the scan has the same value.", "Check that the right image was chosen.")
    if array.max() <= 0:
        raise ScanError(
            "No voxel of the scan is above zero, so there is no foreground to segment.",
            "For CT, check that the values are Hounsfield units (rescale slope and intercept applied).",
        )


def warn_about_tilt(image: Image) -> None:
    """Warn (`SATSegmentWarning`) where the scan's slices are tilted and will be straightened for the network."""
    tilt = slice_tilt(Grid.of(image))
    if tilt is not None:
        warnings.warn(str(tilt), SATSegmentWarning, stacklevel=3)


def refuse_label_map(image: Image) -> None:
    """Refuse a segmentation that was given in place of a scan.

    Raises
    ------
    ScanError
        Whole numbers, few of them, and nearly all neighbouring non-zero voxels alike.
    """
    if _looks_like_a_label_map(image):
        raise ScanError(_LABEL_MAP, "Choose the scan it was made from.")


def warn_about_label_map(image: Image) -> None:
    """Warn (`SATSegmentWarning`) of what `refuse_label_map` refuses: phantoms for experiments look like it, too."""
    if _looks_like_a_label_map(image):
        warnings.warn(f"{_LABEL_MAP} Its masks mean something for a phantom only.", SATSegmentWarning, stacklevel=2)


def _looks_like_a_label_map(image: Image) -> bool:
    array = image.array
    if array.min() < 0 or array.max() > _LABEL_MAP_VALUES or not np.array_equal(array, np.round(array)):
        return False
    first, second = array[..., :-1], array[..., 1:]
    inside = (first > 0) & (second > 0)
    return bool(inside.any() and (first[inside] == second[inside]).mean() > _LABEL_MAP_EQUAL_NEIGHBOURS)


def warn_about_precision(precision: str) -> None:
    """Warn (`SATSegmentWarning`) of half precision with a network whose masks may change by it."""
    warnings.warn(
        f"With this network, masks in {precision} may differ from those in float32: check them, or choose float32, "
        "which takes twice the memory.",
        SATSegmentWarning,
        stacklevel=3,
    )


def warn_about_modality(image: Image, modality: Modality) -> None:
    """Warn (`SATSegmentWarning`) where the intensities do not look like the stated modality."""
    low, high = float(image.array.min()), float(image.array.max())
    if modality == "ct" and low > -200:
        warnings.warn(
            f"The intensities ({low:g} to {high:g}) do not look like CT in Hounsfield units: there is no air "
            "(about -1000). Check the modality, and that rescale slope and intercept were applied.",
            SATSegmentWarning,
            stacklevel=2,
        )
    if modality != "ct" and low < -200:
        warnings.warn(
            f"The intensities ({low:g} to {high:g}) look like CT in Hounsfield units, "
            f"but the modality was given as {modality}. Check the modality.",
            SATSegmentWarning,
            stacklevel=2,
        )
