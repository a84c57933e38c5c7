"""The DICOM files of a folder, and the part of their headers that a volume is built from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag

from SATSegmentLib.errors import ScanError
from SATSegmentLib.scans.dicom.classes import other_object
from SATSegmentLib.scans.dicom.signature import is_dicom

# Reading only these takes two thirds of the time of reading all; sequences come with everything inside them.
_TAGS = [
    *("SpecificCharacterSet", "PatientID", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "Modality", "SeriesDescription", "SeriesNumber", "ImageType", "InstanceNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "NumberOfFrames"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("EchoTime", "EchoNumbers", "DiffusionBValue", "TemporalPositionIdentifier", "InversionTime", "FlipAngle", "KVP"),
    *("AcquisitionNumber", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ContentTime", "TriggerTime"),
    *("ContrastBolusAgent", "ConvolutionKernel", "FrameReferenceTime", "ReconstructionDiameter", "RepetitionTime"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence"),
    # PET
    *("Units", "DecayCorrection", "CorrectedImage", "SeriesDate", "SeriesTime", "SUVType"),
    *("DecayCorrected", "DecayCorrectionDateTime", "AttenuationCorrected"),
    *("RadiopharmaceuticalInformationSequence", "PatientWeight", "PatientSize", "PatientSex", "ActualFrameDuration"),
]
# Vendors' own places of the b-value, written before the standard had one: Siemens, General Electric, Philips.
# And of what PET needs to be read as SUV: the start of the scan (General Electric), Philips' own scale factors.
_PRIVATE_TAGS = [
    *((0x0019, 0x100C), (0x0043, 0x1039), (0x2001, 0x1003)),
    *((0x0009, 0x0010), (0x0009, 0x100D), (0x7053, 0x0010), (0x7053, 0x1000), (0x7053, 0x1009)),
]
_ALL_TAGS = [*map(Tag, _TAGS), *map(Tag, _PRIVATE_TAGS)]
_EVERY_FILE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality",
    "InstanceNumber", "FrameOfReferenceUID", "NumberOfFrames",
)  # fmt: skip
_PIXEL_DATA = b"\x7f\xe0\x00\x10", b"\xe0\x7f\x10\x00"
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Header:
    """One file: its header without pixels, and where the pixels are.

    Attributes
    ----------
    path : Path
        The file.
    data : Dataset
        The header; only what `_TAGS` names.
    syntax : str
        Transfer syntax UID.
    pixels_at : int
        Offset of the first pixel byte, where pixels are stored as they are; -1 where they are compressed.
    pixel_bytes : int
        Their number; -1 where they are compressed.
    has_pixels : bool
        Whether there is a Pixel Data element at all.
    """

    path: Path
    data: Dataset
    syntax: str
    pixels_at: int
    pixel_bytes: int
    has_pixels: bool

    @property
    def series(self) -> str:
        """SeriesInstanceUID; empty where the file has none."""
        return str(self.data.get("SeriesInstanceUID", ""))


@dataclass(frozen=True, eq=False)
class Folder:
    """What is in a folder.

    Attributes
    ----------
    scans : tuple[Header, ...]
        Headers of the images that may be slices of a scan.
    others : tuple[tuple[Path, str], ...]
        DICOM objects that are no scans, and what they are called.
    damaged : tuple[Path, ...]
        Files that are, or may have been, DICOM and cannot be read.
    """

    scans: tuple[Header, ...]
    others: tuple[tuple[Path, str], ...]
    damaged: tuple[Path, ...]


def read_header(path: Path) -> Header:
    """Read a file's header.

    Raises
    ------
    ScanError
        Not DICOM, or cut off within the header.
    """
    try:
        with path.open("rb") as stream:
            data = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=_ALL_TAGS, force=True)
            at = stream.tell()
            element = stream.read(12)
        for name in _EVERY_FILE:
            data.get(name)  # values are parsed when they are touched: a damaged one is to be found now
        syntax = str(data.file_meta.get("TransferSyntaxUID", "")) if "file_meta" in data.__dict__ else ""
        return _with_pixels(path, data, syntax or _guessed_syntax(data), at, element)
    except Exception as error:  # pydicom's parsers let through whatever a damaged header makes them stumble over
        raise damaged(path) from error


def read_folder(folder: Path) -> Folder:
    """Read the headers of all DICOM files in a folder and its sub-folders; hidden ones are passed over."""
    scans, others, broken = [], [], []
    for path in _files(folder):
        try:
            if not is_dicom(path):
                if path.stat().st_size == 0 and path.suffix.lower() in ("", ".dcm", ".ima"):
                    broken.append(path)
                continue
            header = read_header(path)
        except (ScanError, OSError):
            broken.append(path)
            continue
        name = other_object(_with_class(header.data))
        if name and not header.has_pixels and "SOPClassUID" not in header.data and not _is_directory(header.data):
            broken.append(path)  # cut off before it says what it is
        elif name:
            others.append((path, name))
        elif not header.has_pixels:
            broken.append(path)
        else:
            scans.append(header)
    return Folder(tuple(scans), tuple(others), tuple(broken))


def refuse_other_object(header: Header) -> None:
    """Raise `ScanError` where the file is a DICOM object that is no scan."""
    name = other_object(_with_class(header.data))
    if name:
        raise ScanError(
            f"{header.path} is a DICOM {name}, not a CT, MR or PET scan.",
            "Give the scan it belongs to: the folder with its slices, or its multi-frame file.",
        )


def damaged(path: Path) -> ScanError:
    """The error for a file that cannot be read to its end."""
    return ScanError(
        f"{path} cannot be read: it is damaged, or cut off.", "Export or copy the DICOM files again, this one at least."
    )


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file()]


def _with_class(data: Dataset) -> Dataset:
    # A DICOMDIR says what it is in the file's meta header only.
    if "SOPClassUID" in data or not isinstance(data, FileDataset):
        return data
    return data.file_meta if "MediaStorageSOPClassUID" in data.file_meta else data


def _is_directory(data: Dataset) -> bool:
    return _with_class(data).get("MediaStorageSOPClassUID", "") == pydicom.uid.MediaStorageDirectoryStorage


def _guessed_syntax(data: Dataset) -> str:
    # Without a meta header the standard's default holds, unless pydicom found explicit value representations.
    implicit, little = getattr(data, "original_encoding", (True, True))
    if not little:
        return str(pydicom.uid.ExplicitVRBigEndian)
    return str(pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian)


def _with_pixels(path: Path, data: Dataset, syntax: str, at: int, element: bytes) -> Header:
    uid = pydicom.uid.UID(syntax)
    if uid.is_deflated:
        return Header(path, data, syntax, -1, -1, True)  # the pixels are inside the deflated stream
    if element[:4] not in _PIXEL_DATA:
        return Header(path, data, syntax, -1, -1, False)
    order = "little" if uid.is_little_endian else "big"
    start, length = (8, element[4:8]) if uid.is_implicit_VR else (12, element[8:12])
    size = int.from_bytes(length, order)  # type: ignore[arg-type]
    # Bytes in the words of a big-endian file are swapped in pairs: that is left to pydicom's decoder.
    in_words = not uid.is_little_endian and element[4:6] == b"OW" and data.get("BitsAllocated") == 8
    if uid.is_compressed or size == _UNDEFINED or in_words:
        return Header(path, data, syntax, -1, -1, True)
    return Header(path, data, syntax, at + start, size, True)
