"""Weighing what overlapping windows say about the same voxel."""

from __future__ import annotations

import math

import numpy as np
import torch
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
        The windows that cover the grid.
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
