"""Building blocks that backbones share: convolution, instance norm, leaky ReLU."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbone import Triple

NEGATIVE_SLOPE = 0.01


class ConvBlock(nn.Module):
    """Convolution, instance norm, leaky ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the convolution.
    stride : (int, int, int)
        Of the convolution, which is padded to keep the sides at stride 1.
    kernel : int
        Taps along each axis: 3 or 1.
    bias, affine : bool
        Whether the convolution has a bias, and the norm a weight and a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: Triple = (1, 1, 1),
        kernel: int = 3,
        bias: bool = True,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=bias)
        self.norm = nn.InstanceNorm3d(out_channels, eps=1e-5, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X/stride, Y/stride, Z/stride)."""
        return F.leaky_relu_(self.normalised(x), NEGATIVE_SLOPE)

    def normalised(self, x: Tensor) -> Tensor:
        """The same without its activation."""
        return self.norm(self.conv(x))

    def forward_pair(self, upsampled: Tensor, skip: Tensor) -> Tensor:
        """The same for the concatenation of two maps, without making it."""
        return F.leaky_relu_(self.normalised_pair(upsampled, skip), NEGATIVE_SLOPE)

    def normalised_pair(self, upsampled: Tensor, skip: Tensor) -> Tensor:
        """The same for the concatenation of two maps, without its activation."""
        left, right = self.conv.weight.split([upsampled.shape[1], skip.shape[1]], dim=1)
        padding = self.conv.padding
        summed = F.conv3d(upsampled, left, self.conv.bias, padding=padding)
        summed += F.conv3d(skip, right, padding=padding)
        return self.norm(summed)


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


class ResidualBlock(nn.Module):
    """Two convolutions and a skip past them, before the last activation.

    Subclasses name the layers of the skip as their files do: an average over the stride, then a convolution of one
    tap, each only where it is needed.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the block.
    stride : (int, int, int)
        Of the first convolution, and of the skip's average.
    bias, affine : bool
        As in `ConvBlock`.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: Triple, bias: bool, affine: bool) -> None:
        super().__init__()
        self.conv1 = ConvBlock(in_channels, out_channels, stride, bias=bias, affine=affine)
        self.conv2 = ConvBlock(out_channels, out_channels, bias=bias, affine=affine)
        self.stride = stride

    @property
    def skip_conv(self) -> ConvBlock | None:
        """The skip's convolution; None where channels stay the same."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X/stride, Y/stride, Z/stride)."""
        y = self.conv2.normalised(self.conv1(x))
        skipped = F.avg_pool3d(x, self.stride) if set(self.stride) != {1} else x
        if self.skip_conv is not None:
            skipped = self.skip_conv.normalised(skipped)
        return F.leaky_relu_(y + skipped, NEGATIVE_SLOPE)

    def forward_pair(self, upsampled: Tensor, skip: Tensor) -> Tensor:
        """The same for the concatenation of two maps, without making it."""
        assert self.skip_conv is not None
        y = self.conv2.normalised(self.conv1.forward_pair(upsampled, skip))
        return F.leaky_relu_(y + self.skip_conv.normalised_pair(upsampled, skip), NEGATIVE_SLOPE)


def upsamplings(features: Sequence[int], strides: Sequence[Triple]) -> nn.ModuleList:
    """A decoder's transposed convolutions, from the bottleneck upwards, for an encoder's widths and steps."""
    return nn.ModuleList(
        nn.ConvTranspose3d(below, above, stride, stride)
        for below, above, stride in zip(features[:0:-1], features[-2::-1], strides[:0:-1], strict=True)
    )
