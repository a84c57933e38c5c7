"""The DICOM images a result refers to: which frame shows which slice of the scan, and how masks get onto the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.cropped_probability import CroppedProbability
from SATSegmentLib.grid.plane import lps_to_index, place_plane
from SATSegmentLib.types import SegmentResult

# A part of the frames, with axes (slice, row, column), and the index of its first voxel in them.
Placed = tuple[np.ndarray, tuple[int, int, int]]


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

    def place(self, result: SegmentResult) -> Placed:
        """A result's mask on the frames."""
        return self._placed(result.mask, result.cropped.offset)

    def place_probability(self, probability: CroppedProbability) -> Placed:
        """A probability map's levels on the frames."""
        return self._placed(probability.levels, probability.offset)

    def _placed(self, array: np.ndarray, offset: tuple[int, int, int]) -> Placed:
        array = array.transpose(self.axes)
        low = [offset[axis] for axis in self.axes]
        for axis, (flip, size) in enumerate(zip(self.flips, self.shape, strict=True)):
            if flip:
                low[axis] = size - low[axis] - array.shape[axis]
        array = np.flip(array, tuple(axis for axis, flip in enumerate(self.flips) if flip))
        return array, (low[0], low[1], low[2])


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
    to_index = lps_to_index(ijk_to_ras)
    shape_ijk = shape_kji[::-1]
    found: dict[int, list[SourceFrame]] = {}
    layout: tuple[tuple[int, int, int], tuple[bool, bool]] | None = None
    for frame in frames:
        placed = _slice_of(frame, to_index, shape_ijk)
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


def _slice_of(
    frame: SourceFrame, to_index: np.ndarray, shape_ijk: Sequence[int]
) -> tuple[tuple[int, int, int], tuple[bool, bool], int] | None:
    """IJK axes of slices, rows and columns, which of the last two are flipped, and the slice.

    None for a frame that does not cover a slice of the scan from corner to corner.
    """
    rows, columns = frame.shape
    place = place_plane(to_index, frame.ijk_to_lps(), (rows, columns))
    if place is None:
        return None
    slice_axis, row_axis, column_axis = place.axes
    corner = [0, 0, 0]
    corner[slice_axis] = index = place.first[slice_axis]
    corner[row_axis] = rows - 1 if place.flips[0] else 0
    corner[column_axis] = columns - 1 if place.flips[1] else 0
    covers = (shape_ijk[row_axis], shape_ijk[column_axis]) == (rows, columns) and place.first == tuple(corner)
    return (place.axes, place.flips, index) if covers and 0 <= index < shape_ijk[slice_axis] else None


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


def used_slices(placed: Iterable[Placed]) -> Iterator[int]:
    """The slices in which any of the parts has a voxel that is not zero, in order."""
    used: set[int] = set()
    for mask, low in placed:
        used.update(int(index) + low[0] for index in np.flatnonzero(mask.any(axis=(1, 2))))
    yield from sorted(used)
