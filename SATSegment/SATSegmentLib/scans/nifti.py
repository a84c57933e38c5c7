"""NIfTI-1, NIfTI-2 and Analyze files, with all that other readers pass over checked.

Common readers take a file that is cut off as if the missing voxels were zero, a zero voxel size for 1 mm, NaN for
zero, and one of two contradicting transforms without a word. Field offsets: nifti1.h and nifti2.h of the standards.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.scans.nifti_place import Place, place
from SATSegmentLib.scans.opened import OpenScan
from SATSegmentLib.types import Doubt, DoubtKind

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
_COLOURS = {128: "RGB", 2304: "RGBA"}
_COMPLEX = (32, 1792, 2048)
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
# The first byte of voxels in a single file: after the header and four bytes that announce extensions.
_FIRST_BYTE = {348: 352, 540: 544}
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class _Header:
    dim: tuple[int, ...]  # dim[0] is the number of dimensions, the rest their lengths
    pixdim: np.ndarray  # pixdim[1:4] are the voxel edges
    datatype: int
    bits_per_voxel: int
    data_starts_at: float
    slope: float
    intercept: float
    order: str  # "<" or ">"
    has_magic: bool  # otherwise it is an Analyze file, which has no transforms
    is_single: bool  # header and voxels in one file
    size: int
    qform_code: int
    sform_code: int
    quaternion: np.ndarray  # b, c, d
    offset: np.ndarray
    srow: np.ndarray  # 3x4
    units: int  # code of the unit of length

    @property
    def millimetres(self) -> float:
        """In one unit of the file."""
        return _MILLIMETRES.get(self.units, 1.0)


def is_nifti(path: Path, start: bytes) -> bool:
    """Whether the name or the first bytes of a file say that it is NIfTI or Analyze."""
    if path.name.lower().endswith(_SUFFIXES):
        return True
    return start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0")


def open_nifti(path: Path) -> OpenScan:
    """Read and check the header.

    Raises
    ------
    ScanError
        No NIfTI at all, a damaged header, colour, complex numbers.
    GeometryError
        Zero, negative or missing voxel sizes, a transform that mirrors the other one.
    """
    header_path, data_path = _pair(path)
    try:
        with _open(header_path) as stream:
            header = _read_header(path, stream.read(540))
    except (OSError, EOFError, zlib.error) as error:
        raise _cut_off(path) from error
    if header.is_single:
        data_path = header_path
    elif data_path is None:
        raise ScanError(
            f"{path} is only the header: its voxels are missing.", "Put the .img file beside the .hdr file."
        )
    size, frames = _checked_size(path, header)
    dtype = _checked_type(path, header)
    first = _first_byte(path, header)
    placed = place(
        path,
        Place(header.qform_code, header.sform_code, header.pixdim.astype(float) , header.quaternion, header.offset,
              header.srow, header.millimetres, size),
    )  # fmt: skip

    def load(frame: int) -> np.ndarray:
        count = int(np.prod(size))
        stored = _read_voxels(path, data_path, dtype, first, frame, count, frames)
        k, j, i = reversed(size)
        return _scaled(path, stored, header).reshape(k, j, i)

    kind = "Analyze" if not header.has_magic else "NIfTI-1" if header.size == 348 else "NIfTI-2"
    return OpenScan(path, kind, size, frames, placed.ijk_to_ras, (*placed.doubts, *_unit_doubts(header)), load)


def _pair(path: Path) -> tuple[Path, Path | None]:
    """The file with the header and, of a pair, that with the voxels."""
    name = path.name.lower()
    for header_end, data_end in ((".hdr", ".img"), (".hdr.gz", ".img.gz")):
        for mine in (header_end, data_end):
            if name.endswith(mine):
                stem = path.name[: -len(mine)]
                found = [_existing(path, stem, end) for end in (header_end, data_end)]
                return found[0] or path, found[1]
    return path, None


def _existing(path: Path, stem: str, ending: str) -> Path | None:
    plain = ending.removesuffix(".gz")
    for candidate in (ending, plain, f"{plain}.gz", plain.upper()):
        if (found := path.with_name(stem + candidate)).is_file():
            return found
    return None


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _read_header(path: Path, start: bytes) -> _Header:
    for order in "<>":
        size = int(np.frombuffer(start[:4], f"{order}i4")[0]) if len(start) >= 4 else 0
        if size in (348, 540) and len(start) < size:
            raise _cut_off(path)
        if size == 348:
            return _nifti1(start, order)
        if size == 540:
            return _nifti2(start, order)
    raise ScanError(f"{path} is not a NIfTI file, whatever its name says.", "Give the scan itself.")


def _nifti1(start: bytes, order: str) -> _Header:
    def field(kind: str, count: int, at: int) -> np.ndarray:
        return np.frombuffer(start, f"{order}{kind}", count, at)

    magic = start[344:348]
    units = start[123] & 7 if magic in (b"n+1\0", b"ni1\0") else 2
    has_magic = magic in (b"n+1\0", b"ni1\0")
    return _Header(
        dim=tuple(map(int, field("i2", 8, 40))), pixdim=field("f4", 8, 76), datatype=int(field("i2", 1, 70)[0]),
        bits_per_voxel=int(field("i2", 1, 72)[0]), data_starts_at=float(field("f4", 1, 108)[0]),
        slope=float(field("f4", 1, 112)[0]), intercept=float(field("f4", 1, 116)[0]) if has_magic else 0.0,
        order=order, has_magic=has_magic, is_single=magic == b"n+1\0", size=348,
        qform_code=int(field("i2", 1, 252)[0]) if has_magic else 0,
        sform_code=int(field("i2", 1, 254)[0]) if has_magic else 0,
        quaternion=field("f4", 3, 256).astype(float), offset=field("f4", 3, 268).astype(float),
        srow=field("f4", 12, 280).astype(float).reshape(3, 4), units=units,
    )  # fmt: skip


def _nifti2(start: bytes, order: str) -> _Header:
    def field(kind: str, count: int, at: int) -> np.ndarray:
        return np.frombuffer(start, f"{order}{kind}", count, at)

    return _Header(
        dim=tuple(map(int, field("i8", 8, 16))), pixdim=field("f8", 8, 104), datatype=int(field("i2", 1, 12)[0]),
        bits_per_voxel=int(field("i2", 1, 14)[0]), data_starts_at=float(field("i8", 1, 168)[0]),
        slope=float(field("f8", 1, 176)[0]), intercept=float(field("f8", 1, 184)[0]),
        order=order, has_magic=True, is_single=start[4:8] == b"n+2\0", size=540,
        qform_code=int(field("i4", 1, 344)[0]), sform_code=int(field("i4", 1, 348)[0]),
        quaternion=field("f8", 3, 352).astype(float), offset=field("f8", 3, 376).astype(float),
        srow=field("f8", 12, 400).astype(float).reshape(3, 4),
        units=int(field("i4", 1, 500)[0]) & 7,
    )  # fmt: skip


def _checked_size(path: Path, header: _Header) -> tuple[tuple[int, int, int], int]:
    """Voxels along I, J, K, and the number of frames."""
    count = header.dim[0]
    lengths = header.dim[1 : count + 1]
    if not 1 <= count <= 7 or min(lengths, default=0) < 1:
        raise ScanError(f"The header of {path} is damaged.", "Copy or download the file again.")
    if count < 3:
        raise ScanError(f"{path} is a 2-D image; SAT needs a 3-D scan.", "Give the whole volume.")
    spacing = header.pixdim[1:4].astype(float) * header.millimetres
    check_spacing(spacing, path)
    i, j, k, *more = lengths
    values = int(np.prod(more[1:], dtype=object)) if len(more) > 1 else 1
    if values > 1:
        raise ScanError(
            f"{path} holds {values} values per voxel (a colour or vector image); SAT needs one.",
            "Give the scan itself, or save one volume of it.",
        )
    return (i, j, k), more[0] if more else 1


def _checked_type(path: Path, header: _Header) -> np.dtype:
    if header.datatype in _COLOURS:
        raise ScanError(
            f"{path} holds {len(_COLOURS[header.datatype])} values per voxel (a colour image); SAT needs one.",
            "Give the scan itself rather than a colour picture of it, or turn it into grey values first.",
        )
    if header.datatype in _COMPLEX:
        raise ScanError(f"{path} holds complex numbers.", "Give the magnitude image.")
    if header.datatype not in _TYPES:
        raise ScanError(
            f"{path} holds voxels of a type that is not read (NIfTI code {header.datatype}).",
            "Save it with 16-bit integers or 32-bit floating-point numbers.",
        )
    dtype = np.dtype(f"{header.order}{_TYPES[header.datatype]}")
    if header.bits_per_voxel != dtype.itemsize * 8:
        raise ScanError(
            f"The header of {path} is damaged: voxels of type {dtype.name} take {dtype.itemsize * 8} bits, "
            f"but it says {header.bits_per_voxel}.",
            "Export the scan again.",
        )
    return dtype


def _unit_doubts(header: _Header) -> tuple[Doubt, ...]:
    if header.units in _MILLIMETRES:
        return ()
    text = f"The file's unit of length has no meaning (code {header.units}): mm was taken, so sizes are a guess."
    return (Doubt(DoubtKind.SIZES, text),)


def _first_byte(path: Path, header: _Header) -> int:
    at = header.data_starts_at
    if not np.isfinite(at) or not 0 <= at < 2**40:
        raise ScanError(f"The header of {path} is damaged: its voxels begin at byte {at:g}.", "Export the scan again.")
    # Zero is written by programs that leave the place to the reader.
    return max(int(at), _FIRST_BYTE[header.size]) if header.is_single else int(at)


def _read_voxels(
    path: Path, data_path: Path | None, dtype: np.dtype, first: int, frame: int, count: int, frames: int
) -> np.ndarray:
    """One frame's stored values. A compressed file is read to its end, because its checksum stands there."""
    # Looked at before so much is asked for: a damaged header can name any size. gzip packs a thousand bytes into one.
    there = (data_path or path).stat().st_size * (1100 if _is_packed(data_path or path) else 1)
    if there < count * dtype.itemsize * frames:
        raise _cut_off(path)
    values = np.empty(count, dtype)
    buffer = memoryview(values.view(np.uint8))  # type: ignore[arg-type]
    needed = count * dtype.itemsize * (frames - frame - 1)
    try:
        with _open(data_path or path) as stream:
            stream.seek(first + frame * count * dtype.itemsize)
            filled = 0
            while filled < len(buffer):
                got = stream.readinto(buffer[filled : filled + _BLOCK])
                if not got:
                    raise _cut_off(path)
                filled += got
            beyond = 0
            while block := stream.read(_BLOCK):
                beyond += len(block)
                if beyond >= needed and not isinstance(stream, gzip.GzipFile):
                    break
            if beyond < needed:
                raise _cut_off(path)
    except (OSError, EOFError, zlib.error) as error:
        raise _cut_off(path) from error
    return values if values.dtype.isnative else values.astype(dtype.newbyteorder("="))


def _scaled(path: Path, stored: np.ndarray, header: _Header) -> np.ndarray:
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise ScanError(
            f"Some voxels of {path} are not numbers (NaN or infinite).",
            "Replace them, for example by the value of air, and try again.",
        )
    slope, intercept = header.slope, header.intercept
    # The standard: a slope of zero means that there is no scaling, whatever the intercept.
    if slope == 0 or not np.isfinite(slope) or (slope, intercept) == (1, 0):
        return stored
    if not np.isfinite(intercept):
        raise ScanError(f"The header of {path} is damaged: its intercept is {intercept:g}.", "Export the scan again.")
    kind = np.float32 if stored.dtype.itemsize <= 2 or stored.dtype == np.float32 else np.float64
    scaled: np.ndarray = stored.astype(kind)
    np.multiply(scaled, slope, out=scaled)
    np.add(scaled, intercept, out=scaled)
    if not np.isfinite(scaled).all():
        raise ScanError(f"The scaling of {path} leaves voxels that are not numbers.", "Export the scan again.")
    return scaled


def _cut_off(path: Path) -> ScanError:
    return ScanError(f"{path} is damaged, or cut off: it ends before its last voxel.", "Copy or download it again.")
