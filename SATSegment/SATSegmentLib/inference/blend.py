"""Weighing what overlapping windows say about the same voxel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.inference.windows import Box, blend_weights


class Blend:
    """How much each window counts at each of its voxels.

    Windows stand on a regular lattice and their weights are products over the axes, so the sum of all weights at a
    voxel is a product over the axes too. The weights are normalised once, per axis: what is added up is already the
    weighted mean, and no second volume is accumulated.

    Parameters
    ----------
    shape: voxels of the network's grid.
    window: voxels of a window.
    boxes: the windows that cover the grid.
    device: where probabilities are weighed.
    """

    def __init__(
        self, shape: tuple[int, int, int], window: tuple[int, int, int], boxes: list[Box], device: torch.device
    ) -> None:
        self._factors = [
            _normalised({box[axis].start: box[axis] for box in boxes}, shape[axis], factor, device)
            for axis, factor in enumerate(blend_weights(window))
        ]

    def weights(self, window: Box, part: Box) -> Tensor:
        """The weights (x, y, z) of a part of a window.

        Parameters
        ----------
        window: the window's box in the grid.
        part: box in the grid, inside the window.
        """
        x, y, z = (
            factors[whole.start][inner.start - whole.start : inner.stop - whole.start]
            for factors, whole, inner in zip(self._factors, window, part, strict=True)
        )
        return x[:, None, None] * y[:, None] * z


def _normalised(parts: dict[int, slice], size: int, factor: np.ndarray, device: torch.device) -> dict[int, Tensor]:
    """For each window start, its weights along one axis divided by the sum over all starts."""
    total = np.zeros(size, dtype=np.float64)
    for part in parts.values():
        total[part] += factor[: part.stop - part.start]
    return {
        start: torch.from_numpy((factor[: part.stop - part.start] / total[part]).astype(np.float32)).to(device)
        for start, part in parts.items()
    }
