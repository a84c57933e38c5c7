"""A small picture of a scan with its structures: one slice, patient's right on the picture's left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.orientation import orient
from SATSegmentLib.segments.style import style_of
from SATSegmentLib.types import Image, SegmentResult

_SIDE_PIXELS = 256
_CT_WINDOW_HU = (-160.0, 240.0)
_COLOR_SHARE = 0.55


def write_thumbnail(path: Path, image: Image, results: Sequence[SegmentResult]) -> None:
    """Write an axial slice through the largest structure as a PNG, with all structures in their colours.

    Parameters
    ----------
    path : Path
        File to write.
    image : Image
        The scan; only one slice of it is touched.
    results : sequence of SegmentResult
        Of the scan. Flagged ones are drawn on top.
    """
    sources, flips = orient(image.ijk_to_ras, "RAS")
    r, a, s = (2 - source for source in sources)
    found = sorted((one for one in results if one.voxels), key=lambda one: (bool(one.flags), -one.voxels))
    number = _slice_number(image, found, s)
    box = Box(slice(number, number + 1) if axis == s else slice(0, size) for axis, size in enumerate(image.array.shape))
    grey = _windowed(np.asarray(image.array[box], np.float32), found)
    color = np.repeat(grey[..., None], 3, axis=-1)
    for one in found:
        color[one.cropped.within(box)] *= 1 - _COLOR_SHARE
        color[one.cropped.within(box)] += _COLOR_SHARE * np.array(style_of(one.prompt).color)
    # Rows from front to back, columns from the patient's right to the left.
    picture = np.transpose(color, (s, a, r, 3))[0]
    picture = picture[:: -1 if not flips[1] else 1, :: -1 if not flips[0] else 1]
    spacing = Grid.of(image).spacing_kji
    _write(path, picture, spacing[a], spacing[r])


def _slice_number(image: Image, found: Sequence[SegmentResult], axis: int) -> int:
    if not found:
        return image.array.shape[axis] // 2
    box = max(found, key=lambda one: one.voxels).cropped.box
    return (box[axis].start + box[axis].stop) // 2


def _windowed(values: np.ndarray, found: Sequence[SegmentResult]) -> np.ndarray:
    if any(one.prompt.modality == "ct" for one in found):
        low, high = _CT_WINDOW_HU
    else:
        low, high = (float(one) for one in np.percentile(values, (1, 99.5)))
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255


def _write(path: Path, picture: np.ndarray, row_mm: float, column_mm: float) -> None:
    rows, columns = picture.shape[0] * row_mm, picture.shape[1] * column_mm
    scale = _SIDE_PIXELS / max(rows, columns)
    y = np.linspace(0, picture.shape[0] - 1, max(round(rows * scale), 1)).round().astype(int)
    x = np.linspace(0, picture.shape[1] - 1, max(round(columns * scale), 1)).round().astype(int)
    pixels = np.ascontiguousarray(picture[np.ix_(y, x)]).clip(0, 255).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(path))
