"""The contrastive loss, with more than one right answer to a text and answers that count neither way."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Temperature(nn.Module):
    """The learned temperature of a contrastive loss, kept between 1/100 and 1 (as in CLIP, Radford et al. 2021)."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(start)))

    def forward(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.log_scale.clamp(0.0, math.log(100.0)).exp()


def contrastive_loss(anchors: Tensor, candidates: Tensor, positive: Tensor, ignored: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE in both directions, with the mean over all positives of a row (Khosla et al. 2020, L_out).

    Parameters
    ----------
    anchors, candidates : Tensor
        (N, D) and (M, D) features; normalised here.
    positive : Tensor
        (N, M) bool: the candidate is a right answer to the anchor. A row without one does not count.
    ignored : Tensor
        (N, M) bool: the candidate is neither right nor wrong, and kept out of the sum.
    scale : Tensor
        1 / temperature.
    """
    scores = scale * F.normalize(anchors, dim=-1) @ F.normalize(candidates, dim=-1).T
    scores = scores.masked_fill(ignored & ~positive, float("-inf"))
    return (_one_way(scores, positive) + _one_way(scores.T, positive.T)) / 2


def _one_way(scores: Tensor, positive: Tensor) -> Tensor:
    right = positive.sum(1)
    logarithms = scores.log_softmax(1).masked_fill(~positive, 0.0).sum(1)
    asked = right > 0
    return -(logarithms[asked] / right[asked]).mean()
