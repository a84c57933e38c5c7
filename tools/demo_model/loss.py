"""SAT's training loss: binary cross-entropy and soft Dice, per structure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def segmentation_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the structures of BCE + Dice.

    Parameters
    ----------
    logits, target: (B, N, X, Y, Z) float32; the target is 0 or 1.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum((2, 3, 4))
    total = probability.sum((2, 3, 4)) + target.sum((2, 3, 4))
    # One voxel of smoothing, for structures outside the window; more would excuse the smallest from being found.
    dice = (2 * overlap + 1) / (total + 1)
    return cross_entropy + (1 - dice).mean()
