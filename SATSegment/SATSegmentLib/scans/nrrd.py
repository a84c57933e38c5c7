"""The headers of NRRD files: what their axes are, and where their voxels lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.scans.nrrd_data import data_files, read_values
from SATSegmentLib.scans.opened import OpenScan
from SATSegmentLib.types import Doubt, DoubtKind

# Which world axes point the other way than in RAS. Names as NRRD's format description has them.
_SPACES = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip
_MILLIMETRES = {
    **{"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0},
    **{"cm": 10.0, "centimeter": 10.0, "centimeters": 10.0, "m": 1000.0, "meter": 1000.0, "meters": 1000.0},
    **{"um": 0.001, "µm": 0.001, "m\u00b5": 0.001, "micron": 0.001, "microns": 0.001, "micrometer": 0.001},
}
_FRAME_KINDS = ("list", "time", "point")
_COLOUR_KINDS = (
    "complex", "2-vector", "3-color", "rgb-color", "hsv-color", "xyz-color", "4-color", "rgba-color", "3-vector",
    "3-gradient", "3-normal", "4-vector", "quaternion", "vector", "covariant-vector", "normal",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Axes:
    """Which of the file's axes are in space, and which one counts frames."""

    space: tuple[int, int, int]
    frame: int | None


def open_nrrd(path: Path) -> OpenScan:
    """Read and check the header.

    Raises
    ------
    ScanError
        Damaged, a segmentation, colour, complex numbers, a data file in another folder.
    GeometryError
        Axes without direction or length.
    """
    import nrrd

    try:
        with path.open("rb") as stream:
            header = nrrd.read_header(stream)
            begin = stream.tell()
        sizes = [int(n) for n in header["sizes"]]
        dimension = int(header["dimension"])
    except OSError as error:
        raise ScanError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the disk, or copy it again."
        ) from error
    except Exception as error:  # pynrrd's parsers raise whatever they stumble over
        raise ScanError(
            f"The header of {path} is damaged: {' '.join(str(error).split())[:120]}.", "Copy or download it again."
        ) from error
    if any(str(key).startswith("Segment0_") for key in header):
        raise ScanError(f"{path} holds a segmentation, not a scan.", "Give the scan it was made from.")
    if dimension != len(sizes) or min(sizes) < 1:
        raise ScanError(f"The header of {path} is damaged: its sizes do not fit its dimension.", "Copy it again.")
    data_files(path, header, begin)
    try:
        axes = _axes(path, header, sizes)
        affine, doubts = _affine(path, header, axes, sizes)
    except (ValueError, TypeError, IndexError) as error:
        raise ScanError(
            f"The header of {path} is damaged: {' '.join(str(error).split())[:120]}.", "Copy or download it again."
        ) from error
    i, j, k = (sizes[axis] for axis in axes.space)
    frames = 1 if axes.frame is None else sizes[axes.frame]

    def load(frame: int) -> np.ndarray:
        array = read_values(path, header, begin).T  # the file's own order of axes
        if axes.frame is not None:
            array = array.take(frame, axis=axes.frame)
            order = [axis - (axis > axes.frame) for axis in axes.space]
        else:
            order = list(axes.space)
        rest = [axis for axis in range(array.ndim) if axis not in order]
        array = array.transpose([*order, *rest]).reshape(i, j, k)
        return _finite(path, np.ascontiguousarray(array.T))

    return OpenScan(path, "NRRD", (i, j, k), frames, affine, doubts, load)


def _axes(path: Path, header: Mapping[str, Any], sizes: Sequence[int]) -> _Axes:
    kinds = _words(header.get("kinds", ""))
    kinds += ["???"] * (len(sizes) - len(kinds))
    directions = _directions(header)
    if directions is not None:
        space = [axis for axis, vector in enumerate(directions) if vector is not None]
    else:
        space = [axis for axis, kind in enumerate(kinds) if kind in ("domain", "space")]
        if len(space) != 3:
            unlikely = (*_FRAME_KINDS, *_COLOUR_KINDS, "scalar", "stub", "none")
            space = [axis for axis, kind in enumerate(kinds) if kind not in unlikely][:3]
    others = [axis for axis in range(len(sizes)) if axis not in space]
    for axis in others:
        if kinds[axis] == "complex" and sizes[axis] > 1:
            raise ScanError(f"{path} holds complex numbers.", "Give the magnitude image.")
        if kinds[axis] in _COLOUR_KINDS and sizes[axis] > 1:
            raise ScanError(
                f"{path} holds {sizes[axis]} values per voxel (a colour or vector image); SAT needs one.",
                "Give the scan itself rather than a colour picture of it, or turn it into grey values first.",
            )
    if len(space) < 3:
        raise ScanError(
            f"{path} is a {len(space)}-D image; SAT needs a 3-D scan.",
            "Give the whole volume; for a DICOM series, the folder that holds its slices.",
        )
    counting = [axis for axis in others if sizes[axis] > 1]
    if len(space) > 3 or len(counting) > 1:
        raise ScanError(f"{path} has {len(sizes)} dimensions; SAT needs a 3-D scan.", "Save one volume of it.")
    return _Axes((space[0], space[1], space[2]), counting[0] if counting else None)


