"""Reading the masks that a record names, one file at a time, onto the image's grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import GeometryError, SATSegmentError, ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.placing import place
from SATSegmentLib.learning.data.mask_files import MaskSource, open_npy
from SATSegmentLib.learning.data.scan_files import header_grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.masks.readers import one_structure, read_mask, whole_labels
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image


@dataclass(frozen=True, eq=False)
class MaskVoxels:
    """One label's voxels on the image's grid, KJI: those of `array` that are one of `values`.

    Attributes
    ----------
    source : MaskSource
        Which label.
    array : np.ndarray
        A mask (then `values` is (1,)), or a label map that several labels share.
    values : tuple[int, ...]
        Of the label.
    found : bool
        Whether there is any such voxel.
    """

    source: MaskSource
    array: np.ndarray
    values: tuple[int, ...]
    found: bool


def check_on_grid(sources: Sequence[MaskSource], grid: Grid) -> list[str]:
    """What is wrong with the masks' place in space; same voxels in another order are right."""
    reasons = []
    for path in dict.fromkeys(source.path for source in sources):
        first = next(source for source in sources if source.path == path)
        try:
            _place(_empty(first, grid), grid, path)
        except SATSegmentError as error:
            reasons.append(f"mask: {error.message}")
    return reasons


def read_masks(sources: Sequence[MaskSource], grid: Grid) -> Iterator[MaskVoxels]:
    """The voxels of each label. One file is open at a time.

    Raises
    ------
    SATSegmentError
        A file cannot be read, does not lie on the image's grid, or holds other values than it should.
    """
    for path in dict.fromkeys(source.path for source in sources):
        mine = [source for source in sources if source.path == path]
        if mine[0].kind == "values":
            labelmap = _read_labelmap(mine[0], grid)
            present = _checked_values(labelmap.array, mine[0])
            array = _place(labelmap, grid, path)
            for source in mine:
                yield MaskVoxels(source, array, source.values, not present.isdisjoint(source.values))
        else:
            read = _open(mine[0], grid)
            for source in mine:
                array = _place(read(source), grid, path)
                yield MaskVoxels(source, array, (1,), bool(array.any()))


def _read_labelmap(source: MaskSource, grid: Grid) -> Image:
    if source.path.suffix.lower() == ".npy":
        return Image(whole_labels(open_npy(source.path).transpose(2, 1, 0), source.path.name), grid.ijk_to_ras)
    image = read_scan(source.path)
    return Image(whole_labels(image.array, source.path.name), image.ijk_to_ras)


def _open(first: MaskSource, grid: Grid) -> Callable[[MaskSource], Image]:
    if first.kind == "segment":
        masks = open_masks(first.path)
        return lambda source: masks.read(source.segment, grid)
    if first.kind == "channel":
        channels = _read_channels(first.path, grid)
        return lambda source: _binary(channels(source.values[0]), source)
    if first.path.suffix.lower() == ".npy":
        return lambda source: _binary(_read_labelmap(source, grid), source)
    return lambda source: read_mask(source.path)


def _read_channels(path: Path, grid: Grid) -> Callable[[int], Image]:
    if path.suffix.lower() == ".npy":
        array = open_npy(path)
        return lambda number: Image(array[number].transpose(2, 1, 0), grid.ijk_to_ras)
    return lambda number: read_scan(path, frame=number)


def _binary(image: Image, source: MaskSource) -> Image:
    return one_structure(image, f'The mask of "{source.label}" in {source.path.name}')


def _checked_values(labels: np.ndarray, source: MaskSource) -> set[int]:
    """The values of a label map."""
    present = {int(value) for value in np.unique(labels)} - {0}
    unnamed = sorted(value for value in present if not 1 <= value <= source.allowed)
    if source.allowed and unnamed:
        raise ScanError(
            f"{source.path.name} holds the value {', '.join(map(str, unnamed[:8]))}, but the record lists "
            f"{source.allowed} labels, which are the values 1 to {source.allowed}.",
            'Say which value is which: "label": {"liver": 1, ...}.',
        )
    return present


def _empty(source: MaskSource, grid: Grid) -> Image:
    """An image without voxels of its own, where the file's would be."""
    if source.kind == "segment":
        return open_masks(source.path).read(source.segment, grid)
    if source.path.suffix.lower() == ".npy":
        i, j, k = open_npy(source.path).shape[-3:]
        return Image(np.broadcast_to(np.False_, (k, j, i)), grid.ijk_to_ras)
    there, _ = header_grid(source.path)
    return Image(np.broadcast_to(np.False_, there.shape_kji), there.ijk_to_ras)


def _place(mask: Image, grid: Grid, path: Path) -> np.ndarray:
    try:
        return place(mask, grid).array
    except GeometryError as error:
        there = Grid.of(mask)
        where = "in another place" if str(there) == str(grid) else f"{there}, the image {grid}"
        raise GeometryError(
            f"{path.name} does not lie on the image's grid: it is {where}.",
            "Export the mask on the image's own grid.",
        ) from error
