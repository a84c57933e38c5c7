"""A plain 3-D U-Net.

A residual-free encoder-decoder after nnU-Net's "plain conv" blocks (Isensee et al., 2021): convolution,
instance norm, leaky ReLU. With gradients it is computed layer by layer, as written here; without, `streaming.slabs`
computes the same slab by slab, or on a GPU `streaming.whole_maps` with as few passes over memory as it can.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from SATSegmentLib.sat.backbone import Backbone, Triple
from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock, ConvStack, upsamplings
from SATSegmentLib.sat.backbones.pooling import pool
from SATSegmentLib.sat.backbones.streaming import slabs, whole_maps
from SATSegmentLib.sat.backbones.streaming.probe import convolution_rate
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec


class UNet(Backbone):
    """Encoder and decoder; returns the pooled pyramid as well, from which SAT makes its image tokens."""

    whole_on_gpu = True

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        self.encoder = Encoder(spec)
        self.decoder = Decoder(spec)
        self._spec = spec

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
        return slabs.window_by_window(x, self._stream)

    def supervised_maps(self, x: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
        """As in `Backbone`."""
        levels, pooled = self.encoder(x)
        return pooled, list(self.decoder.maps(levels))[-count:][::-1]

    def init_weights(self) -> None:
        """He's for convolutions (He et al., 2015).

        Mask embeddings pass a GELU, so they reach -0.17 at the least. Most voxels being background, logits must start
        from large features, or the first thousand steps are spent on growing them.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        finest: ConvBlock = self.decoder.stages[-1].convs[-1]  # type: ignore[assignment,index]
        nn.init.constant_(finest.norm.weight, 4.0)
        nn.init.constant_(finest.norm.bias, 2.0)

    def arrange(self) -> None:
        """As in `Backbone`."""
        whole_maps.arrange(self)

    def probe(self, window: Triple) -> float:
        """As in `Backbone`: with the layer that has most work, on a piece of its map that is tiled like the whole."""
        block, shape = self._busiest_layer(window)
        return convolution_rate(block, shape, self._spec.encode_macs(window))

    def _busiest_layer(self, window: Triple) -> tuple[ConvBlock, Triple]:
        """The convolution with most work, and the voxels of the map it makes."""
        shapes = [window]
        for stride in self._spec.strides:
            x, y, z = (side // step for side, step in zip(shapes[-1], stride, strict=True))
            shapes.append((x, y, z))
        stacks = [stage[0] for stage in self.encoder.stages] + list(self.decoder.stages)  # type: ignore[index]
        layers = [
            (block, shape)
            for stack, shape in zip(stacks, [*shapes[1:], *shapes[-2:0:-1]], strict=True)
            for block in stack.convs
            if set(block.conv.stride) == {1}
        ]
        return max(layers, key=lambda layer: layer[0].conv.weight.numel() * math.prod(layer[1]))

    def _stream(self, window: Tensor) -> tuple[Tensor, Tensor]:
        downwards = [list(stage[0].convs) for stage in self.encoder.stages]  # type: ignore[index]
        upwards = [list(stage.convs) for stage in self.decoder.stages]  # type: ignore[arg-type]
        way = slabs if window.device.type != "cuda" or self.in_slabs else whole_maps
        levels, pooled = way.encode(window, downwards)
        return pooled, way.decode(levels, list(self.decoder.transpconvs), upwards)


class Encoder(nn.Module):
    """The way down. The stem takes one channel: a scan has one, and SAT's three are copies of it."""

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        inputs = (1, *spec.features[:-1])
        sizes = zip(inputs, spec.features, spec.encoder_convs, spec.strides, strict=True)
        self.stages = nn.ModuleList(nn.Sequential(ConvStack(*size)) for size in sizes)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps of all stages, finest first, and their averages on the coarsest grid, concatenated, in float32."""
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels, pool(levels)


class Decoder(nn.Module):
    """The way up: upsample, join with the skip, convolve."""

    def __init__(self, spec: UNetSpec) -> None:
        super().__init__()
        upwards = list(reversed(spec.features))
        self.transpconvs = upsamplings(spec.features, spec.strides)
        self.stages = nn.ModuleList(
            ConvStack(2 * channels, channels, depth)
            for channels, depth in zip(upwards[1:], spec.decoder_convs, strict=True)
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
