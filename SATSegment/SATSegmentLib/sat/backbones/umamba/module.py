"""U-Mamba (Ma et al., 2024), as SAT uses it: a residual U-Net with Mamba layers on its coarsest stages.

With gradients it is computed layer by layer, as written here; without, the convolutions are computed slab by slab
(`streaming.residual`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from SATSegmentLib.sat.backbone import Backbone, Triple
from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock, ConvStack, ResidualBlock, upsamplings
from SATSegmentLib.sat.backbones.pooling import average, pool
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.probe import convolution_rate
from SATSegmentLib.sat.backbones.streaming.residual import Averaged, Residual, decode
from SATSegmentLib.sat.backbones.streaming.sources import Map, Source
from SATSegmentLib.sat.backbones.umamba.mamba import Mamba, MambaLayer
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec


class UMambaBlock(ResidualBlock):
    """A residual block whose skip is an average over the stride and a convolution, each where it is needed."""

    def __init__(self, in_channels: int, out_channels: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__(in_channels, out_channels, stride, bias=True, affine=True)
        layers: list[nn.Module] = [nn.AvgPool3d(stride, stride)] if set(stride) != {1} else []
        if in_channels != out_channels:
            layers.append(ConvBlock(in_channels, out_channels, kernel=1, bias=False))
        self.skip = nn.Sequential(*layers)

    @property
    def skip_conv(self) -> ConvBlock | None:
        """As in `ResidualBlock`."""
        return next((layer for layer in self.skip if isinstance(layer, ConvBlock)), None)


class Stage(nn.Module):
    """A residual block under the name that files hold it by."""

    def __init__(self, in_channels: int, out_channels: int, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.blocks = nn.Sequential(UMambaBlock(in_channels, out_channels, stride))

    @property
    def block(self) -> UMambaBlock:
        """The residual block."""
        return self.blocks[0]  # type: ignore[return-value]


class Encoder(nn.Module):
    """The way down. The stem takes one channel: a scan has one, and SAT's three are copies of it."""

    def __init__(self, spec: UMambaSpec) -> None:
        super().__init__()
        self.stem = ConvStack(1, spec.features[0], 1)
        inputs = (spec.features[0], *spec.features[:-1])
        self.stages = nn.ModuleList(Stage(*sizes) for sizes in zip(inputs, spec.features, spec.strides, strict=True))
        self._first = len(spec.features) - spec.mamba_layers
        self.mamba_layers = nn.ModuleList(MambaLayer(width) for width in spec.features[self._first :])

    def mamba_after(self, stage: int) -> nn.Module | None:
        """The Mamba layer behind a stage, if it has one."""
        return self.mamba_layers[stage - self._first] if stage >= self._first else None

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of all stages, finest first."""
        x = self.stem(x)
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage.block(x)  # type: ignore[operator]
            if (mamba := self.mamba_after(number)) is not None:
                x = mamba(x)
            levels.append(x)
        return levels


class Decoder(nn.Module):
    """The way up: upsample, join with the skip, a residual block."""

    def __init__(self, spec: UMambaSpec) -> None:
        super().__init__()
        upwards = list(reversed(spec.features))
        self.transpconvs = upsamplings(spec.features, spec.strides)
        self.stages = nn.ModuleList(Stage(2 * channels, channels) for channels in upwards[1:])

    def maps(self, levels: list[Tensor]) -> Iterator[Tensor]:
        """The maps of all stages, coarsest first; empties `levels`."""
        x = levels.pop()
        for upsample, stage in zip(self.transpconvs, self.stages, strict=True):
            x = stage.block.forward_pair(upsample(x), levels.pop())  # type: ignore[operator,union-attr]
            yield x


class UMamba(Backbone):
    """Encoder and decoder; returns the pooled pyramid as well, from which SAT makes its image tokens."""

    def __init__(self, spec: UMambaSpec) -> None:
        super().__init__()
        self.encoder = Encoder(spec)
        self.decoder = Decoder(spec)
        self._spec = spec

    @property
    def dtype(self) -> torch.dtype:
        """The precision the maps are stored in."""
        return self.encoder.stem.convs[0].conv.weight.dtype  # type: ignore[union-attr,return-value]

    def set_precision(self, dtype: torch.dtype) -> None:
        """As in `Backbone`; Mamba layers stay in float32."""
        exempt = set(self.encoder.mamba_layers.parameters())
        for parameter in self.parameters():
            if parameter not in exempt:
                parameter.data = parameter.data.to(dtype)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As in `Backbone`."""
        if not torch.is_grad_enabled():
            return slabs.window_by_window(x, self._stream)
        pooled, maps = self.supervised_maps(x, 1)
        return pooled, maps[0]

    def supervised_maps(self, x: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
        """As in `Backbone`."""
        levels = self.encoder(x)
        pooled = pool(levels)
        return pooled, list(self.decoder.maps(levels))[-count:][::-1]

    def init_weights(self) -> None:
        """He's for convolutions (He et al., 2015), Mamba's own in its layers; large features, as the U-Net's."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Mamba):
                module.init_weights()
        finest: Stage = self.decoder.stages[-1]  # type: ignore[assignment]
        nn.init.constant_(finest.block.conv2.norm.weight, 4.0)
        nn.init.constant_(finest.block.conv2.norm.bias, 2.0)

    def probe(self, window: Triple) -> float:
        """As in `Backbone`: with the decoder's finest convolution, which has most work."""
        finest: Stage = self.decoder.stages[-1]  # type: ignore[assignment]
        return convolution_rate(finest.block.conv1, window, self._spec.encode_macs(window))

    def _stream(self, window: Tensor) -> tuple[Tensor, Tensor]:
        stem: ConvBlock = self.encoder.stem.convs[0]  # type: ignore[assignment]
        x = slabs.empty(window, stem.conv.out_channels, *window.shape[2:])
        source = Map(x, slabs.convolve(Map(window), stem, x))
        cells = [side // step for side, step in zip(window.shape[2:], self._spec.downsampling, strict=True)]
        levels: list[Tensor] = []
        pooled: list[Tensor] = []
        skip: Source = source
        for number, stage in enumerate(self.encoder.stages):
            block: UMambaBlock = stage.block  # type: ignore[assignment]
            if number:
                source = Map(x)
                skip = Averaged(x, block.stride) if set(block.stride) != {1} else source
            shape = [side // step for side, step in zip(x.shape[2:], block.stride, strict=True)]
            out = slabs.empty(window, block.conv1.conv.out_channels, *shape)
            residual = Residual(source, skip, block, out)
            if (mamba := self.encoder.mamba_after(number)) is not None:
                out.copy_(mamba(residual.finish_all()))
                pooled.append(average(out, cells))
            else:
                pooled.append(slabs.average(out, cells, residual.finish))
            levels.append(x := out)
            del residual, source, skip
        upwards = [stage.block for stage in self.decoder.stages]
        finest = decode(levels, list(self.decoder.transpconvs), upwards)  # type: ignore[arg-type]
        return torch.cat(pooled, dim=1), finest
