"""MetaImage files (.mha, .mhd).

Read here and not by ITK, which does not look at the checksum of compressed voxels, passes over the unit of length, and
prints its own errors over the terminal. Only voxels that are spread over several files are left to it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import check_right_angles, lps_to_ras
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.scans.data_files import beside
from SATSegmentLib.scans.itk import quiet
from SATSegmentLib.scans.opened import OpenScan
from SATSegmentLib.types import Doubt, DoubtKind

_MILLIMETRES = {"?": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
_TYPES = {
    "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4", "LONG": "i4", "ULONG": "u4",
    "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4", "DOUBLE": "f8",
}  # fmt: skip
_LONGEST_HEADER = 1 << 16
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class _Data:
    """Where the voxels are: the file, their first byte in it, their type, and whether they are compressed, or text."""

    place: Path
    first: int
    dtype: np.dtype
    packed: bool
    text: bool


def is_metaimage(path: Path, start: bytes) -> bool:
    """Whether the name or the first bytes of a file say that it is a MetaImage."""
    return path.name.lower().endswith((".mha", ".mhd")) or start.lstrip()[:10] in (b"ObjectType", b"NDims = 3\n")


def open_metaimage(path: Path) -> OpenScan:
    """Read and check the header.

    Raises
    ------
    ScanError
        Damaged, 2-D, colour, a data file in another folder.
    GeometryError
        Axes without direction or length.
    """
    fields, begin = _fields(path)
    sizes = [int(n) for n in _numbers(path, fields, "DimSize")]
    if int(_number(fields, "ndims", len(sizes))) != len(sizes):
        raise ScanError(f"The header of {path} is damaged: its sizes do not fit its dimension.", "Copy it again.")
    if len(sizes) < 3:
        raise ScanError(f"{path} is a {len(sizes)}-D image; SAT needs a 3-D scan.", "Give the whole volume.")
    if len(sizes) > 4 or min(sizes) < 1:
        raise ScanError(f"{path} has {len(sizes)} dimensions; SAT needs a 3-D scan.", "Save one volume of it.")
    channels = int(fields.get("elementnumberofchannels", "1") or 1)
    if channels > 1:
        raise ScanError(
            f"{path} holds {channels} values per voxel (a colour or vector image); SAT needs one.",
            "Give the scan itself rather than a colour picture of it, or turn it into grey values first.",
        )
    data = _data(path, fields, begin, sizes)
    affine, doubts = _affine(path, fields, len(sizes))
    slope, intercept = (_number(fields, f"elementtointensityfunction{name}", default)
                        for name, default in (("slope", 1.0), ("offset", 0.0)))  # fmt: skip
    if (slope, intercept) != (1, 0):
        text = f"The file scales its values by {slope:g} and adds {intercept:g}. That was done; most programs do not."
        doubts = (*doubts, Doubt(DoubtKind.VALUES, text))

    def load(frame: int) -> np.ndarray:
        array = _read_with_itk(path, frame, sizes) if data is None else _read(path, data, frame, sizes)
        if (slope, intercept) != (1, 0):
            array = (array * slope + intercept).astype(np.float32)
        if not np.isfinite(array).all():
            raise ScanError(f"Some voxels of {path} are not numbers (NaN or infinite).", "Replace them and try again.")
        return array

    i, j, k = sizes[:3]
    return OpenScan(path, "MetaImage", (i, j, k), sizes[3] if len(sizes) == 4 else 1, affine, doubts, load)


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The header by its lower-case keys, and where the data begin in this file."""
    with path.open("rb") as stream:
        start = stream.read(_LONGEST_HEADER)
    fields: dict[str, str] = {}
    at = 0
    while at < len(start):
        end = start.find(b"\n", at)
        end = len(start) if end < 0 else end
        key, divider, value = start[at:end].decode("utf-8", "replace").partition("=")
        at = end + 1
        if divider:
            fields[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":
            return fields, at
    raise ScanError(f"{path} is not a MetaImage file, or its header is damaged.", "Give the scan itself.")


def _data(path: Path, fields: dict[str, str], begin: int, sizes: list[int]) -> _Data | None:
    """Where the voxels are; None where ITK is to read them. All files are known to lie in the header's folder."""
    name = fields["elementdatafile"]
    words = name.split()
    if name.upper().startswith("LIST"):
        lines = path.read_bytes()[begin:].decode("utf-8", "replace").splitlines()
        for line in filter(None, map(str.strip, lines)):
            beside(path, line)
        return None
    if "%" in name and len(words) > 1:
        for listed in _pattern(path, words):
            beside(path, listed)
        return None
    place = path if name.upper() == "LOCAL" else beside(path, name)
    text = fields.get("binarydata", "true").lower() == "false"
    kind = fields.get("elementtype", "").upper().removeprefix("MET_")
    if kind not in _TYPES:
        raise ScanError(
            f"{path} holds voxels of the type {fields.get('elementtype', 'unknown')}, which is not read.",
            "Save it with 16-bit integers or 32-bit floating-point numbers.",
        )
    big = next((fields[n] for n in ("binarydatabyteordermsb", "elementbyteordermsb") if n in fields), "false")
    dtype = np.dtype(f"{'>' if big.lower() == 'true' else '<'}{_TYPES[kind]}")
    needed = int(np.prod(sizes, dtype=object)) * dtype.itemsize
    packed = fields.get("compresseddata", "false").lower() == "true"
    skipped = int(_number(fields, "headersize", 0))
    first = begin if place is path and skipped >= 0 else skipped
    if first < 0 and not packed:  # the voxels are the end of the file
        first = max(place.stat().st_size - needed, 0)
    if first < 0 or (not packed and not text and place.stat().st_size - first < needed):
        raise _cut_off(path)
    return _Data(place, first, dtype, packed, text)


def _pattern(path: Path, words: list[str]) -> list[str]:
    try:
        step = int(words[3]) if len(words) > 3 else 1
        return [words[0] % number for number in range(int(words[1]), int(words[2]) + 1, step)]
    except (IndexError, TypeError, ValueError) as error:
        raise ScanError(f"The header of {path} is damaged: {' '.join(words)[:60]!r}.", "Copy it again.") from error


def _read(path: Path, data: _Data, frame: int, sizes: list[int]) -> np.ndarray:
    count = int(np.prod(sizes[:3], dtype=object))
    size = count * data.dtype.itemsize
    frames = sizes[3] if len(sizes) == 4 else 1
    if data.text:
        return _read_text(path, data, count * frames)[count * frame : count * (frame + 1)].reshape(sizes[2::-1])
    with data.place.open("rb") as stream:
        stream.seek(data.first if data.packed else data.first + frame * size)
        content = _unpacked(path, stream, size * frames) if data.packed else stream.read(size)
    if len(content) < size:
        raise _cut_off(path)
    values = np.frombuffer(content, data.dtype, count, frame * size if data.packed else 0)
    return values.reshape(sizes[2::-1]).astype(data.dtype.newbyteorder("="))


def _read_text(path: Path, data: _Data, count: int) -> np.ndarray:
    with data.place.open("rb") as stream:
        stream.seek(data.first)
        words = stream.read().split()
    try:
        values = np.array(words, data.dtype.newbyteorder("="))
    except (ValueError, OverflowError) as error:
        raise _cut_off(path) from error
    if len(values) != count:
        raise _cut_off(path)
    return values


def _unpacked(path: Path, file: BinaryIO, size: int) -> bytearray:
    """The voxels, read to the checksum at the end of the stream."""
    stream, content = zlib.decompressobj(zlib.MAX_WBITS | 32), bytearray()
    try:
        while not stream.eof and (block := file.read(_BLOCK)):
            content += stream.decompress(block)
            if len(content) > size + _BLOCK * 8:
                break  # more than the header says, and no end in sight
    except zlib.error as error:
        raise _cut_off(path) from error
    if not stream.eof or len(content) < size:
        raise _cut_off(path)
    return content


def _affine(path: Path, fields: dict[str, str], dimension: int) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    doubts = []
    matrix = next((fields[name] for name in ("transformmatrix", "orientation", "rotation") if name in fields), None)
    if matrix is None:
        text = (
            "The file does not say how its axes lie in the patient: left and right are a guess. "
            "Do not rely on sides; if you can, export the scan again with its orientation."
        )
        doubts.append(Doubt(DoubtKind.SIDES, text))
        directions = np.eye(dimension)
    else:
        directions = _floats(path, matrix, dimension**2).reshape(dimension, dimension).T
    sizes = next((fields[name] for name in ("elementspacing", "elementsize") if name in fields), None)
    if sizes is None:
        text = "The file gives no voxel size: 1 mm was taken, so sizes and volumes are a guess."
        doubts.append(Doubt(DoubtKind.SIZES, text))
        edges = np.ones(dimension)
    else:
        edges = _floats(path, sizes, dimension)
    origin = next((fields[name] for name in ("offset", "position", "origin") if name in fields), None)
    first = np.zeros(dimension) if origin is None else _floats(path, origin, dimension)
    scale = _MILLIMETRES.get(fields.get("distanceunits", "mm").lower())
    if scale is None:
        text = f"The file gives lengths in {fields['distanceunits']}, which is not a known unit: mm was taken."
        doubts.append(Doubt(DoubtKind.SIZES, text))
        scale = 1.0
    spacing = edges[:3] * scale
    check_spacing(spacing, path)
    columns = directions[:3, :3]
    if not np.isfinite(columns).all() or abs(np.linalg.det(columns)) < 1e-6:
        raise GeometryError(f"The axes of {path} do not each have a direction.", "Export the scan again.")
    check_right_angles(columns)
    lengths = np.linalg.norm(columns, axis=0)
    if np.abs(lengths - 1).max() > 0.01:
        words = ", ".join(f"{length:g}" for length in lengths)
        raise GeometryError(
            f"The directions of {path} (TransformMatrix) are {words} long instead of 1: its voxel size is unclear.",
            "Write the voxel size into ElementSpacing alone.",
        )
    doubts += _orientation_doubts(fields.get("anatomicalorientation", "") if matrix is not None else "", columns)
    affine = np.eye(4)
    affine[:3, :3] = columns / lengths * spacing
    affine[:3, 3] = first[:3] * scale
    return lps_to_ras(affine), tuple(doubts)


def _orientation_doubts(letters: str, columns: np.ndarray) -> list[Doubt]:
    """Where the letters (the sides that the axes come from, as ITK writes them) contradict the directions."""
    letters = letters.strip().upper()
    lps = ("RL", "AP", "IS")
    axes = [axis for letter in letters for axis, pair in enumerate(lps) if letter in pair]
    if len(letters) != 3 or sorted(axes) != [0, 1, 2]:
        return []
    named = np.zeros((3, 3))
    for column, (axis, letter) in enumerate(zip(axes, letters, strict=True)):
        named[axis, column] = 1 if letter == lps[axis][0] else -1
    if (named * columns).sum(axis=0).min() > 0:
        return []
    text = (
        f"The file says two things about how its axes lie: TransformMatrix, and AnatomicalOrientation {letters}. "
        "The matrix was taken; check the sides."
    )
    mirrored = np.linalg.det(named) * np.linalg.det(columns) < 0
    return [Doubt(DoubtKind.SIDES if mirrored else DoubtKind.GRID, text)]


def _read_with_itk(path: Path, frame: int, sizes: list[int]) -> np.ndarray:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet():
            if len(sizes) == 4:
                reader.ReadImageInformation()
                reader.SetExtractSize([*reader.GetSize()[:3], 0])
                reader.SetExtractIndex([0, 0, 0, frame])
            image = reader.Execute()
    except RuntimeError as error:
        if "orthonormal" in str(error) or "determinant" in str(error):
            raise GeometryError(
                f"The axes of {path} are sheared.", "Resample it onto a grid with right angles."
            ) from error
        raise _cut_off(path) from error
    if image.GetNumberOfComponentsPerPixel() > 1 or image.GetPixelID() in (
        SimpleITK.sitkComplexFloat32,
        SimpleITK.sitkComplexFloat64,
    ):
        raise ScanError(f"{path} holds several values per voxel; SAT needs one.", "Give the scan itself.")
    return np.asarray(SimpleITK.GetArrayFromImage(image))


def _numbers(path: Path, fields: dict[str, str], name: str) -> np.ndarray:
    text = fields.get(name.lower(), "")
    return _floats(path, text, len(text.split()))


def _floats(path: Path, text: str, count: int) -> np.ndarray:
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not count:
        raise ScanError(f"The header of {path} is damaged: {text[:60]!r} is not {count} numbers.", "Copy it again.")
    return values


def _number(fields: dict[str, str], name: str, default: float) -> float:
    try:
        return float(fields.get(name, default))
    except ValueError:
        return default


def _cut_off(path: Path) -> ScanError:
    return ScanError(f"{path} is damaged, or cut off.", "Copy or download it again, and check its size.")
