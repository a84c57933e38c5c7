"""From a header to frames: each with its own place, rescale and what may tell volumes apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from SATSegmentLib.errors import SATSegmentError, ScanError
from SATSegmentLib.scans.dicom.headers import Header, damaged
from SATSegmentLib.scans.dicom.traits import ClassicTraits, Traits, enhanced_traits

_GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
class Rescale:
    """How stored values become what the modality measures.

    Attributes
    ----------
    slope, intercept : float
        Of the linear rescale.
    declared : bool
        Whether the file has one; otherwise they are 1 and 0.
    unit : str
        RescaleType where the file gives one ("HU", "US").
    has_table : bool
        Whether a Modality LUT Sequence takes the rescale's place.
    """

    slope: float
    intercept: float
    declared: bool
    unit: str
    has_table: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice.

    Attributes
    ----------
    header : Header
        Of the file it is in.
    number : int
        Its number in the file, from 0.
    position : np.ndarray | None
        (3,) of the first pixel's centre, LPS millimetres; None where the file does not say.
    decimals : int
        With which positions are written at most; 17 where they are binary numbers.
    orientation : np.ndarray | None
        (6,) direction of a row, then of a column; None where the file does not say.
    spacing : tuple[float, float] | None
        Millimetres between rows, and between columns; None where the file does not say.
    rescale : Rescale
        Of this frame.
    traits : Traits
        What may tell it from a frame at the same place.
    """

    header: Header
    number: int
    position: np.ndarray | None
    decimals: int
    orientation: np.ndarray | None
    spacing: tuple[float, float] | None
    rescale: Rescale
    traits: Traits

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.header.data.Rows), int(self.header.data.Columns)

    @property
    def name(self) -> str:
        """The file, and the frame in it where it holds several."""
        count = frame_count(self.header.data)
        return f"{self.header.path}, frame {self.number + 1}" if count > 1 else str(self.header.path)


def frame_count(data: Dataset) -> int:
    """Number of frames in a file."""
    try:
        return int(data.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 1


def frames_of(header: Header) -> list[Frame]:
    """The frames of a file.

    Raises
    ------
    ScanError
        Colour, no pixels, a damaged header.
    """
    try:
        _check_pixels(header)
        return list(_frames(header))
    except SATSegmentError:
        raise
    except Exception as error:  # a value that is not what its attribute holds fails in pydicom in many ways
        raise ScanError(
            f"The header of {header.path} is damaged: {_reason(error)}.", "Export or copy the DICOM files again."
        ) from error


def _frames(header: Header) -> Iterator[Frame]:
    data = header.data
    count = frame_count(data)
    groups = data.get("PerFrameFunctionalGroupsSequence")
    shared = (data.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    if groups is None and count == 1:
        yield _classic(header)
        return
    if groups is not None and len(groups) != count:
        raise ScanError(
            f"{header.path} holds {count} frames, but describes {len(groups)}: it is damaged.",
            "Export or copy the DICOM file again.",
        )
    for number in range(count):
        own = groups[number] if groups is not None else Dataset()
        yield _enhanced(header, number, own, shared)


def _classic(header: Header) -> Frame:
    data = header.data
    if "MOSAIC" in str(data.get("ImageType", "")).upper():
        raise ScanError(
            f"{header.path} is a mosaic: all slices of a volume, tiled into one picture.",
            "Convert the series first (dcm2niix does), and give the resulting NIfTI file.",
        )
    position, decimals = _position(data)
    return Frame(
        header, 0, position, decimals, _numbers(data, "ImageOrientationPatient", 6), _pair(data, "PixelSpacing"),
        _rescale(header, data), ClassicTraits(data),
    )  # fmt: skip


def _enhanced(header: Header, number: int, own: Dataset, shared: Dataset) -> Frame:
    def group(name: str) -> Dataset:
        for place in (own, shared):
            if place.get(name):
                item: Dataset = place[name][0]
                return item
        return Dataset()

    position, decimals = _position(group("PlanePositionSequence"))
    values = group("PixelValueTransformationSequence")
    return Frame(
        header, number, position, decimals,
        _numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        _pair(group("PixelMeasuresSequence"), "PixelSpacing"),
        # A secondary capture of many frames keeps its rescale where a classic slice does.
        _rescale(header, values if "RescaleSlope" in values or "RescaleIntercept" in values else header.data),
        enhanced_traits(header.data, group),
    )  # fmt: skip


def _check_pixels(header: Header) -> None:
    data = header.data
    if not header.has_pixels:
        raise ScanError(
            f"{header.path} holds no pixels, or pixels of a kind that is not read (floating point).",
            "Export or copy the DICOM files again.",
        )
    photometric = str(data.get("PhotometricInterpretation", "MONOCHROME2")).strip()
    if int(data.get("SamplesPerPixel") or 1) > 1 or photometric not in _GREY:
        raise ScanError(
            f"{header.path} holds colour images ({photometric}).",
            "Choose the series of the scan itself, not a picture of it.",
        )
    missing = [name for name in ("Rows", "Columns", "BitsAllocated") if not data.get(name)]
    if missing:
        raise ScanError(f"{header.path} does not say its {' and '.join(missing)}.", "Export the DICOM files again.")
    if int(data.BitsAllocated) not in (8, 16, 32):
        raise ScanError(
            f"{header.path} stores pixels of {data.BitsAllocated} bits; 8, 16 and 32 are read.",
            "Export the scan with another encoding.",
        )
    needed = frame_count(data) * int(data.Rows) * int(data.Columns) * int(data.BitsAllocated) // 8
    # Nothing compresses a frame to less than a byte.
    if needed < 0 or needed > header.pixel_bytes >= 0 or frame_count(data) > header.path.stat().st_size:
        raise damaged(header.path)


def _rescale(header: Header, data: Dataset) -> Rescale:
    table = header.data.get("ModalityLUTSequence")
    slope, intercept = data.get("RescaleSlope"), data.get("RescaleIntercept")
    declared = slope is not None or intercept is not None
    slope, intercept = float(1 if slope is None else slope), float(0 if intercept is None else intercept)
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        raise ScanError(
            f"{header.path} gives a rescale slope of {slope:g} and an intercept of {intercept:g}: no values are left.",
            "Export the scan again.",
        )
    return Rescale(slope, intercept, declared, str(data.get("RescaleType") or "").strip(), bool(table))


def _position(data: Dataset) -> tuple[np.ndarray | None, int]:
    position = _numbers(data, "ImagePositionPatient", 3)
    if position is None:
        return None, 17
    texts = [str(getattr(value, "original_string", "")).strip() for value in data.ImagePositionPatient]
    return position, max((_decimals(text) for text in texts), default=17)


def _decimals(text: str) -> int:
    """How many digits after the point a number was written with; 17 where that cannot be told."""
    if not text or "e" in text.lower():
        return 17
    return len(text.partition(".")[2])


def _numbers(data: Dataset, name: str, count: int) -> np.ndarray | None:
    value: Any = data.get(name)
    if value is None or value == "" or (hasattr(value, "__len__") and len(value) != count):
        return None
    numbers = np.array([float(one) for one in value])
    return numbers if np.isfinite(numbers).all() else None


def _pair(data: Dataset, name: str) -> tuple[float, float] | None:
    numbers = _numbers(data, name, 2)
    return None if numbers is None else (float(numbers[0]), float(numbers[1]))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
