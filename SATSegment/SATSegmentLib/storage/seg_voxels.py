"""The voxels of a DICOM Segmentation, on the slices that any of its segments needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from SATSegmentLib.grid.cropped_probability import LEVELS
from SATSegmentLib.storage.dicom_series import Placed

# highdicom takes channels as whole voxels of all segments: above this many bytes they go through a file.
_LARGEST_IN_MEMORY = 1 << 28


def labels_or_channels(
    placed: Sequence[Placed], slices: Sequence[int], shape: tuple[int, int, int], scratch: Path
) -> np.ndarray:
    """A label map (slice, row, column) of segment numbers, or where masks overlap one channel per segment.

    Parameters
    ----------
    placed : Sequence[Placed]
        The masks.
    slices : Sequence[int]
        The slices that are used, in order.
    shape : tuple of int
        All slices, rows and columns.
    scratch : Path
        Folder for what is too large for the memory.
    """
    rank = {index: n for n, index in enumerate(slices)}
    labels = np.zeros((len(slices), *shape[1:]), np.uint8 if len(placed) < 256 else np.uint16)
    for number, (mask, low) in enumerate(placed, start=1):
        region = labels[_box(mask, low, rank)]
        if np.logical_and(region, mask[_used(mask, low, rank)]).any():
            break
        np.copyto(region, labels.dtype.type(number), where=mask[_used(mask, low, rank)])
    else:
        return labels
    del labels
    channels = _channels((len(slices), *shape[1:], len(placed)), np.dtype(np.uint8), scratch)
    for number, (mask, low) in enumerate(placed):
        channels[(*_box(mask, low, rank), number)] = mask[_used(mask, low, rank)]
    return channels


def fractions(
    placed: Sequence[Placed], slices: Sequence[int], shape: tuple[int, int, int], scratch: Path
) -> np.ndarray:
    """Levels of probability as fractions of one, a channel per segment; parameters as `labels_or_channels`."""
    rank = {index: n for n, index in enumerate(slices)}
    channels = _channels((len(slices), *shape[1:], len(placed)), np.dtype(np.float32), scratch)
    for number, (levels, low) in enumerate(placed):
        channels[(*_box(levels, low, rank), number)] = levels[_used(levels, low, rank)] / np.float32(LEVELS)
    return channels


def _channels(shape: tuple[int, ...], dtype: np.dtype, scratch: Path) -> np.ndarray:
    if np.prod(shape, dtype=np.int64) * dtype.itemsize <= _LARGEST_IN_MEMORY:
        return np.zeros(shape, dtype)
    return np.memmap(scratch / "voxels", dtype, "w+", shape=shape)


def _used(part: np.ndarray, low: tuple[int, int, int], rank: dict[int, int]) -> np.ndarray:
    """Slices of a part that are written at all."""
    return np.array([n for n in range(len(part)) if n + low[0] in rank], int)


def _box(part: np.ndarray, low: tuple[int, int, int], rank: dict[int, int]) -> tuple[slice, slice, slice]:
    # Slices between a part's first and last one are all in use, or empty in this part and then left out for all:
    # those that are kept follow each other in the file as in the part.
    kept = [rank[n + low[0]] for n in _used(part, low, rank)]
    return (
        slice(kept[0], kept[-1] + 1),
        slice(low[1], low[1] + part.shape[1]),
        slice(low[2], low[2] + part.shape[2]),
    )
