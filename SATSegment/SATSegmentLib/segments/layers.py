"""Packing masks that may overlap into as few labelmaps as a quick search finds.

Slicer keeps a segmentation as layers: in one labelmap several segments lie side by side, each with a
value of its own; segments that overlap lie in different layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.box import Box
from SATSegmentLib.types import SegmentResult

_LARGEST_LABEL = 255  # one byte per voxel and layer


@dataclass(frozen=True, eq=False)
class Layer:
    """One labelmap with segments side by side.

    Attributes
    ----------
    labels : np.ndarray
        uint8, KJI, 0 where no segment is; a view, not contiguous in memory.
    box : Box
        Where `labels` lie in the scan's array, KJI.
    members : tuple[tuple[int, int], ...]
        Index of each segment in the packed sequence, and its value in `labels`.
    """

    labels: np.ndarray
    box: Box
    members: tuple[tuple[int, int], ...]


def pack(results: Sequence[SegmentResult]) -> list[Layer]:
    """Lay each mask into the first layer where it overlaps none (first fit); empty ones are left out.

    Each layer is cropped to its members. Memory: one byte per voxel of the box around all masks and layer.
    """
    found = [(index, result) for index, result in enumerate(results) if result.voxels]
    if not found:
        return []
    whole = Box.union(result.cropped.box for _, result in found)
    canvases: list[np.ndarray] = []
    members: list[list[tuple[int, Box]]] = []
    for index, result in found:
        box, mask = result.cropped.box, result.mask
        place = box.relative_to(whole)
        number = next(
            (n for n, canvas in enumerate(canvases) if _fits(mask, box, canvas[place], members[n])),
            len(canvases),
        )
        if number == len(canvases):
            canvases.append(np.zeros(whole.shape, np.uint8))
            members.append([])
        members[number].append((index, box))
        # Not putmask, which copies a region that is not contiguous in memory there and back.
        np.copyto(canvases[number][place], np.uint8(len(members[number])), where=mask)
    return [_cropped(canvas, whole, one) for canvas, one in zip(canvases, members, strict=True)]


def _fits(mask: np.ndarray, box: Box, region: np.ndarray, members: list[tuple[int, Box]]) -> bool:
    if len(members) >= _LARGEST_LABEL:
        return False
    if all(box.intersection(other) is None for _, other in members):
        return True
    # Structures that overlap do so near the middle of their boxes: the slices there are looked at first.
    middle = len(mask) // 2
    for k in sorted(range(len(mask)), key=lambda k: abs(k - middle)):
        if np.logical_and(region[k], mask[k]).any():
            return False
    return True


def _cropped(canvas: np.ndarray, whole: Box, members: list[tuple[int, Box]]) -> Layer:
    box = Box.union(one for _, one in members)
    labels = canvas[box.relative_to(whole)]
    return Layer(labels, box, tuple((index, value) for value, (index, _) in enumerate(members, start=1)))
