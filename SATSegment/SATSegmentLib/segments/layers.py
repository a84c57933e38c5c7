"""Packing masks that may overlap into as few labelmaps as a quick search finds.

Slicer keeps a segmentation as layers: in one labelmap several segments lie side by side, each with a
value of its own; segments that overlap lie in different layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.types import SegmentResult

_LARGEST_LABEL = 255  # one byte per voxel and layer


@dataclass(frozen=True, eq=False)
class Layer:
    """One labelmap with segments side by side.

    Attributes
    ----------
    labels: uint8, KJI, 0 where no segment is; a view, not contiguous in memory.
    offset_kji: index of its first voxel in the scan's array.
    members: index of each segment in the packed sequence, and its value in `labels`.
    """

    labels: np.ndarray
    offset_kji: tuple[int, int, int]
    members: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Box:
    low: tuple[int, int, int]
    high: tuple[int, int, int]  # one past the last voxel

    @staticmethod
    def of(result: SegmentResult) -> _Box:
        low = result.offset_kji
        k, j, i = (a + n for a, n in zip(low, result.packed.shape, strict=True))
        return _Box(low, (k, j, i))

    def meets(self, other: _Box) -> bool:
        return all(a < d and c < b for a, b, c, d in zip(self.low, self.high, other.low, other.high, strict=True))

    def slices(self, origin: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        k, j, i = (slice(a - o, b - o) for a, b, o in zip(self.low, self.high, origin, strict=True))
        return k, j, i


def union(boxes: Sequence[_Box]) -> _Box:
    """The smallest box around all of them."""
    low = np.min([box.low for box in boxes], axis=0)
    high = np.max([box.high for box in boxes], axis=0)
    return _Box((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))


def pack(results: Sequence[SegmentResult]) -> list[Layer]:
    """Lay each mask into the first layer where it overlaps none (first fit); empty ones are left out.

    Each layer is cropped to its members. Memory: one byte per voxel of the box around all masks and layer.
    """
    found = [(index, result, _Box.of(result)) for index, result in enumerate(results) if result.voxels]
    if not found:
        return []
    whole = union([box for _, _, box in found])
    shape = tuple(b - a for a, b in zip(whole.low, whole.high, strict=True))
    canvases: list[np.ndarray] = []
    members: list[list[tuple[int, _Box]]] = []
    for index, result, box in found:
        place, mask = box.slices(whole.low), result.mask
        number = next(
            (n for n, canvas in enumerate(canvases) if _fits(mask, box, canvas[place], members[n])),
            len(canvases),
        )
        if number == len(canvases):
            canvases.append(np.zeros(shape, np.uint8))
            members.append([])
        members[number].append((index, box))
        # Not putmask, which copies a region that is not contiguous in memory there and back.
        np.copyto(canvases[number][place], np.uint8(len(members[number])), where=mask)
    return [_cropped(canvas, whole, one) for canvas, one in zip(canvases, members, strict=True)]


def _fits(mask: np.ndarray, box: _Box, region: np.ndarray, members: list[tuple[int, _Box]]) -> bool:
    if len(members) >= _LARGEST_LABEL:
        return False
    if not any(box.meets(other) for _, other in members):
        return True
    # Structures that overlap do so near the middle of their boxes: the slices there are looked at first.
    middle = len(mask) // 2
    for k in sorted(range(len(mask)), key=lambda k: abs(k - middle)):
        if np.logical_and(region[k], mask[k]).any():
            return False
    return True


def _cropped(canvas: np.ndarray, whole: _Box, members: list[tuple[int, _Box]]) -> Layer:
    box = union([one for _, one in members])
    labels = canvas[box.slices(whole.low)]
    return Layer(labels, box.low, tuple((index, value) for value, (index, _) in enumerate(members, start=1)))
