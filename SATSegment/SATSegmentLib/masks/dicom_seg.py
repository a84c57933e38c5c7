"""DICOM Segmentations in: binary, fractional (from a half on) and label maps, whatever order their frames have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.masks.planes import PlanePaster, check_every_slice
from SATSegmentLib.types import Image

# Gaps between the frames of one segmentation may differ by this share and still be one step.
_EVEN = 0.05
_BACKGROUND = 0


@dataclass(frozen=True, eq=False)
class _Frame:
    number: int
    segments: tuple[int, ...]
    affine: np.ndarray  # 4x3, (column, row, 1) to LPS


class DicomSegmentation:
    """The segments of one DICOM SEG object, read one at a time.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ScanError
        It is damaged, of a kind that is not read, or two segments have one name.
    GeometryError
        A frame's pixels have no size.
    """

    def __init__(self, path: Path) -> None:
        import highdicom

        self._path = path
        try:
            self._data = highdicom.seg.segread(path)
            self._numbers = _segment_numbers(self._data)
            self._labelmap = str(self._data.SegmentationType) == "LABELMAP"
            self._frames = list(_frames(path, self._data, sorted(self._numbers.values()), self._labelmap))
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ScanError(
                f"{path} cannot be read as a DICOM segmentation: it is damaged.", "Export it again."
            ) from error
        twice = [name for name, number in _labels(self._data) if self._numbers[name] != number]
        if twice:
            raise ScanError(f'{path} holds more than one segment named "{twice[0]}".', "Rename or remove one of them.")

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the segments."""
        return tuple(self._numbers)

    def read(self, name: str, grid: Grid | None = None) -> Image:
        """One segment's mask on a scan's grid; without one, on the smallest grid that holds the file's frames.

        Raises
        ------
        GeometryError
            The segment's frames do not lie on the grid.
        """
        paster = PlanePaster(grid or self._own_grid())
        number = self._numbers[name]
        frames = [frame for frame in self._frames if number in frame.segments]
        for frame, plane in zip(frames, self._planes(frames), strict=True):
            paster.paste(plane == number if self._labelmap else plane, frame.affine)
        if grid is not None:
            check_every_slice(paster.slices, f'"{name}" in {self._path.name}')
        return Image(paster.mask, (grid or self._own_grid()).ijk_to_ras)

    def _planes(self, frames: Sequence[_Frame]) -> Any:
        # One frame at a time: unpacked, those of a hundred segments would fill the memory. By highdicom, because
        # pydicom 3.0.2 (`iter_pixels`) fails on one-bit frames that do not end on a byte.
        half = int(self._data.get("MaximumFractionalValue") or 1) / 2
        try:
            for frame in frames:
                plane = self._data.get_stored_frame(frame.number + 1)
                yield plane if self._labelmap else plane >= half
        except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
            raise ScanError(f"The pixels of {self._path} cannot be decoded: {error}", "Export it again.") from error

    def _own_grid(self) -> Grid:
        """The stack that the frames form; slices without any segment may be missing in between."""
        if not self._frames:
            raise GeometryError(f"{self._path} has no frames.", "Give a segmentation that is not empty.")
        first = self._frames[0].affine
        normal = np.cross(first[:3, 0], first[:3, 1])
        normal /= np.linalg.norm(normal)
        places = np.array([frame.affine[:3, 2] for frame in self._frames])
        order = np.argsort(places @ normal, kind="stable")
        places = places[order]
        keep = np.concatenate([[True], np.diff(places @ normal) > 1e-3])
        places = places[keep]
        step, count = _step(places, normal, _declared_distance(self._data))
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = first[:3, 0], first[:3, 1], step, places[0]
        shape = (count, int(self._data.Rows), int(self._data.Columns))
        return Grid(shape, lps_to_ras(affine))


def _labels(data: Dataset) -> list[tuple[str, int]]:
    pairs = [(str(item.SegmentLabel).strip(), int(item.SegmentNumber)) for item in data.SegmentSequence]
    return [(name, number) for name, number in pairs if number != _BACKGROUND]


def _segment_numbers(data: Dataset) -> dict[str, int]:
    return dict(_labels(data))


def _frames(path: Path, data: Dataset, numbers: list[int], labelmap: bool) -> Any:
    shared = data.SharedFunctionalGroupsSequence[0]
    for index, own in enumerate(data.PerFrameFunctionalGroupsSequence):

        def group(name: str, own: Dataset = own) -> Dataset:
            item: Dataset = (own.get(name) or shared.get(name))[0]
            return item

        if labelmap:
            segments = tuple(numbers)
        else:
            segments = (int(group("SegmentIdentificationSequence").ReferencedSegmentNumber),)
        orientation = np.array(group("PlaneOrientationSequence").ImageOrientationPatient, float)
        rows_mm, columns_mm = (float(v) for v in group("PixelMeasuresSequence").PixelSpacing)
        check_spacing((rows_mm, columns_mm), f"{path}, frame {index + 1}", "Export the segmentation again.")
        affine = np.zeros((4, 3))
        affine[:3, 0], affine[:3, 1] = orientation[:3] * columns_mm, orientation[3:] * rows_mm
        affine[:3, 2] = np.array(group("PlanePositionSequence").ImagePositionPatient, float)
        affine[3, 2] = 1
        yield _Frame(index, segments, affine)


def _declared_distance(data: Dataset) -> float:
    """Of slices, without the sign that some writers give it (PS3.3 forbids one here: positions say which way); or 0."""
    measures = data.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    if not measures:
        return 0.0
    declared = (abs(float(measures[0].get(name) or 0)) for name in ("SpacingBetweenSlices", "SliceThickness"))
    return next((one for one in declared if 0 < one < math.inf), 0.0)


def _step(places: np.ndarray, normal: np.ndarray, declared: float) -> tuple[np.ndarray, int]:
    """From one slice to the next, and how many there are."""
    if len(places) == 1:
        return normal * (declared or 1.0), 1
    gaps = np.diff(places @ normal)
    distance = float(gaps.min())
    if declared and np.all(np.abs(gaps / declared - np.rint(gaps / declared)) < _EVEN):
        distance = declared
    counts = np.rint(gaps / distance)
    if np.abs(gaps / distance - counts).max() > _EVEN:
        raise GeometryError("The segmentation's slices are not evenly spaced.", "Give the scan that was segmented.")
    total = int(counts.sum())
    return (places[-1] - places[0]) / total, total + 1
