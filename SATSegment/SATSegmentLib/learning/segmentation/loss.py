"""SAT's training loss: binary cross-entropy and soft Dice of each prompt's mask."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def prompt_losses(logits: Tensor, target: Tensor, dice_smoothing: float) -> Tensor:
    """BCE + Dice of each prompt: (N,).

    Dice has squares in its denominator (Milletari et al., "V-Net", 2016). An absent prompt (a target of zeros) counts
    like any other.

    Parameters
    ----------
    logits : Tensor
        (N, V) float32.
    target : Tensor
        (N, V), of the same type: 0 or 1, or at coarser levels the share of the voxel that is filled.
    dice_smoothing : float
        Added to the numerator and the denominator of Dice.
    """
    return _PromptLosses.apply(logits, target, dice_smoothing)


class _PromptLosses(torch.autograd.Function):
    """Loss and gradient in one go.

    Full-size logits are the largest tensors of a training step: here they are gone over half as often as automatic
    differentiation would, and one tensor of their size is kept for the backward pass instead of four.
    """

    @staticmethod
    def forward(context: Any, logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
        voxels = logits.shape[1]
        entropy = F.softplus(logits).addcmul_(logits, target, value=-1).sum(1) / voxels
        probability = torch.sigmoid(logits)
        overlap = (probability * target).sum(1)
        total = (probability * probability).sum(1) + (target * target).sum(1) + smoothing
        dice = (2 * overlap + smoothing) / total
        if context.needs_input_grad[0]:
            # d dice / d logit = 2 (target - dice * probability) / total * probability (1 - probability)
            slope = torch.addcmul(probability, probability, probability, value=-1)
            slope.mul_(torch.addcmul(target, probability, dice[:, None], value=-1)).mul_((-2 / total)[:, None])
            slope.add_(probability.sub_(target), alpha=1 / voxels)
            context.save_for_backward(slope)
        return entropy + 1 - dice

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = context.saved_tensors
        return slope * gradients[0][:, None], None, None
