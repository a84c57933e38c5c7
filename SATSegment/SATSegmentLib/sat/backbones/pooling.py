"""From the maps of all encoder levels to the cells that become image tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def pool(levels: Sequence[Tensor]) -> Tensor:
    """Averages of all levels over the cells of the last, coarsest one: (B, sum of channels, cells...) float32."""
    cells = levels[-1].shape[2:]
    return torch.cat([average(level, cells) for level in levels], dim=1)


def average(level: Tensor, cells: Sequence[int]) -> Tensor:
    """Average over the voxels of each cell: (B, C, X, Y, Z) to (B, C, *cells), summed in float32."""
    for axis, count in zip((2, 4, 6), cells, strict=True):
        level = level.unflatten(axis, (count, -1))
    return level.mean(dim=(3, 5, 7), dtype=torch.float32)