def _directions(header: Mapping[str, Any]) -> list[np.ndarray | None] | None:
    given = header.get("space directions")
    if given is None:
        return None
    rows = [None if row is None else np.asarray(row, float) for row in given]
    rows = [None if row is None or np.isnan(row).all() else row for row in rows]
    if sum(row is not None for row in rows) <= 3:
        return rows
    # ITK gives the frames of a 4-D image a direction along a fourth axis of space.
    return [None if row is None or not row[:3].any() else row for row in rows]


def _affine(
    path: Path, header: Mapping[str, Any], axes: _Axes, sizes: Sequence[int]
) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    doubts = []
    space = str(header.get("space", "")).strip().lower().removesuffix("-time").removesuffix("t")
    signs = _SPACES.get(space)
    directions = _directions(header)
    affine = np.eye(4)
    if directions is not None:
        vectors = [directions[axis] for axis in axes.space]
        columns = np.array([np.zeros(3) if vector is None else vector[:3] for vector in vectors]).T
        scale, named = _scale(path, header.get("space units"))
        if not named:
            doubts.append(_unit_doubt(path, header.get("space units")))
    else:
        edges, first, scale, known = _edges(path, header, axes, sizes)
        if not known:
            text = "The file gives no voxel size: 1 mm was taken where it is missing, so sizes and volumes are a guess."
            doubts.append(Doubt(DoubtKind.SIZES, text))
        columns, affine[:3, 3] = np.diag(edges), first
        signs = None
    columns = columns * scale
    lengths = np.linalg.norm(columns, axis=0)
    check_spacing(lengths, path)
    if abs(np.linalg.det(columns / lengths)) < 1e-6:
        raise GeometryError(f"The axes of {path} do not each have a direction.", "Export the scan again.")
    origin = header.get("space origin")
    if origin is not None and np.isfinite(np.asarray(origin, float)).all():
        affine[:3, 3] = np.asarray(origin, float)[:3]
    if signs is None:
        text = (
            "The file does not say how its axes lie in the patient: left and right are a guess. "
            "Do not rely on sides; if you can, export the scan again with its orientation."
        )
        doubts.insert(0, Doubt(DoubtKind.SIDES, text))
        signs = _SPACES["lps"]
    affine[:3, :3] = columns
    affine[:3, 3] *= scale
    return np.diag([*signs, 1]) @ affine, tuple(doubts)


def _scale(path: Path, units: Any) -> tuple[float, bool]:
    """Millimetres in the space's unit, and whether it is a known one; all axes must have the same."""
    if units is None:
        return 1.0, True  # everybody's habit
    names = {str(unit).strip().strip('"').lower() for unit in (units if not isinstance(units, str) else units.split())}
    names.discard("")
    factors = {_MILLIMETRES.get(name) for name in names}
    if len(factors) > 1 and None not in factors:
        raise GeometryError(
            f"The axes of {path} are in different units ({', '.join(sorted(names))}).", "Save it in mm."
        )
    factor = factors.pop() if len(factors) == 1 else None
    return (1.0, not names) if factor is None else (factor, True)


def _unit_doubt(path: Path, units: Any) -> Doubt:
    text = (
        f"The file gives lengths in {units}, which is not a known unit: mm was taken, so sizes and volumes are a guess."
    )
    return Doubt(DoubtKind.SIZES, text)


def _edges(
    path: Path, header: Mapping[str, Any], axes: _Axes, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """Voxel edges, the first voxel's place and the unit, from per-axis fields; and whether the file has them all."""
    spacings = _numbers(header, "spacings", len(sizes))
    low, high = (_numbers(header, name, len(sizes)) for name in ("axis mins", "axis maxs"))
    centers = _words(header.get("centers", header.get("centerings", "")))
    edges, first, known = np.ones(3), np.zeros(3), True
    for number, axis in enumerate(axes.space):
        at_nodes = axis < len(centers) and centers[axis] == "node"
        cells = sizes[axis] - 1 if at_nodes else sizes[axis]
        if not np.isnan(spacings[axis]):  # what the format has for "not known"
            edges[number] = spacings[axis]
        elif np.isfinite([low[axis], high[axis]]).all() and cells:
            edges[number] = (high[axis] - low[axis]) / cells
        else:
            known = False
            continue
        if np.isfinite(low[axis]):
            first[number] = low[axis] + (0 if at_nodes else edges[number] / 2)
    units = header.get("units")
    scale, named = _scale(path, [units[axis] for axis in axes.space] if units is not None else None)
    check_spacing(edges * scale, path)
    return edges, first, scale, known and named


def _words(field: Any) -> list[str]:
    """A field that pynrrd gives as one text or as a list."""
    return [str(one).lower() for one in (field.split() if isinstance(field, str) else field)]


def _numbers(header: Mapping[str, Any], name: str, count: int) -> np.ndarray:
    given = header.get(name, header.get(name.replace(" ", "")))
    found = np.full(count, np.nan)
    if given is not None:
        values = np.asarray(given, float)[:count]
        found[: len(values)] = values
    return found


def _finite(path: Path, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ScanError(
            f"Some voxels of {path} are not numbers (NaN or infinite).",
            "Replace them, for example by the value of air, and try again.",
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
