"""MetaImage files (.mha, .mhd): their header read here, their voxels by SimpleITK."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.scans.data_files import beside
from SATSegmentLib.scans.itk import quiet
from SATSegmentLib.scans.opened import OpenScan
from SATSegmentLib.types import Doubt, DoubtKind

_MILLIMETRES = {"?": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}
_BYTES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4, "LONG_LONG": 8,
    "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
_LONGEST_HEADER = 1 << 16
_BLOCK = 1 << 20


def is_metaimage(path: Path, start: bytes) -> bool:
    """Whether the name or the first bytes of a file say that it is a MetaImage."""
    return path.name.lower().endswith((".mha", ".mhd")) or start.lstrip()[:10] in (b"ObjectType", b"NDims = 3\n")


def open_metaimage(path: Path) -> OpenScan:
    """Read and check the header.

    Raises
    ------
    ScanError: damaged, 2-D, colour, a data file in another folder.
    GeometryError: axes without direction or length.
    """
    fields, begin = _fields(path)
    sizes = [int(n) for n in _numbers(path, fields, "DimSize")]
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
    _check_data(path, fields, begin, sizes)
    affine, doubts = _affine(path, fields, len(sizes))
    slope, intercept = (_number(fields, f"elementtointensityfunction{name}", default)
                        for name, default in (("slope", 1.0), ("offset", 0.0)))  # fmt: skip

    def load(frame: int) -> np.ndarray:
        array = _voxels(path, frame if len(sizes) == 4 else None)
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


def _check_data(path: Path, fields: dict[str, str], begin: int, sizes: list[int]) -> None:
    """The data are there, whole, and unchanged where they carry a checksum."""
    name = fields["elementdatafile"]
    words = name.split()
    if name.upper().startswith("LIST"):
        lines = path.read_bytes()[begin:].decode("utf-8", "replace").splitlines()
        for line in filter(None, map(str.strip, lines)):
            beside(path, line)
        return
    if "%" in name and len(words) > 1:
        for number in range(int(words[1]), int(words[2]) + 1, int(words[3]) if len(words) > 3 else 1):
            beside(path, words[0] % number)
        return
    place = path if name.upper() == "LOCAL" else beside(path, name)
    first = begin if place is path else max(int(_number(fields, "headersize", 0)), 0)
    kind = fields.get("elementtype", "").upper().removeprefix("MET_")
    if fields.get("binarydata", "true").lower() == "false" or kind not in _BYTES:
        return  # written as text, or of a type that SimpleITK will refuse
    needed = int(np.prod(sizes, dtype=object)) * _BYTES[kind]
    if fields.get("compresseddata", "false").lower() == "true":
        _check_compressed(path, place, first, needed)
    elif place.stat().st_size - first < needed:
        raise _cut_off(path)


def _check_compressed(path: Path, place: Path, first: int, needed: int) -> None:
    """Read the stream to its checksum: ITK does not look at it, and one flipped bit gives voxels of any value."""
    stream, found = zlib.decompressobj(zlib.MAX_WBITS | 32), 0
    try:
        with place.open("rb") as file:
            file.seek(first)
            while not stream.eof and (block := file.read(_BLOCK)):
                found += len(stream.decompress(block))
    except zlib.error as error:
        raise _cut_off(path) from error
    if not stream.eof or found < needed:
        raise _cut_off(path)


def _affine(path: Path, fields: dict[str, str], dimension: int) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    doubts = []
    matrix = next((fields[name] for name in ("transformmatrix", "orientation", "rotation") if name in fields), None)
    if matrix is None:
        text = (
            f"{path} does not say how its axes lie in the patient: left and right are a guess. "
            "Do not rely on sides; if you can, export the scan again with its orientation."
        )
        doubts.append(Doubt(DoubtKind.SIDES, text))
        directions = np.eye(dimension)
    else:
        directions = _floats(path, matrix, dimension**2).reshape(dimension, dimension).T
    sizes = next((fields[name] for name in ("elementspacing", "elementsize") if name in fields), None)
    if sizes is None:
        text = f"{path} gives no voxel size: 1 mm was taken, so sizes and volumes are a guess."
        doubts.append(Doubt(DoubtKind.SIZES, text))
        edges = np.ones(dimension)
    else:
        edges = _floats(path, sizes, dimension)
    origin = next((fields[name] for name in ("offset", "position", "origin") if name in fields), None)
    first = np.zeros(dimension) if origin is None else _floats(path, origin, dimension)
    scale = _MILLIMETRES.get(fields.get("distanceunits", "mm").lower())
    if scale is None:
        text = f"{path} gives lengths in {fields['distanceunits']}, which is no known unit: mm was taken."
        doubts.append(Doubt(DoubtKind.SIZES, text))
        scale = 1.0
    if np.any(edges[:3] <= 0) or not np.isfinite(edges[:3]).all():
        words = " x ".join(f"{edge:g}" for edge in edges[:3])
        raise GeometryError(
            f"The voxel spacing of {path} is {words} mm; every one must be above zero.",
            "Correct the spacing in the file (in Slicer: module Volumes, Volume Information) and save it again.",
        )
    columns = directions[:3, :3]
    if not np.isfinite(columns).all() or abs(np.linalg.det(columns)) < 1e-6:
        raise GeometryError(f"The axes of {path} do not each have a direction.", "Export the scan again.")
    affine = np.eye(4)
    affine[:3, :3] = columns / np.linalg.norm(columns, axis=0) * edges[:3] * scale
    affine[:3, 3] = first[:3] * scale
    return lps_to_ras(affine), tuple(doubts)


def _voxels(path: Path, frame: int | None) -> np.ndarray:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet():
            if frame is not None:
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
