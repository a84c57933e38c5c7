"""The hyper-parameters of a SAT network with a plain U-Net, read off the shapes of its tensors.

SAT-Nano, SAT-Pro and every smaller network are one family: what differs is written in their tensors,
so nothing has to be configured, and a file that is not of the family is noticed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.backbone import Backbone, Shapes, Triple
from SATSegmentLib.sat.backbones.staged_spec import StagedSpec
from SATSegmentLib.sat.shapes import GET_A_NETWORK, count_of, head_fields, kernel_of, shape_of

_HALVED = ((1, 1, 1), *((2, 2, 2),) * 5)


@dataclass(frozen=True, kw_only=True)
class UNetSpec(StagedSpec):
    """Widths and depths of a U-Net and of SAT's head.

    Parameters
    ----------
    encoder_convs, decoder_convs : tuple of int
        Convolutions per stage; the decoder's from the bottleneck upwards.
    """

    encoder_convs: tuple[int, ...]
    decoder_convs: tuple[int, ...]

    def build(self) -> Backbone:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.unet.module import UNet

        return UNet(self)

    def encode_macs(self, window: Triple) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.unet.cost import encode_macs

        return encode_macs(self, window)

    def encode_bytes(self, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.unet.cost import encode_bytes

        return encode_bytes(self, window, dtype, device)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """As in `Spec`."""
        stages = count_of(shapes, r"backbone\.encoder\.stages\.(\d+)\.")
        if stages < 2:
            raise IncompleteCheckpoint("The file holds no U-Net encoder with two stages or more.", GET_A_NETWORK)
        encoder_convs = (
            count_of(shapes, rf"backbone\.encoder\.stages\.{stage}\.0\.convs\.(\d+)\.") for stage in range(stages)
        )
        decoder_convs = (
            count_of(shapes, rf"backbone\.decoder\.stages\.{stage}\.convs\.(\d+)\.") for stage in range(stages - 1)
        )
        upwards = [kernel_of(shapes, f"backbone.decoder.transpconvs.{step}.weight") for step in range(stages - 1)]
        stems = (f"backbone.encoder.stages.{stage}.0.convs.0.conv.weight" for stage in range(stages))
        return cls(
            features=tuple(shape_of(shapes, stem, 5)[0] for stem in stems),
            strides=((1, 1, 1), *reversed(upwards)),
            encoder_convs=tuple(encoder_convs),
            decoder_convs=tuple(decoder_convs),
            **head_fields(shapes),
        )


NANO = UNetSpec(
    features=(64, 64, 128, 256, 512, 768),
    strides=_HALVED,
    encoder_convs=(2,) * 6,
    decoder_convs=(2,) * 5,
    query_dim=768,
    projection_dim=768,
    decoder_layers=6,
    feedforward_dim=2048,
    mask_dim=256,
)

PRO = UNetSpec(
    features=(128, 128, 256, 512, 1024, 1536),
    strides=_HALVED,
    encoder_convs=(3,) * 6,
    decoder_convs=(3,) * 5,
    query_dim=768,
    projection_dim=1536,
    decoder_layers=6,
    feedforward_dim=2048,
    mask_dim=384,
)
