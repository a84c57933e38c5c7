"""Reading masks: a file per structure, a label map, or a Slicer segmentation."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.affine import check_axes, lps_to_ras
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image

_NOT_FOUND = "SATSegment.NotFound"
_GEOMETRY = "Reference image geometry"
_SEGMENT_NAME = re.compile(r"Segment(\d+)_Name")


@dataclass(frozen=True)
class SegmentNames:
    """Names of the segments in a file, and of those that were looked for and not found."""

    names: tuple[str, ...]
    not_found: tuple[str, ...]


def read_mask(path: Path) -> Image:
    """One structure's mask: zero outside, one other value inside.

    Raises
    ------
    ScanError: the file cannot be read, or holds more than one label.
    """
    image = read_scan(path)
    inside = image.array != 0
    values = image.array[inside]
    if not np.isfinite(values).all() or (values.size and values.min() != values.max()):
        raise ScanError(
            f"{path} holds more than one value beside zero, so it is not the mask of one structure.",
            "For a label map give the table of its names; a probability map has to be thresholded first.",
        )
    return Image(inside, image.ijk_to_ras)


def open_labelmap(path: Path, table: Mapping[str, tuple[int, ...]]) -> Callable[[str], Image]:
    """Reader of single structures of a label map.

    Raises
    ------
    ScanError: the file cannot be read, holds fractions, or values that the table does not name.
    """
    image = read_scan(path)
    labels = image.array
    present = np.unique(labels)
    if not np.isfinite(present).all() or np.any(present != np.rint(present)):
        raise ScanError(f"{path} holds fractions, so it is no label map.", "Give the label map itself.")
    named = {value for values in table.values() for value in values}
    unnamed = sorted(int(value) for value in present if value and int(value) not in named)
    if unnamed:
        shown = ", ".join(map(str, unnamed[:8]))
        raise ScanError(f"The table of names does not say what {shown} is in {path}.", "Add the missing values to it.")
    return lambda name: Image(np.isin(labels, table[name]), image.ijk_to_ras)


def segmentation_names(path: Path) -> SegmentNames:
    """The segments of a .seg.nrrd; reads the header only.

    Raises
    ------
    ScanError: damaged, or two segments of one name.
    """
    content = _read(path, skip_voxels=True)
    names = [segment["name"] for segment in content["segments"]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ScanError(f'{path} holds more than one segment named "{twice}".', "Rename or remove one of them.")
    not_found = [name for name in content[_NOT_FOUND].split("|") if name and name not in names]
    return SegmentNames(tuple(names), tuple(dict.fromkeys(not_found)))


def open_segmentation(path: Path) -> Callable[[str], Image]:
    """Reader of single segments of a .seg.nrrd, each on the grid of the scan that was segmented.

    The file holds only the box around its segments. The scan's grid comes from the header; where that is missing, or
    does not fit the box (an oversampled segmentation), the box itself is the grid.
    """
    content = _read(path, skip_voxels=False)
    segments = {segment["name"]: segment for segment in content["segments"]}
    voxels = content["voxels"]
    layers = voxels if voxels.ndim == 4 else voxels[None]
    box_affine = lps_to_ras(np.asarray(content["ijkToLPS"], float))
    lengths = np.linalg.norm(box_affine[:3, :3], axis=0)
    check_axes(box_affine[:3, :3] / np.where(lengths > 0, lengths, 1), lengths)
    whole = _whole_grid(content, box_affine, layers.shape[1:])

    def read(name: str) -> Image:
        if name not in segments:  # looked for and not found
            part = np.zeros(layers.shape[1:], bool)
        else:
            segment = segments[name]
            part = layers[segment.get("layer", 0)] == segment["labelValue"]
        if whole is None:
            return Image(part.T, box_affine)
        shape_ijk, first, affine = whole
        canvas = np.zeros(shape_ijk, bool)
        canvas[tuple(slice(a, a + n) for a, n in zip(first, part.shape, strict=True))] = part
        return Image(canvas.T, affine)

    return read


def _read(path: Path, skip_voxels: bool) -> dict[str, Any]:
    import slicerio

    logging.getLogger("nrrd").setLevel(logging.ERROR)
    try:
        content: dict[str, Any] = slicerio.read_segmentation(str(path), skip_voxels=skip_voxels)
        names, content[_NOT_FOUND] = _texts(path)
        for segment, name in zip(content["segments"], names, strict=True):
            segment["name"], segment["labelValue"] = name, int(segment["labelValue"])
    except FileNotFoundError as error:
        raise ScanError(f"There is no file {path}.", "Check the name.") from error
    except Exception as error:
        # pynrrd and slicerio raise whatever their parsers stumble over.
        raise ScanError(
            f"{path} cannot be read as a segmentation: it is damaged, or not a .seg.nrrd.", "Save it again in Slicer."
        ) from error
    return content


def _texts(path: Path) -> tuple[list[str], str]:
    """Segment names by their numbers, and what was not found.

    Slicer writes UTF-8, of which pynrrd silently drops all but ASCII: a name would become another one.
    """
    names: dict[int, str] = {}
    not_found = ""
    with path.open("rb") as stream:
        for line in stream:
            if not line.strip():  # the header ends with an empty line
                break
            key, _, value = line.decode("utf-8").rstrip("\r\n").partition(":=")
            if found := _SEGMENT_NAME.fullmatch(key):
                names[int(found[1])] = value.strip()
            elif key == _NOT_FOUND:
                not_found = value
    return [names[number] for number in sorted(names)], not_found


def _whole_grid(
    content: Mapping[str, Any], box_affine: np.ndarray, box_shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray] | None:
    """The scan's shape (IJK), where the box begins in it, and its affine; None where the header does not say."""
    values = next((p["value"] for p in content.get("conversionParameters", []) if p["name"] == _GEOMETRY), "")
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
