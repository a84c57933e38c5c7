"""Attention windows of a 3-D grid: how they are cut, shifted and masked, and which bias each pair of cells gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.swinunetr.spec import WINDOW

# What is added to the score of two cells that the shift brought together: not minus infinity.
MASKED = -100.0


@cache
def relative_position_index() -> Tensor:
    """(343, 343) int64: the row of the bias table for each pair of cells of a whole window, third axis fastest."""
    side = torch.arange(WINDOW, device="cpu")
    cells = torch.stack(torch.meshgrid(side, side, side, indexing="ij")).flatten(1)
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


def masks(grid: Triple, window: Triple, shift: Triple) -> tuple[Tensor, list[Tensor]]:
    """Which windows are masked alike, and how.

    Returns
    -------
    Tensor
        (windows,) int64, the number of each window's mask.
    list of Tensor
        Masks (cells, cells) float32; a window that the shift did not cut gets zeros.
    """
    padded = [-(-side // size) * size for side, size in zip(grid, window, strict=True)]
    regions = torch.zeros(*padded, 1, dtype=torch.int64, device="cpu")
    for axis, (size, step) in enumerate(zip(window, shift, strict=True)):
        if step:
            # Three regions: whole windows, the rest of the last one, and what was rolled in behind it.
            line = torch.zeros(padded[axis], dtype=torch.int64, device="cpu")
            line[-size:-step], line[-step:] = 1, 2
            shape = [1, 1, 1, 1]
            shape[axis] = -1
            regions += 3**axis * line.view(shape)
    patterns, numbers = torch.unique(partition(regions, window, (0, 0, 0))[..., 0], dim=0, return_inverse=True)
    return numbers, [MASKED * (one[:, None] != one[None, :]).float() for one in patterns]
