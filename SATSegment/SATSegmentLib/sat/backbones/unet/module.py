"""The image half of SAT: a plain 3-D U-Net.

A residual-free encoder-decoder after nnU-Net's "plain conv" blocks (Isensee et al., 2021): convolution,
instance norm, leaky ReLU. With gradients it is computed layer by layer, as written here; without, `streaming.slabs`
computes the same slab by slab.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.unet.blocks import ConvStack
from SATSegmentLib.sat.backbones.unet.spec import Architecture
from SATSegmentLib.sat.backbones.unet.streaming import slabs


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
        """Pooled features of all levels (B, sum of features, cells...) and the finest map (B, C, X, Y, Z).

        Without gradients each window is computed slab by slab, in a fraction of the memory.
        """
        if torch.is_grad_enabled():
            levels, pooled = self.encoder(x)
            return pooled, self.decoder(levels)
        pooled, finest = zip(*(self._lean(window) for window in x.split(1)), strict=True)
        return (pooled[0], finest[0]) if len(x) == 1 else (torch.cat(pooled), torch.cat(finest))

    def _lean(self, window: Tensor) -> tuple[Tensor, Tensor]:
        downwards = [list(stage[0].convs) for stage in self.encoder.stages]  # type: ignore[index]
        upwards = [list(stage.convs) for stage in self.decoder.stages]  # type: ignore[arg-type]
        levels, pooled = slabs.encode(window, downwards)
        return pooled, slabs.decode(levels, list(self.decoder.transpconvs), upwards)  # type: ignore[arg-type]


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
        for x in self.maps(levels):
            finest = x
        return finest

    def maps(self, levels: list[Tensor]) -> Iterator[Tensor]:
        """The maps of all stages, coarsest first; empties `levels`."""
        x = levels.pop()
        for upsample, stage in zip(self.transpconvs, self.stages, strict=True):
            first, *rest = stage.convs  # type: ignore[misc]
            x = first.forward_pair(upsample(x), levels.pop())
            for block in rest:
                x = block(x)
            yield x
