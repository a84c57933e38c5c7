"""The image half of SAT: a plain 3-D U-Net, written to hold as little as possible at a time.

A residual-free encoder-decoder after nnU-Net's "plain conv" blocks (Isensee et al., 2021): convolution,
instance norm, leaky ReLU. Two things differ in how it is computed, not in what: norm and activation work in
place, and the concatenation of a skip with the upsampled map is never made, because a convolution of a
concatenation is the sum of two convolutions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.architecture import Architecture, Triple

_NEGATIVE_SLOPE = 0.01
_KERNEL = 3


class ConvBlock(nn.Module):
    """Convolution, instance norm, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, _KERNEL, stride=stride, padding=_KERNEL // 2)
        self.norm = nn.InstanceNorm3d(out_channels, eps=1e-5, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, X, Y, Z) to (B, out, X/stride, Y/stride, Z/stride)."""
        return F.leaky_relu_(self.norm(self.conv(x)), _NEGATIVE_SLOPE)

    def forward_pair(self, upsampled: Tensor, skip: Tensor) -> Tensor:
        """The same for the concatenation of two maps, without making it."""
        left, right = self.conv.weight.split([upsampled.shape[1], skip.shape[1]], dim=1)
        summed = F.conv3d(upsampled, left, self.conv.bias, padding=_KERNEL // 2)
        summed += F.conv3d(skip, right, padding=_KERNEL // 2)
        return F.leaky_relu_(self.norm(summed), _NEGATIVE_SLOPE)


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


class UNet(nn.Module):
    """Encoder and decoder; returns the pooled pyramid as well, from which SAT makes its image tokens."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.encoder = Encoder(architecture)
        self.decoder = Decoder(architecture)

    @property
    def dtype(self) -> torch.dtype:
        """The precision the convolutions run in."""
        return self.encoder.stages[0][0].convs[0].conv.weight.dtype  # type: ignore[index]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features of all levels (B, sum of features, cells...) and the finest map (B, C, X, Y, Z)."""
        levels, pooled = self.encoder(x)
        return pooled, self.decoder(levels)


class Encoder(nn.Module):
    """The way down. The stem takes one channel: a scan has one, and SAT's three are copies of it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        inputs = (1, *architecture.features[:-1])
        sizes = zip(inputs, architecture.features, architecture.encoder_convs, architecture.strides, strict=True)
        self.stages = nn.ModuleList(nn.Sequential(ConvStack(*size)) for size in sizes)
        self._strides = architecture.strides

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps of all stages, finest first, and their averages on the coarsest grid, concatenated, in float32."""
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels, torch.cat([_pool(level, x.shape[2:]) for level in levels], dim=1)


def _pool(level: Tensor, cells: torch.Size) -> Tensor:
    """Average over the voxels of each cell: (B, C, X, Y, Z) to (B, C, *cells), summed in float32."""
    for axis, count in zip((2, 4, 6), cells, strict=True):
        level = level.unflatten(axis, (count, -1))
    return level.mean(dim=(3, 5, 7), dtype=torch.float32)


class Decoder(nn.Module):
    """The way up: upsample, join with the skip, convolve."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        upwards = list(reversed(architecture.features))
        strides = list(reversed(architecture.strides))[:-1]
        self.transpconvs = nn.ModuleList(
            nn.ConvTranspose3d(below, above, stride, stride)
            for below, above, stride in zip(upwards, upwards[1:], strides, strict=False)
        )
        self.stages = nn.ModuleList(
            ConvStack(2 * channels, channels, depth)
            for channels, depth in zip(upwards[1:], architecture.decoder_convs, strict=True)
        )

    def forward(self, levels: list[Tensor]) -> Tensor:
        """The finest map. `levels` is emptied on the way, so that each map is freed once it was used."""
        x = levels.pop()
        for upsample, stage in zip(self.transpconvs, self.stages, strict=True):
            first, *rest = stage.convs  # type: ignore[misc]
            x = first.forward_pair(upsample(x), levels.pop())
            for block in rest:
                x = block(x)
        return x
