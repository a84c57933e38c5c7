"""Attention windows of a 3-D grid: how they are cut, shifted and masked, and which bias each pair of cells gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.swinunetr.spec import WINDOW

# What is added to the score of two cells that the shift brought together: not minus infinity.
MASKED = -100.0


def relative_position_index() -> Tensor:
    """(343, 343) int64: the row of the bias table for each pair of cells of a whole window, third axis fastest."""
    return torch.from_numpy(_relative_position_index())


@cache
def _relative_position_index() -> np.ndarray:
    cells = np.stack(np.meshgrid(*[np.arange(WINDOW)] * 3, indexing="ij")).reshape(3, -1)
    offsets = cells[:, :, None] - cells[:, None, :] + WINDOW - 1
    span = 2 * WINDOW - 1
    return (offsets[0] * span + offsets[1]) * span + offsets[2]


def window_and_shift(grid: Sequence[int], shifted: bool) -> tuple[Triple, Triple]:
    """Cells of a window, and the shift: along an axis that one window covers, its cells and 0."""
    x, y, z = (min(side, WINDOW) for side in grid)
    a, b, c = (WINDOW // 2 if shifted and side > WINDOW else 0 for side in grid)
    return (x, y, z), (a, b, c)


def partition(cells: Tensor, window: Triple, shift: Triple) -> Tensor:
    """(X, Y, Z, C) padded with zeros on the high side, rolled and cut: (windows, cells of a window, C)."""
    padding = [(-side) % size for side, size in zip(cells.shape[:3], window, strict=True)]
    cells = F.pad(cells, (0, 0, 0, padding[2], 0, padding[1], 0, padding[0]))
    if any(shift):
        cells = torch.roll(cells, [-step for step in shift], (0, 1, 2))
    x, y, z = window
    cells = cells.unflatten(2, (-1, z)).unflatten(1, (-1, y)).unflatten(0, (-1, x))
    return cells.permute(0, 2, 4, 1, 3, 5, 6).flatten(3, 5).flatten(0, 2)


def merge(windows: Tensor, grid: Triple, window: Triple, shift: Triple) -> Tensor:
    """The way back to (X, Y, Z, C), padding cut off."""
    counts = [-(-side // size) for side, size in zip(grid, window, strict=True)]
    cells = windows.view(*counts, *window, -1).permute(0, 3, 1, 4, 2, 5, 6)
    cells = cells.flatten(4, 5).flatten(2, 3).flatten(0, 1)
    if any(shift):
        cells = torch.roll(cells, shift, (0, 1, 2))
    return cells[: grid[0], : grid[1], : grid[2]]


@lru_cache(maxsize=16)
def masked_alike(grid: Triple, window: Triple, shift: Triple) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which windows are masked alike, and how.

    Returns
    -------
    list[tuple[np.ndarray, np.ndarray]]
        list of (np.ndarray, np.ndarray)
            Numbers of windows, (n,) int64, and their mask (cells, cells) float32; where the shift cuts none, zeros.
    """
    counts = [-(-side // size) for side, size in zip(grid, window, strict=True)]
    regions = np.zeros([count * size for count, size in zip(counts, window, strict=True)], np.int64)
    for axis, (size, step) in enumerate(zip(window, shift, strict=True)):
        if step:
            # Three regions: whole windows, the rest of the last one, and what was rolled in behind it.
            line = np.zeros(regions.shape[axis], np.int64)
            line[-size:-step], line[-step:] = 1, 2
            regions += 3**axis * line.reshape([-1 if one == axis else 1 for one in range(3)])
    x, y, z = window
    cut = regions.reshape(counts[0], x, counts[1], y, counts[2], z).transpose(0, 2, 4, 1, 3, 5).reshape(-1, x * y * z)
    patterns, numbers = np.unique(cut, axis=0, return_inverse=True)
    return [
        (np.flatnonzero(numbers.reshape(-1) == one), np.float32(MASKED) * (cells[:, None] != cells[None, :]))
        for one, cells in enumerate(patterns)
    ]
