"""Adding up what overlapping windows say about a block of prompts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.inference.windows import Box, blend_weights


class BlendedProbability:
    """Weighted mean over windows of each prompt's probability.

    Windows stand on a regular lattice and their weights are products over the axes, so the sum of all weights
    at a voxel is a product over the axes too: the weights are normalised once, per axis, and no second volume
    has to be accumulated.

    Parameters
    ----------
    shape: voxels of the network's grid.
    window: voxels of a window.
    boxes: the windows that cover the grid.
    """

    def __init__(self, shape: tuple[int, int, int], window: tuple[int, int, int], boxes: list[Box]) -> None:
        self._shape = shape
        self._factors = [
            _normalised({box[axis].start: box[axis] for box in boxes}, shape[axis], factor)
            for axis, factor in enumerate(blend_weights(window))
        ]
        self._single = len(boxes) == 1
        self._sum: Tensor | None = None

    def start(self, prompts: int) -> None:
        """Begin with a new block of prompts."""
        self._sum = None if self._single else torch.zeros((prompts, *self._shape))

    def add(self, box: Box, logits: Tensor) -> None:
        """Add one window's logits (N, x, y, z), already cropped to the box. The tensor is used up."""
        probability = logits.sigmoid_()
        if self._single:
            self._sum = probability.cpu()
            return
        for axis, (factors, part) in enumerate(zip(self._factors, box, strict=True)):
            view = [1, 1, 1, 1]
            view[axis + 1] = -1
            probability *= torch.from_numpy(factors[part.start]).to(probability.device).view(view)
        assert self._sum is not None
        self._sum[(slice(None), *box)] += probability.cpu()

    def probability(self, prompt: int) -> np.ndarray:
        """The blended probability of one prompt of the block, float32, on the network's grid."""
        assert self._sum is not None
        return self._sum[prompt].numpy()


def _normalised(parts: dict[int, slice], size: int, factor: np.ndarray) -> dict[int, np.ndarray]:
    """For each window start, its weights along one axis divided by the sum over all starts."""
    total = np.zeros(size, dtype=np.float64)
    for part in parts.values():
        total[part] += factor[: part.stop - part.start]
    return {start: (factor[: part.stop - part.start] / total[part]).astype(np.float32) for start, part in parts.items()}
