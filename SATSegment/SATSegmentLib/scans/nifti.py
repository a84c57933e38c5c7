"""What ITK does not say about a NIfTI file.

ITK reads a NIfTI file that is cut off as if the missing voxels were zero, takes a zero voxel size for
1 mm, and passes over a sheared sform where there is a qform. Each would put a confident mask in a wrong
place, so the header is looked at first. Field offsets: the NIfTI-1 and NIfTI-2 standards, nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.grid.affine import check_right_angles

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz")


@dataclass(frozen=True)
class _Header:
    dim: np.ndarray  # dim[0] is the number of dimensions, dim[1:] their lengths
    pixdim: np.ndarray  # pixdim[1:4] are the voxel edges in mm
    datatype: str  # NumPy's name of floating-point voxels; empty for all others
    oriented: bool  # whether the file says how its axes lie in the patient
    bits_per_voxel: int
    data_starts_at: int
    srow: np.ndarray | None  # 3x4 affine, where the file has one


def is_nifti(path: Path) -> bool:
    """Whether the name says that this is a NIfTI file."""
    return path.name.lower().endswith(_SUFFIXES)


def check(path: Path) -> None:
    """Refuse a NIfTI file that is cut off, or whose grid has no size or right angles.

    Raises
    ------
    ScanError: cut off, or no NIfTI at all.
    GeometryError: zero, negative or missing voxel size; sheared axes.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return  # two-file (Analyze-like) layout: the header file alone does not tell where the data end
    try:
        with _open(path) as stream:
            header = _read_header(path, stream)
            _check_grid(path, header)
            _check_voxels(path, header, stream)
    except (OSError, EOFError, zlib.error) as error:
        raise _cut_off(path) from error


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if compressed else path.open("rb")


def _read_header(path: Path, stream: gzip.GzipFile | BufferedReader) -> _Header:
    start = stream.read(540)
    for order in "<>":
        size = int(np.frombuffer(start[:4], f"{order}i4")[0]) if len(start) >= 4 else 0
        if size == 348 and len(start) >= 348:
            return _Header(
                dim=np.frombuffer(start, f"{order}i2", 8, 40),
                pixdim=np.frombuffer(start, f"{order}f4", 8, 76),
                datatype=_floats(order, int(np.frombuffer(start, f"{order}i2", 1, 70)[0])),
                oriented=bool(np.frombuffer(start, f"{order}i2", 2, 252).any()),
                bits_per_voxel=int(np.frombuffer(start, f"{order}i2", 1, 72)[0]),
                data_starts_at=int(np.frombuffer(start, f"{order}f4", 1, 108)[0]),
                srow=_srow(start, f"{order}i2", 254, f"{order}f4", 280),
            )
        if size == 540 and len(start) >= 540:
            return _Header(
                dim=np.frombuffer(start, f"{order}i8", 8, 16),
                pixdim=np.frombuffer(start, f"{order}f8", 8, 104),
                datatype=_floats(order, int(np.frombuffer(start, f"{order}i2", 1, 12)[0])),
                oriented=bool(np.frombuffer(start, f"{order}i4", 2, 344).any()),
                bits_per_voxel=int(np.frombuffer(start, f"{order}i2", 1, 14)[0]),
                data_starts_at=int(np.frombuffer(start, f"{order}i8", 1, 168)[0]),
                srow=_srow(start, f"{order}i4", 348, f"{order}f8", 400),
            )
        if size in (348, 540):
            raise _cut_off(path)
    raise ScanError(f"{path} is not a NIfTI file, whatever its name says.", "Give the scan itself.")


def _floats(order: str, code: int) -> str:
    return {16: f"{order}f4", 64: f"{order}f8"}.get(code, "")


def _srow(start: bytes, code_type: str, code_at: int, value_type: str, values_at: int) -> np.ndarray | None:
    code = int(np.frombuffer(start, code_type, 1, code_at)[0])
    return np.frombuffer(start, value_type, 12, values_at).reshape(3, 4) if code > 0 else None


def _check_grid(path: Path, header: _Header) -> None:
    dimensions = int(header.dim[0])
    if not 1 <= dimensions <= 7 or np.any(header.dim[1 : dimensions + 1] < 1):
        raise ScanError(f"The header of {path} is damaged.", "Copy or download the file again.")
    spacing = header.pixdim[1 : min(dimensions, 3) + 1].astype(float)
    if not np.all(np.isfinite(spacing)) or np.any(spacing <= 0):
        words = " x ".join(f"{s:g}" for s in spacing)
        raise GeometryError(
            f"The voxel spacing of {path} is {words} mm; every one must be above zero.",
            "Correct the voxel size in the file's header, or export the scan again.",
        )
    if not header.oriented:
        warnings.warn(
            f"{path} does not say how its axes lie in the patient: left and right are a guess. "
            "Do not rely on sides; if you can, export the scan again with its orientation.",
            SATSegmentWarning,
            stacklevel=2,
        )
    if header.srow is not None and dimensions >= 3 and np.all(np.isfinite(header.srow)):
        check_right_angles(header.srow[:, :3].astype(float))


def _check_voxels(path: Path, header: _Header, stream: gzip.GzipFile | BufferedReader) -> None:
    """The file is read once for its length, its checksum and its numbers; ITK looks at none, and makes NaN zero."""
    voxels = int(np.prod(header.dim[1 : int(header.dim[0]) + 1], dtype=object))
    size = (voxels * header.bits_per_voxel + 7) // 8
    stream.seek(header.data_starts_at)
    found = 0
    while block := stream.read(1 << 22):
        inside = block[: max(size - found, 0)]
        found += len(block)
        if header.datatype and len(inside) % np.dtype(header.datatype).itemsize == 0:
            _refuse_not_finite(path, np.frombuffer(inside, header.datatype))
    if found < size:
        raise _cut_off(path)


def _refuse_not_finite(path: Path, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ScanError(
            f"Some voxels of {path} are not numbers (NaN or infinite).",
            "Replace them, for example by the value of air, and try again.",
        )


def _cut_off(path: Path) -> ScanError:
    return ScanError(f"{path} is cut off: it ends before its last voxel.", "Copy or download it again.")
