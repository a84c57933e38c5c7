"""The hyper-parameters of a SAT network with a U-Mamba, read off the shapes of its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.backbone import Backbone, Shapes, Triple
from SATSegmentLib.sat.backbones.staged_spec import StagedSpec
from SATSegmentLib.sat.shapes import GET_A_NETWORK, count_of, head_fields, kernel_of, shape_of

# Of a Mamba layer (Gu and Dao, 2023), the same in every file: hidden width over width, states of a hidden channel, taps
# of its convolution, and width over the rank of its steps.
EXPANSION = 2
STATES = 16
TAPS = 4
WIDTH_OVER_RANK = 16


@dataclass(frozen=True, kw_only=True)
class UMambaSpec(StagedSpec):
    """Widths of a U-Mamba and of SAT's head.

    Parameters
    ----------
    mamba_layers : int
        How many of the coarsest stages have one.
    """

    # A Mamba layer may amplify what half precision rounds, by how much is up to its weights (Docs/performance.md).
    half_precision: ClassVar[bool] = False

    mamba_layers: int = 3

    def build(self) -> Backbone:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.umamba.module import UMamba

        return UMamba(self)

    def encode_macs(self, window: Triple) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.umamba.cost import encode_macs

        return encode_macs(self, window)

    def encode_bytes(self, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.umamba.cost import encode_bytes

        return encode_bytes(self, window, dtype, device)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """As in `Spec`."""
        stages = count_of(shapes, r"backbone\.encoder\.stages\.(\d+)\.")
        if stages < 2:
            raise IncompleteCheckpoint("The file holds no U-Mamba encoder with two stages or more.", GET_A_NETWORK)
        stems = (f"backbone.encoder.stages.{stage}.blocks.0.conv1.conv.weight" for stage in range(stages))
        upwards = [kernel_of(shapes, f"backbone.decoder.transpconvs.{step}.weight") for step in range(stages - 1)]
        layers = count_of(shapes, r"backbone\.encoder\.mamba_layers\.(\d+)\.")
        if layers > stages:
            raise IncompleteCheckpoint(f"The file holds {layers} Mamba layers for {stages} stages.", GET_A_NETWORK)
        return cls(
            features=tuple(shape_of(shapes, stem, 5)[0] for stem in stems),
            strides=((1, 1, 1), *reversed(upwards)),
            mamba_layers=layers,
            **head_fields(shapes),
        )


UMAMBA_SPEC = UMambaSpec(
    features=(64, 64, 128, 256, 512, 768),
    strides=((1, 1, 1), *((2, 2, 2),) * 5),
    query_dim=768,
    projection_dim=768,
    decoder_layers=6,
    feedforward_dim=2048,
    mask_dim=256,
)
