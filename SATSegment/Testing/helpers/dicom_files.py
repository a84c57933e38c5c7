"""Makes DICOM series, classic or enhanced, with the frames of one volume or of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

ROOT = "1.2.826.0.1.3680043.2.1125."
CLASSIC = {
    "CT": pydicom.uid.CTImageStorage,
    "MR": pydicom.uid.MRImageStorage,
    "PT": pydicom.uid.PositronEmissionTomographyImageStorage,
}
ENHANCED = {
    "CT": pydicom.uid.EnhancedCTImageStorage,
    "MR": pydicom.uid.EnhancedMRImageStorage,
    "PT": pydicom.uid.EnhancedPETImageStorage,
}
_FRAME_TYPES = {"CT": "CTImageFrameTypeSequence", "MR": "MRImageFrameTypeSequence", "PT": "PETFrameTypeSequence"}


@dataclass
class Slice:
    """One slice to write.

    Attributes
    ----------
    stored : rows and columns of stored values.
    position : LPS millimetres.
    tags : further attributes of a classic slice, by keyword.
    groups : further functional groups of an enhanced frame: sequence keyword -> attributes.
    """

    stored: np.ndarray
    position: Sequence[float]
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0)
    spacing: Sequence[float] = (1.0, 1.0)
    slope: float | None = 1
    intercept: float | None = 0
    tags: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)


def stack(
    volume: np.ndarray, step: Sequence[float] = (0, 0, 2.5), first: Sequence[float] = (-10, 20, -300), **more: Any
) -> list[Slice]:
    """The slices of a KJI volume of stored values, one step apart."""
    return [Slice(piece, np.add(first, np.multiply(k, step)), **more) for k, piece in enumerate(volume)]


def write_classic(
    folder: Path,
    slices: Sequence[Slice],
    *,
    modality: str = "CT",
    series: str = ROOT + "1",
    decimals: int = 6,
    edit: Callable[[int, Dataset], None] = lambda number, data: None,
    syntax: str = pydicom.uid.ExplicitVRLittleEndian,
) -> list[Path]:
    """One file for each slice, in the given order; returns the files."""
    folder.mkdir(exist_ok=True, parents=True)
    files = []
    for number, one in enumerate(slices):
        data = _common(one.stored, modality, series)
        data.SOPClassUID = CLASSIC[modality]
        data.SOPInstanceUID = f"{series}.{number + 1}"
        data.InstanceNumber = number + 1
        data.ImagePositionPatient = [f"{v:.{decimals}f}" for v in one.position]
        data.ImageOrientationPatient = [f"{v:.6f}" for v in one.orientation]
        data.PixelSpacing = [f"{v:.6f}" for v in one.spacing]
        if one.slope is not None:
            data.RescaleSlope, data.RescaleIntercept = f"{one.slope:.8g}", f"{one.intercept or 0:.8g}"
        for keyword, value in one.tags.items():
            setattr(data, keyword, value)
        data.PixelData = one.stored.tobytes()
        edit(number, data)
        files.append(save(data, folder / f"{series[-4:]}_{number:04d}.dcm", syntax))
    return files


def write_enhanced(
    path: Path,
    slices: Sequence[Slice],
    *,
    modality: str = "CT",
    series: str = ROOT + "1",
    edit: Callable[[Dataset], None] = lambda data: None,
    syntax: str = pydicom.uid.ExplicitVRLittleEndian,
) -> Path:
    """All slices as frames of one file, in the given order."""
    path.parent.mkdir(exist_ok=True, parents=True)
    data = _common(slices[0].stored, modality, series)
    data.SOPClassUID, data.SOPInstanceUID, data.InstanceNumber = ENHANCED[modality], f"{series}.1", 1
    data.NumberOfFrames = len(slices)
    data.SharedFunctionalGroupsSequence = [Dataset()]
    groups = []
    for one in slices:
        group = Dataset()
        group.PlanePositionSequence = [_item(ImagePositionPatient=[float(f"{v:.6f}") for v in one.position])]
        group.PlaneOrientationSequence = [_item(ImageOrientationPatient=[float(f"{v:.6f}") for v in one.orientation])]
        group.PixelMeasuresSequence = [_item(PixelSpacing=list(map(float, one.spacing)), SliceThickness=1.0)]
        if one.slope is not None:
            group.PixelValueTransformationSequence = [
                _item(RescaleSlope=f"{one.slope:.8g}", RescaleIntercept=f"{one.intercept or 0:.8g}")
            ]
        setattr(group, _FRAME_TYPES[modality], [_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])])
        for sequence, attributes in one.groups.items():
            setattr(group, sequence, [_item(**attributes)])
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = groups
    data.PixelData = b"".join(one.stored.tobytes() for one in slices)
    edit(data)
    return save(data, path, syntax)


def save(data: Dataset, path: Path, syntax: str = pydicom.uid.ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file, compressed where the transfer syntax says so."""
    data.file_meta = FileMetaDataset()
    native = not pydicom.uid.UID(syntax).is_compressed
    data.file_meta.TransferSyntaxUID = syntax if native else pydicom.uid.ExplicitVRLittleEndian
    if syntax == pydicom.uid.ExplicitVRBigEndian:
        kind = f">u{data.BitsAllocated // 8}"
        data.PixelData = np.frombuffer(data.PixelData, kind.replace(">", "<")).astype(kind).tobytes()
    if not native:
        data.compress(syntax, generate_instance_uid=False)
    data.save_as(path, enforce_file_format=True)
    return path


def _common(stored: np.ndarray, modality: str, series: str) -> Dataset:
    data = Dataset()
    data.Modality, data.SeriesDescription = modality, f"test {modality}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = ROOT + "9", series, ROOT + "7"
    data.PatientName, data.PatientID = "Test^Nobody", "0"
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    return data


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
