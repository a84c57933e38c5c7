"""Covering a scan with overlapping windows, and blending what each of them says."""

from __future__ import annotations

from itertools import product

import numpy as np

from SATSegmentLib.grid.box import Box


def cover(shape: tuple[int, int, int], window: tuple[int, int, int]) -> list[Box]:
    """Windows at half-window steps that cover a grid; the last along each axis is shifted inside.

    A box is smaller than the window where the grid is; the network pads it with zeros on the high side.
    """
    starts = [_starts(size, side) for size, side in zip(shape, window, strict=True)]
    return [
        Box(slice(start, min(start + side, size)) for start, side, size in zip(corner, window, shape, strict=True))
        for corner in product(*starts)
    ]


def pad_to_window(array: np.ndarray, window: tuple[int, int, int]) -> np.ndarray:
    """Zeros on the high side, up to the window's size."""
    missing = [(0, side - size) for side, size in zip(window, array.shape, strict=True)]
    return np.pad(array, missing) if any(after for _, after in missing) else np.ascontiguousarray(array)


def importance_map(window: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much a window's voxel counts where windows overlap, as three factors, one per axis.

    A Gaussian around the window's centre with an eighth of its size as standard deviation (Isensee et al.,
    2021). The weight of a voxel is the product of its three factors, in float32: in half precision a sixth
    of a window's weights would be rounded off or lost.
    """
    x, y, z = (np.exp(-0.5 * ((np.arange(side) - side // 2) / (side / 8)) ** 2).astype(np.float32) for side in window)
    return x, y, z


def _starts(size: int, side: int) -> list[int]:
    half = side // 2
    count = max(-(-size // half) - 1, 1)
    return [min(step * half, max(size - side, 0)) for step in range(count)]
