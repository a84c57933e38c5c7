"""Slicer's segmentation files (.seg.nrrd) in: those of any Slicer since 4.10, and this program's own.

Read by pynrrd and not by slicerio, which knows two of NRRD's spaces only. Files of Slicer 4.10 have no label values,
but a channel for each segment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import check_axes, lps_to_ras
from SATSegmentLib.scans.nrrd_data import read_values
from SATSegmentLib.types import Image

_NOT_FOUND = "SATSegment.NotFound"
_GEOMETRY = "Reference image geometry"
_FIELD = re.compile(r"Segment(\d+)_(\w+)")
# What each of NRRD's anatomical spaces has to be multiplied with to give LPS.
# The format's short names.
_SPACES = {
    "ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"
}  # fmt: skip
_TO_LPS = {
    "left": (1, 1), "right": (-1, 1), "anterior": (-1, 2), "posterior": (1, 2), "superior": (1, 3), "inferior": (-1, 3),
}  # fmt: skip


@dataclass(frozen=True)
class SegmentNames:
    """Names of the segments in a file, and of those that were looked for and not found."""

    names: tuple[str, ...]
    not_found: tuple[str, ...]


@dataclass(frozen=True)
class _Segment:
    layer: int
    value: int


def segmentation_names(path: Path) -> SegmentNames:
    """The segments of a .seg.nrrd; reads the header only.

    Raises
    ------
    ScanError
        Damaged, or two segments of one name.
    """
    header = _header(path)
    names = list(_segments(header, path))
    not_found = [name for name in header.get(_NOT_FOUND, "").split("|") if name and name not in names]
    return SegmentNames(tuple(names), tuple(dict.fromkeys(not_found)))


def open_segmentation(path: Path) -> Callable[[str], Image]:
    """Reader of single segments, each on the grid of the scan that was segmented.

    The file holds only the box around its segments. The scan's grid comes from the header; where that is missing, or
    does not fit the box (an oversampled segmentation), the box itself is the grid.
    """
    header = _header(path)
    segments = _segments(header, path)
    layers = _voxels(path, header)
    box_affine = _ijk_to_ras(header, path)
    whole = _whole_grid(header, box_affine, layers.shape[1:])

    def read(name: str) -> Image:
        part: np.ndarray
        if name not in segments:  # looked for and not found
            part = np.zeros(layers.shape[1:], bool)
        else:
            part = layers[segments[name].layer] == segments[name].value
        if whole is None:
            return Image(part.T, box_affine)
        shape_ijk, first, affine = whole
        canvas: np.ndarray = np.zeros(shape_ijk, bool)
        canvas[tuple(slice(a, a + n) for a, n in zip(first, part.shape, strict=True))] = part
        return Image(canvas.T, affine)

    return read


def _header(path: Path) -> dict[str, Any]:
    import nrrd

    logging.getLogger("nrrd").setLevel(logging.ERROR)
    try:
        header: dict[str, Any] = dict(nrrd.read_header(str(path)))
        return header | _texts(path)
    except FileNotFoundError as error:
        raise ScanError(f"There is no file {path}.", "Check the name.") from error
    except Exception as error:  # pynrrd raises whatever its parsers stumble over
        raise _damaged(path) from error


def _texts(path: Path) -> dict[str, str]:
    """All key/value pairs: Slicer writes UTF-8, of which pynrrd silently drops all but ASCII."""
    pairs: dict[str, str] = {}
    with path.open("rb") as stream:
        for line in stream:
            if not line.strip():  # the header ends with an empty line
                break
            key, divider, value = line.decode("utf-8").rstrip("\r\n").partition(":=")
            if divider:
                pairs[key] = value.strip()
    return pairs


def _segments(header: Mapping[str, Any], path: Path) -> dict[str, _Segment]:
    fields: dict[int, dict[str, str]] = {}
    for key, value in header.items():
        if match := _FIELD.fullmatch(key):
            fields.setdefault(int(match[1]), {})[match[2]] = str(value)
    several = len(header["sizes"]) == 4
    found: dict[str, _Segment] = {}
    for place, number in enumerate(sorted(fields)):
        one = fields[number]
        name = one.get("Name") or one.get("ID") or f"Segment_{number + 1}"
        if name in found:
            raise ScanError(f'{path} holds more than one segment named "{name}".', "Rename or remove one of them.")
        try:
            # Slicer 4.10 wrote neither: a channel for each segment, 1 inside.
            layer = int(one.get("Layer", place if several and "LabelValue" not in one else 0))
            found[name] = _Segment(layer, int(one.get("LabelValue", 1)))
        except ValueError as error:
            raise _damaged(path) from error
    return found


def _voxels(path: Path, header: Mapping[str, Any]) -> np.ndarray:
    """(layer, I, J, K)."""
    import nrrd

    try:
        with path.open("rb") as stream:
            plain = nrrd.read_header(stream)
            begin = stream.tell()
        voxels: np.ndarray = read_values(path, plain, begin).T
    except ScanError:
        raise
    except Exception as error:  # pynrrd raises whatever its parsers stumble over
        raise _damaged(path) from error
    kinds = [str(kind) for kind in header.get("kinds", [])]
    if voxels.ndim == 3:
        return voxels[None]
    if voxels.ndim != 4 or (kinds and kinds[0] == "domain"):
        raise ScanError(
            f"{path} holds {voxels.ndim} axes in an order that is not Slicer's.", "Save it again in Slicer."
        )
    return voxels


def _ijk_to_ras(header: Mapping[str, Any], path: Path) -> np.ndarray:
    space = str(header.get("space", "")).strip()
    words = _SPACES.get(space.lower(), space.lower()).split("-")
    signs = [_TO_LPS[word] for word in words[:3]] if len(words) == 3 and set(words) <= set(_TO_LPS) else []
    if [axis for _, axis in signs] != [1, 2, 3]:
        raise GeometryError(
            f'{path} says its space is "{space}", in which left and right are not known.', "Save it again in Slicer."
        )
    try:
        directions = np.array(header["space directions"], float)[-3:]
        origin = np.array(header["space origin"], float)
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path) from error
    check_axes(directions.T, np.linalg.norm(directions, axis=1), path)
    to_lps = np.diag([float(sign) for sign, _ in signs])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = to_lps @ directions.T, to_lps @ origin
    return lps_to_ras(affine)


def _whole_grid(
    header: Mapping[str, Any], box_affine: np.ndarray, box_shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray] | None:
    """The scan's shape (IJK), where the box begins in it, and its affine; None where the header does not say."""
    parameters = (entry.split("|") for entry in str(header.get("Segmentation_ConversionParameters", "")).split("&"))
    values = next((entry[1] for entry in parameters if len(entry) > 1 and entry[0].strip() == _GEOMETRY), "")
    numbers = [float(word) for word in values.split(";") if word.strip()]
    if len(numbers) != 22:
        return None
    # Slicer writes an extent that need not begin at zero.
    affine, low, high = np.array(numbers[:16]).reshape(4, 4), np.array(numbers[16::2]), np.array(numbers[17::2])
    to_scan = np.linalg.solve(affine, box_affine) if abs(np.linalg.det(affine)) > 1e-9 else np.zeros((4, 4))
    first = np.rint(to_scan[:3, 3]).astype(int)
    shape = (high - low + 1).astype(int)
    start = first - low.astype(int)
    straight = np.allclose(to_scan[:3, :3], np.eye(3), atol=1e-3) and np.allclose(to_scan[:3, 3], first, atol=0.02)
    if not straight or np.any(start < 0) or np.any(start + box_shape > shape):
        return None
    affine[:3, 3] += affine[:3, :3] @ low
    return tuple(int(n) for n in shape), tuple(int(n) for n in start), affine


def _damaged(path: Path) -> ScanError:
    return ScanError(
        f"{path} cannot be read as a segmentation: it is damaged, or not a .seg.nrrd.", "Save it again in Slicer."
    )
