"""Results as a file of any format, made in memory: what writes them needs a folder, and that is not to be on disk."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian

import SATSegmentLib
from SATSegmentLib.engine.api import SegmentAnswer
from SATSegmentLib.engine.transport.wire import LimitExceeded
from SATSegmentLib.errors import GeometryError, OutputError, ScanError
from SATSegmentLib.scratch import PrivateFolder
from SATSegmentLib.storage.write import DicomSource, Format, find_source, write_results
from SATSegmentLib.storage.written import Algorithm
from SATSegmentLib.types import Image

# Linux's folder in memory.
_MEMORY = Path("/dev/shm")
_MOST_FILES = 10_000
_MOST_BYTES = 1 << 29
_NAMES: dict[str, str] = {"seg.nrrd": "result.seg.nrrd"}


def result_file(image: Image, answer: SegmentAnswer, format_name: Format, headers: bytes, spill: bool) -> bytes:
    """The content of a file with a run's results.

    Parameters
    ----------
    image : Image
        The scan.
    answer : SegmentAnswer
        What was found.
    format_name : str
        As `storage.write.FORMATS`.
    headers : bytes
        For DICOM: a zip archive with the DICOM files that the scan was made from; they need no pixels. Their names are
        not used.
    spill : bool
        Whether a folder on disk may be used where there is none in memory.

    Raises
    ------
    OutputError, ScanError, GeometryError
        The format needs something that is missing, or the DICOM files are of another scan.
    LimitExceeded
        The archive is too large.
    """
    if not _MEMORY.is_dir() and not spill:
        raise OutputError(
            "This server writes nothing to disk, and has no folder in memory to make files in.",
            "Take the packed masks, and write the file yourself.",
        )
    folder = PrivateFolder("result", _MEMORY if _MEMORY.is_dir() else None)
    try:
        target = folder.path / _NAMES.get(format_name, "result.dcm")
        source = None
        if headers:
            _unpack(headers, folder.path / "series")
            source = DicomSource(folder.path / "series")
        try:
            series = find_source(target, image, source, format_name)
        except GeometryError:
            raise
        except ScanError as error:
            # Its words name files that were ours.
            raise ScanError("The DICOM files that were sent are not one series.", "Send the scan's series.") from error
        model = answer.model
        algorithm = Algorithm(model.name, SATSegmentLib.__version__, model.sha256)
        try:
            write_results(target, image, answer.results, algorithm, format_name=format_name, source=series)
        except OutputError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            # Its words name files that were ours.
            raise error.__cause__ from error
        return target.read_bytes()
    finally:
        folder.remove()


def _unpack(content: bytes, folder: Path) -> None:
    """The files of an archive under names of our own."""
    folder.mkdir()
    left = _MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > _MOST_FILES:
                raise LimitExceeded(f"The archive has more than {_MOST_FILES} files.", "Send one series.")
            for number, member in enumerate(members):
                with archive.open(member) as packed:
                    # What the archive says of its sizes is not believed.
                    data = packed.read(left + 1)
                left -= len(data)
                if left >= 0:
                    left -= _with_pixels(data, folder / f"{number:05d}.dcm", left)
                if left < 0:
                    raise LimitExceeded("The archive holds too much.", "Send one series, without its pixels.")
    except (InvalidDicomError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise OutputError(
            "What was sent is not a zip archive of DICOM files.", "Send one, without a password."
        ) from error


def _with_pixels(content: bytes, target: Path, most: int) -> int:
    """Write a DICOM file, with empty pixels where it was sent without, as the reader expects them; their bytes."""
    data = pydicom.dcmread(io.BytesIO(content))
    if "PixelData" in data or "Rows" not in data:
        target.write_bytes(content)
        return 0
    frames, samples = int(data.get("NumberOfFrames", 1) or 1), int(data.get("SamplesPerPixel", 1))
    count = int(data.Rows) * int(data.Columns) * frames * samples * int(data.BitsAllocated) // 8
    if count <= most:
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.PixelData = bytes(count + count % 2)
        data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
        data.save_as(target, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return count
