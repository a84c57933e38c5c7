"""The U-Net's building blocks: convolution, instance norm, leaky ReLU."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.unet.spec import Triple

NEGATIVE_SLOPE = 0.01
_KERNEL = 3


class ConvBlock(nn.Module):
    """Convolution, instance norm, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, _KERNEL, stride=stride, padding=_KERNEL // 2)
        self.norm = nn.InstanceNorm3d(out_channels, eps=1e-5, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X/stride, Y/stride, Z/stride)."""
        return F.leaky_relu_(self.norm(self.conv(x)), NEGATIVE_SLOPE)

    def forward_pair(self, upsampled: Tensor, skip: Tensor) -> Tensor:
        """The same for the concatenation of two maps, without making it."""
        left, right = self.conv.weight.split([upsampled.shape[1], skip.shape[1]], dim=1)
        summed = F.conv3d(upsampled, left, self.conv.bias, padding=_KERNEL // 2)
        summed += F.conv3d(skip, right, padding=_KERNEL // 2)
        return F.leaky_relu_(self.norm(summed), NEGATIVE_SLOPE)


class ConvStack(nn.Module):
    """Convolution blocks, one after the other; only the first may stride."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        blocks = [ConvBlock(in_channels, out_channels, stride)]
        blocks += [ConvBlock(out_channels, out_channels) for _ in range(depth - 1)]
        self.convs = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X/stride, Y/stride, Z/stride)."""
        for block in self.convs:
            x = block(x)
        return x
