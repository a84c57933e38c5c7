"""The hyper-parameters of a SAT network with a SwinUNETR, read off the shapes of its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.backbone import Backbone, Shapes, Spec, Triple
from SATSegmentLib.sat.shapes import GET_A_NETWORK, count_of, head_fields, shape_of

# Cells of an attention window along each axis: no tensor's shape tells it but the bias table's, 13 to the third.
WINDOW = 7
OFFSETS = (2 * WINDOW - 1) ** 3
MLP_RATIO = 4


@dataclass(frozen=True, kw_only=True)
class SwinUNETRSpec(Spec):
    """Widths and depths of a SwinUNETR and of SAT's head.

    Parameters
    ----------
    feature_size : int
        Channels of the finest map; each of the four stages of the transformer doubles them.
    depths : tuple of int
        Attention blocks of each stage.
    heads : tuple of int
        Attention heads of each stage.
    """

    feature_size: int
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)

    features_grow: ClassVar[bool] = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the six maps, from full resolution to the coarsest."""
        return (self.feature_size, *(self.feature_size << stage for stage in range(len(self.depths) + 1)))

    @property
    def channels(self) -> int:
        """As in `Spec`."""
        return self.feature_size

    @property
    def token_channels(self) -> int:
        """As in `Spec`."""
        return sum(self.widths)

    @property
    def downsampling(self) -> Triple:
        """As in `Spec`."""
        step = 2 << len(self.depths)
        return (step, step, step)

    @property
    def supervised_levels(self) -> tuple[tuple[int, Triple], ...]:
        """As in `Spec`."""
        return tuple((width, (2, 2, 2)) for width in self.widths[1:-1])

    def build(self) -> Backbone:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.swinunetr.module import SwinUNETR

        return SwinUNETR(self)

    def encode_macs(self, window: Triple) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.swinunetr.cost import encode_macs

        return encode_macs(self, window)

    def encode_bytes(self, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
        """As in `Spec`."""
        from SATSegmentLib.sat.backbones.swinunetr.cost import encode_bytes

        return encode_bytes(self, window, dtype, device)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """As in `Spec`."""
        vit = "backbone.encoder.swinViT."
        stages = count_of(shapes, r"backbone\.encoder\.swinViT\.layers(\d+)\.") - 1
        if stages < 1:
            raise IncompleteCheckpoint("The file holds no SwinUNETR encoder with a stage or more.", GET_A_NETWORK)
        depths, heads = [], []
        for stage in range(1, stages + 1):
            blocks = rf"backbone\.encoder\.swinViT\.layers{stage}\.0\.blocks\.(\d+)\."
            depths.append(count_of(shapes, blocks))
            table = f"{vit}layers{stage}.0.blocks.0.attn.relative_position_bias_table"
            offsets, count = shape_of(shapes, table, 2)
            if offsets != OFFSETS:
                raise IncompleteCheckpoint(
                    f"The tensor {table} has {offsets} rows; a window of {WINDOW} cells has {OFFSETS}.", GET_A_NETWORK
                )
            heads.append(count)
        size = shape_of(shapes, f"{vit}patch_embed.proj.weight", 5)[0]
        if any(not count or (size << stage) % count for stage, count in enumerate(heads)):
            raise IncompleteCheckpoint(f"{size} channels cannot be split over {heads} attention heads.", GET_A_NETWORK)
        return cls(feature_size=size, depths=tuple(depths), heads=tuple(heads), **head_fields(shapes))


SWINUNETR_SPEC = SwinUNETRSpec(
    feature_size=48, query_dim=768, projection_dim=768, decoder_layers=6, feedforward_dim=2048, mask_dim=256
)
