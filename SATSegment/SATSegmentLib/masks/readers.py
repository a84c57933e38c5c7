"""Reading masks: a file per structure, or a label map."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

# Label maps that went through float arithmetic (a resampling, a rescale slope) miss whole numbers by this much at most.
_WHOLE = 1e-3


def read_mask(path: Path) -> Image:
    """One structure's mask: zero outside, one other value inside.

    Raises
    ------
    ScanError
        The file cannot be read, or holds more than one label.
    """
    return one_structure(read_scan(path), str(path))


def one_structure(image: Image, name: str) -> Image:
    """The voxels that are not zero, where they all have one value.

    Raises
    ------
    ScanError
        There are several values beside zero.
    """
    inside = image.array != 0
    values = image.array[inside]
    low, high = (float(values.min()), float(values.max())) if values.size else (1.0, 1.0)
    if not high - low <= _WHOLE * abs(high):  # also where one is NaN
        raise ScanError(
            f"{name} holds more than one value beside zero, so it is not the mask of one structure.",
            "For a label map give the table of its names; a probability map has to be thresholded first.",
        )
    return Image(inside, image.ijk_to_ras)


def whole_labels(array: np.ndarray, name: str) -> np.ndarray:
    """A label map's values as whole numbers; those that miss one by a thousandth are rounded, with a warning.

    Raises
    ------
    ScanError
        There are fractions.
    """
    if array.dtype.kind in "bui":
        return array
    whole = np.rint(array)
    off = np.abs(array - whole).max() if array.size else 0.0
    if not off <= _WHOLE:  # also where it is NaN
        raise ScanError(f"{name} holds fractions, so it is no label map.", "Give the label map itself.")
    if off > 0:
        warnings.warn(
            f"The values of {name} miss whole numbers by up to {off:.1g} and were rounded.",
            SATSegmentWarning,
            stacklevel=2,
        )
    return whole.astype(np.int64)


def open_labelmap(path: Path, table: Mapping[str, tuple[int, ...]]) -> Callable[[str], Image]:
    """Reader of single structures of a label map.

    Raises
    ------
    ScanError
        The file cannot be read, holds fractions, or values that the table does not name.
    """
    image = read_scan(path)
    labels = whole_labels(image.array, str(path))
    named = {value for values in table.values() for value in values}
    unnamed = sorted(int(value) for value in np.unique(labels) if value and int(value) not in named)
    if unnamed:
        shown = ", ".join(map(str, unnamed[:8]))
        raise ScanError(f"The table of names does not say what {shown} is in {path}.", "Add the missing values to it.")
    return lambda name: Image(np.isin(labels, table[name]), image.ijk_to_ras)
