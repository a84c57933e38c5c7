"""The GELU that a mask head ends in, as it is trained: numbers that fell below its minimum find a way back.

A mask embedding passes a GELU, which is least at -0.75 and rises again below, to zero. What is pushed down early in a
training, because a voxel feature is small or not yet of any use, lies there with as good as no gradient, and the little
there is leads further down. Where the features can grow (they end in a norm with weights) few numbers fall so far;
SwinUNETR's cannot.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Where the GELU is least.
LEAST_AT = -0.75179
# The slope that is assumed below, for numbers that are wanted larger.
_SLOPE = 0.3


def gelu_with_way_back(values: Tensor) -> Tensor:
    """`F.gelu`, with another gradient: below the minimum, what is wanted larger is made larger."""
    return _WayBack.apply(values)


class _WayBack(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        context.save_for_backward(values)
        return F.gelu(values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (values,) = context.saved_tensors
        true = torch.ops.aten.gelu_backward(gradients[0], values)
        # A descent goes against the gradient: negative ones make numbers larger.
        lost = (values < LEAST_AT) & (gradients[0] < 0)
        return torch.where(lost, gradients[0] * _SLOPE, true)
