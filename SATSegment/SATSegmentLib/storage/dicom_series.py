"""The DICOM images a result refers to: which frame shows which slice of the scan, and how masks get onto the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.types import SegmentResult

# How far a frame's corner may lie from where the scan's grid has it, in voxels: positions are often written with one
# decimal, and slices of 0.5 mm exist.
_SAME_PLACE = 0.25
# How far a step along a row or column may be off one voxel over the whole image, in voxels.
_SAME_STEP = 0.1


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """One frame of the images that were segmented.

    Attributes
    ----------
    header : Dataset
        Header of its file, without pixels. Several frames of one file share it.
    number : int
        Its number in the file, from 0.
    position : np.ndarray
        (3,) centre of the first pixel, LPS millimetres.
    orientation : np.ndarray
        (6,) direction along a row, then along a column, LPS.
    spacing : tuple[float, float]
        Millimetres between rows, and between columns.
    """

    header: Dataset
    number: int
    position: np.ndarray
    orientation: np.ndarray
    spacing: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.header.Rows), int(self.header.Columns)

    def ijk_to_lps(self) -> np.ndarray:
        """4x3 affine from (column, row, 1) to LPS."""
        affine = np.zeros((4, 3))
        affine[:3, 0] = self.orientation[:3] * self.spacing[1]
        affine[:3, 1] = self.orientation[3:] * self.spacing[0]
        affine[:3, 2] = self.position
        affine[3, 2] = 1
        return affine


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """The frames of a scan in the order of its slices, and how the scan's axes become slices, rows and columns.

    Attributes
    ----------
    frames : tuple[SourceFrame, ...]
        One for each slice.
    axes : tuple[int, int, int]
        Which axis of the scan's KJI array counts slices, rows and columns.
    flips : tuple[bool, bool, bool]
        Which of slices, rows and columns run against that axis.
    """

    frames: tuple[SourceFrame, ...]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return (len(self.frames), *self.frames[0].shape)

    @property
    def headers(self) -> list[Dataset]:
        """The files' headers, each once, in the order of the slices."""
        return list({str(frame.header.SOPInstanceUID): frame.header for frame in self.frames}.values())

    def place(self, result: SegmentResult) -> tuple[np.ndarray, tuple[int, int, int]]:
        """A result's mask with axes (slice, row, column), and the index of its first voxel in them."""
        mask = result.mask.transpose(self.axes)
        low = [result.cropped.offset[axis] for axis in self.axes]
        for axis, (flip, size) in enumerate(zip(self.flips, self.shape, strict=True)):
            if flip:
                low[axis] = size - low[axis] - mask.shape[axis]
        mask = np.flip(mask, tuple(axis for axis, flip in enumerate(self.flips) if flip))
        return mask, (low[0], low[1], low[2])


def match_series(
    frames: Iterable[SourceFrame], shape_kji: tuple[int, int, int], ijk_to_ras: np.ndarray
) -> SourceSeries:
    """The frames that show the slices of a scan, whatever the order of its axes.

    Parameters
    ----------
    frames : Iterable[SourceFrame]
        Of the volume that was segmented; frames that lie elsewhere are passed over.
    shape_kji : tuple[int, int, int]
        Shape of the scan's array.
    ijk_to_ras : np.ndarray
        4x4 affine of the scan.

    Raises
    ------
    GeometryError
        The frames do not show all of the scan's slices voxel by voxel, or some of them more than once.
    """
    to_index = np.linalg.inv(lps_to_ras(np.asarray(ijk_to_ras, float)))
    shape_ijk = shape_kji[::-1]
    found: dict[int, list[SourceFrame]] = {}
    layout: tuple[tuple[int, int, int], tuple[bool, bool]] | None = None
    for frame in frames:
        placed = _placed(frame, to_index, shape_ijk)
        if placed is None or (layout is not None and placed[:2] != layout):
            continue
        layout = placed[:2]
        found.setdefault(placed[2], []).append(frame)
    if layout is None:
        raise GeometryError(
            "The DICOM series does not show the voxels of this scan: no slice of it lies on the scan's grid.",
            "Give the series that the scan was made from, or segment the DICOM series itself.",
        )
    axes_ijk, flips = layout
    _check_complete(found, shape_ijk[axes_ijk[0]])
    slices = [found[index][0] for index in range(len(found))]
    # In DICOM a right-handed stack: slices are counted along the normal of the images.
    backwards = len(slices) > 1 and _against_normal(slices)
    if backwards:
        slices.reverse()
    axes = (2 - axes_ijk[0], 2 - axes_ijk[1], 2 - axes_ijk[2])
    return SourceSeries(tuple(slices), axes, (backwards, *flips))


def _placed(
    frame: SourceFrame, to_index: np.ndarray, shape_ijk: Sequence[int]
) -> tuple[tuple[int, int, int], tuple[bool, bool], int] | None:
    """IJK axes of slices, rows and columns, which of the last two are flipped, and the slice; None if elsewhere."""
    rows, columns = frame.shape
    step = to_index @ frame.ijk_to_lps()  # columns: one pixel to the right, one row down, the first pixel
    column_axis, row_axis = (int(np.abs(step[:3, n]).argmax()) for n in (0, 1))
    if column_axis == row_axis or (shape_ijk[column_axis], shape_ijk[row_axis]) != (columns, rows):
        return None
    for axis, n, size in ((column_axis, 0, columns), (row_axis, 1, rows)):
        expected = np.zeros(3)
        expected[axis] = np.sign(step[axis, n])
        if np.abs(step[:3, n] - expected).max() * max(size - 1, 1) > _SAME_STEP:
            return None
    slice_axis = 3 - column_axis - row_axis
    flips = (bool(step[row_axis, 1] < 0), bool(step[column_axis, 0] < 0))
    corner = np.zeros(3)
    corner[row_axis] = rows - 1 if flips[0] else 0
    corner[column_axis] = columns - 1 if flips[1] else 0
    index = round(float(step[slice_axis, 2]))
    corner[slice_axis] = index
    if np.abs(step[:3, 2] - corner).max() > _SAME_PLACE or not 0 <= index < shape_ijk[slice_axis]:
        return None
    return (slice_axis, row_axis, column_axis), flips, index


def _check_complete(found: dict[int, list[SourceFrame]], count: int) -> None:
    twice = [index for index, frames in sorted(found.items()) if len(frames) > 1]
    if twice:
        raise GeometryError(
            f"{len(twice)} slices of the scan are shown by more than one image of the series.",
            "Give only the volume that was segmented.",
        )
    if len(found) < count:
        raise GeometryError(
            f"Only {len(found)} of the scan's {count} slices are in the DICOM series.", "Give the whole series."
        )


def _against_normal(slices: Sequence[SourceFrame]) -> bool:
    normal = np.cross(slices[0].orientation[:3], slices[0].orientation[3:])
    return float((slices[-1].position - slices[0].position) @ normal) < 0


def used_slices(placed: Iterable[tuple[np.ndarray, tuple[int, int, int]]]) -> Iterator[int]:
    """The slices in which any of the masks has a voxel, in order."""
    used: set[int] = set()
    for mask, low in placed:
        used.update(int(index) + low[0] for index in np.flatnonzero(mask.any(axis=(1, 2))))
    yield from sorted(used)
