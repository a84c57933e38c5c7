"""Weighing what overlapping windows say about the same voxel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.windows import importance_map

# Along an axis, a window that counts less than this at a voxel hardly has a say in it: others know more of it.
_LEAST_WEIGHT = 0.03


class Blend:
    """How much each window counts at each of its voxels.

    Windows stand on a regular lattice and their weights are products over the axes, so the sum of all weights at a
    voxel is a product over the axes too. The weights are normalised once, per axis: what is added up is already the
    weighted mean, and no second volume is accumulated.

    Parameters
    ----------
    shape : tuple[int, int, int]
        Voxels of the network's grid.
    window : tuple[int, int, int]
        Voxels of a window.
    boxes : list[Box]
        The windows that cover the grid (`windows.cover`): a lattice, the last axis fastest.
    device : torch.device
        Where probabilities are weighed.

    Attributes
    ----------
    cores
        For each window the part of it that counts: outside of it, it hardly has a say.
    margin_weight
        The most that windows together have to say, at any voxel, outside of their cores.
    """

    def __init__(
        self, shape: tuple[int, int, int], window: tuple[int, int, int], boxes: list[Box], device: torch.device
    ) -> None:
        factors = [
            _normalised({box[axis].start: box[axis] for box in boxes}, shape[axis], factor)
            for axis, factor in enumerate(importance_map(window))
        ]
        cores = [{start: _core(start, part) for start, part in parts.items()} for parts in factors]
        self.cores = [Box(cores[axis][side.start] for axis, side in enumerate(box)) for box in boxes]
        heard = [_heard(parts, inside, size) for parts, inside, size in zip(factors, cores, shape, strict=True)]
        self.margin_weight = 1 - math.prod(heard)
        self._factors = [
            {start: torch.from_numpy(part).to(device) for start, part in parts.items()} for parts in factors
        ]
        # The same as (windows along the axis, voxels of the grid along it), on the CPU.
        self._lattice = [_rows(parts, size) for parts, size in zip(factors, shape, strict=True)]

    def weights(self, window: Box, part: Box) -> Tensor:
        """The weights (x, y, z) of a part of a window.

        Parameters
        ----------
        window : Box
            The window's box in the grid.
        part : Box
            Box in the grid, inside the window.
        """
        x, y, z = (
            factors[whole.start][inner.start - whole.start : inner.stop - whole.start]
            for factors, whole, inner in zip(self._factors, window, part, strict=True)
        )
        return x[:, None, None] * y[:, None] * z

    def together(self, chosen: Tensor, part: Box) -> Tensor:
        """How much some windows count together at each voxel of a box of the grid; exactly zero where none reaches.

        Parameters
        ----------
        chosen : Tensor
            (windows,) bool.
        part : Box
            Box in the grid.
        """
        x, y, z = (rows[:, side] for rows, side in zip(self._lattice, part, strict=True))
        lines = chosen.view(len(x), len(y), len(z)).float() @ z
        planes = y.t() @ lines
        return (x.t() @ planes.flatten(1)).view(part.shape)

    def shares(self, values: Tensor, part: Box) -> Tensor:
        """(windows,): each window's sum of its weights times some values, (x, y, z) on a box of the grid."""
        return _folded(values, [rows[:, side] for rows, side in zip(self._lattice, part, strict=True)])

    def hold_inside(self, marks: Tensor, part: Box, least: float) -> Tensor:
        """(windows,) bool: which have a mark where they count more than `least` along each axis; (x, y, z) on a box."""
        inside = [(rows[:, side] > least).float() for rows, side in zip(self._lattice, part, strict=True)]
        return _folded(marks.float(), inside) > 0

    def touch_inside(self, cells: Tensor, side: tuple[int, int, int], least: float) -> Tensor:
        """The same for marked tiles with these sides: (x, y, z, prompts) bool gives (windows, prompts) bool."""
        touched = cells.float()
        for axis, (rows, length, count) in enumerate(zip(self._lattice, side, cells.shape, strict=False)):
            inside = F.pad(rows > least, (0, count * length - rows.shape[1])).unflatten(1, (count, length)).any(dim=2)
            touched = torch.tensordot(inside.float(), touched.movedim(axis, 0), dims=1).movedim(0, axis)
        return touched.flatten(0, 2) > 0

    def least_inside(self, threshold: float) -> float:
        """What some window's probability must exceed inside its core for the weighted mean to exceed the threshold.

        Had all windows said one outside of their cores, another must still exceed (threshold - margin_weight) /
        (1 - margin_weight); not above zero where the cores do not decide.
        """
        return (threshold - self.margin_weight) / (1 - self.margin_weight)


def _normalised(parts: dict[int, slice], size: int, factor: np.ndarray) -> dict[int, np.ndarray]:
    """For each window start, its weights along one axis divided by the sum over all starts, float32."""
    total = np.zeros(size, dtype=np.float64)
    for part in parts.values():
        total[part] += factor[: part.stop - part.start]
    return {start: (factor[: part.stop - part.start] / total[part]).astype(np.float32) for start, part in parts.items()}


def _rows(parts: dict[int, np.ndarray], size: int) -> Tensor:
    rows = torch.zeros(len(parts), size)
    for row, (start, weights) in zip(rows, sorted(parts.items()), strict=True):
        row[start : start + len(weights)] = torch.from_numpy(weights)
    return rows


def _folded(values: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """(x, y, z) summed with each product of one row per axis."""
    x, y, z = rows
    planes = (x @ values.flatten(1)).view(len(x), *values.shape[1:])
    return (y @ planes @ z.t()).flatten()


def _core(start: int, weights: np.ndarray) -> slice:
    """Where along one axis a window counts, in the grid's indices."""
    counts = np.flatnonzero(weights >= _LEAST_WEIGHT)
    return slice(start + int(counts[0]), start + int(counts[-1]) + 1)


def _heard(parts: dict[int, np.ndarray], cores: dict[int, slice], size: int) -> float:
    """The least that windows together have to say inside their cores, at any place along one axis."""
    heard = np.zeros(size)
    for start, core in cores.items():
        heard[core] += parts[start][core.start - start : core.stop - start]
    return min(float(heard.min()), 1.0)
