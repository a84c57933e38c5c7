"""SwinUNETR (Hatamizadeh et al., 2022): a Swin transformer on the way down, residual convolutions on every level.

With gradients it is computed layer by layer, as written here; without, the convolutions are computed slab by slab
(`streaming.residual`) and the transformer in float32, a few windows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from SATSegmentLib.sat.backbone import COPIES, Backbone, Triple
from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock, ResidualBlock
from SATSegmentLib.sat.backbones.pooling import pool
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.probe import convolution_rate
from SATSegmentLib.sat.backbones.streaming.residual import Residual, decode
from SATSegmentLib.sat.backbones.streaming.sources import Map
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec
from SATSegmentLib.sat.backbones.swinunetr.transformer import SwinTransformer


class SwinBlockConv(ResidualBlock):
    """A residual block whose convolutions have no bias, whose norms have no weights, and whose skip is `conv3`.

    Parameters
    ----------
    in_channels, out_channels : int
        Of the block.
    stored_channels : int, optional
        Input channels in a released file, where they differ: they decide whether there is a `conv3`.
    """

    def __init__(self, in_channels: int, out_channels: int, stored_channels: int | None = None) -> None:
        super().__init__(in_channels, out_channels, (1, 1, 1), bias=False, affine=False)
        if (stored_channels or in_channels) != out_channels:
            self.conv3 = ConvBlock(in_channels, out_channels, kernel=1, bias=False, affine=False)

    @property
    def skip_conv(self) -> ConvBlock | None:
        """As in `ResidualBlock`."""
        return getattr(self, "conv3", None)


class Level(nn.Module):
    """A residual block under the name that files hold it by."""

    def __init__(self, in_channels: int, out_channels: int, stored_channels: int | None = None) -> None:
        super().__init__()
        self.layer = SwinBlockConv(in_channels, out_channels, stored_channels)


class Upwards(nn.Module):
    """A step of the decoder: upsample, join with the skip, a residual block."""

    def __init__(self, below: int, above: int) -> None:
        super().__init__()
        self.transp_conv = nn.Module()
        self.transp_conv.conv = nn.ConvTranspose3d(below, above, 2, 2, bias=False)
        self.conv_block = SwinBlockConv(2 * above, above)


class Encoder(nn.Module):
    """The transformer, and a residual block for each of its maps and for the window itself."""

    def __init__(self, spec: SwinUNETRSpec) -> None:
        super().__init__()
        self.swinViT = SwinTransformer(spec)
        self.encoder1 = Level(1, spec.feature_size, stored_channels=COPIES)
        for number, width in enumerate(spec.widths[1:], start=2):
            self.add_module(f"encoder{number}", Level(width, width))
        self._levels = len(spec.widths)

    @property
    def blocks(self) -> list[SwinBlockConv]:
        """The residual blocks of all levels, finest first."""
        return [self.get_submodule(f"encoder{number + 1}").layer for number in range(self._levels)]  # type: ignore[misc]


class SwinUNETR(Backbone):
    """Encoder and decoder; returns the pooled pyramid as well, from which SAT makes its image tokens."""

    def __init__(self, spec: SwinUNETRSpec) -> None:
        super().__init__()
        self.encoder = Encoder(spec)
        for number, (above, below) in reversed(list(enumerate(zip(spec.widths, spec.widths[1:], strict=False), 1))):
            self.add_module(f"decoder{number}", Upwards(below, above))
        self._spec = spec

    @property
    def dtype(self) -> torch.dtype:
        """The precision the maps are stored in."""
        return self.encoder.blocks[0].conv1.conv.weight.dtype

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Backbone`."""
        if not torch.is_grad_enabled():
            return slabs.window_by_window(x, self._stream)
        pooled, maps = self.supervised_maps(x, 1)
        return pooled, maps[0]

    def supervised_maps(self, x: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
        """As in `Backbone`."""
        inputs = [self.encoder.swinViT(window) for window in x]
        seen = [x, *(torch.stack(level) for level in zip(*inputs, strict=True))]
        levels = [block(level) for block, level in zip(self.encoder.blocks, seen, strict=True)]
        pooled = pool(levels)
        return pooled, list(self._maps(levels))[-count:][::-1]

    def init_weights(self) -> None:
        """He's for convolutions (He et al., 2015), narrow normal numbers in the transformer (Liu et al., 2021)."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith("relative_position_bias_table"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def probe(self, window: Triple) -> float:
        """As in `Backbone`: with the decoder's finest convolution, which has most work."""
        block = self._upwards(1).conv_block.conv1
        return convolution_rate(block, window, self._spec.encode_macs(window))

    def _upwards(self, number: int) -> Upwards:
        return self.get_submodule(f"decoder{number}")  # type: ignore[return-value]

    def _maps(self, levels: list[Tensor]) -> Iterator[Tensor]:
        """The decoder's maps, coarsest first; empties `levels`."""
        x = levels.pop()
        while levels:
            step = self._upwards(len(levels))
            x = step.conv_block.forward_pair(step.transp_conv.conv(x), levels.pop())  # type: ignore[operator]
            yield x

    def _stream(self, window: Tensor) -> tuple[Tensor, Tensor]:
        dtype = slabs.computed_in(window)
        seen = [level[None].to(window.dtype) for level in self._transform(window[0].to(dtype), dtype)]
        cells = seen[-1].shape[2:]
        levels: list[Tensor] = []
        pooled: list[Tensor] = []
        # From the coarsest: the finest map, the largest, comes when all that the others were made from is gone.
        for block in reversed(self.encoder.blocks):
            source = Map(seen.pop() if seen else window)
            out = slabs.empty(window, block.conv1.conv.out_channels, *source.shape[1:])
            residual = Residual(source, source, block, out)
            pooled.append(slabs.average(out, cells, residual.finish))
            levels.append(out)
            del residual  # and what its skip projects
        levels.reverse()
        steps = [self._upwards(number) for number in range(len(levels) - 1, 0, -1)]
        upsamplers = [step.transp_conv.conv for step in steps]
        finest = decode(levels, upsamplers, [step.conv_block for step in steps])  # type: ignore[arg-type]
        return torch.cat(pooled[::-1], dim=1), finest

    def _transform(self, window: Tensor, dtype: torch.dtype) -> list[Tensor]:
        """The transformer's maps, computed in `dtype` whatever its weights are stored in."""
        vit = self.encoder.swinViT
        if self.dtype == dtype:
            return vit(window)
        return functional_call(vit, {name: tensor.to(dtype) for name, tensor in vit.named_parameters()}, (window,))
