"""The hyper-parameters of a SAT network, read off the shapes of its tensors.

SAT-Nano, SAT-Pro and every smaller network are one family: what differs is written in their tensors,
so nothing has to be configured, and a file that is not of the family is noticed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from SATSegmentLib.errors import IncompleteCheckpoint

Triple = tuple[int, int, int]

# Not in any tensor's shape: the released networks all use eight heads.
ATTENTION_HEADS = 8


@dataclass(frozen=True)
class Architecture:
    """Widths and depths of one network.

    Attributes
    ----------
    features: channels of each U-Net stage, from full resolution to the bottleneck.
    strides: step of each stage's first convolution, per axis; the first is (1, 1, 1).
    encoder_convs, decoder_convs: convolutions per stage; the decoder's from the bottleneck upwards.
    query_dim: length of a text query, and of an image token.
    projection_dim: hidden width between the pooled features and the image tokens.
    decoder_layers, feedforward_dim: depth and hidden width of the query decoder.
    mask_dim: hidden width between a decoded query and its mask embedding.
    """

    features: tuple[int, ...]
    strides: tuple[Triple, ...]
    encoder_convs: tuple[int, ...]
    decoder_convs: tuple[int, ...]
    query_dim: int
    projection_dim: int
    decoder_layers: int
    feedforward_dim: int
    mask_dim: int

    @property
    def downsampling(self) -> Triple:
        """Voxels per image token along each axis; a window's sides are multiples of it."""
        return tuple(math.prod(stride[axis] for stride in self.strides) for axis in range(3))  # type: ignore[return-value]

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> Architecture:
        """Infer the architecture from tensor names (without `module.`) and shapes.

        Raises
        ------
        IncompleteCheckpoint: a tensor that tells a width is missing, or widths contradict each other.
        """
        stages = _count(shapes, r"backbone\.encoder\.stages\.(\d+)\.")
        if stages < 2:
            raise IncompleteCheckpoint("The file holds no U-Net encoder with two stages or more.", _GET_A_NETWORK)
        encoder_convs = tuple(
            _count(shapes, rf"backbone\.encoder\.stages\.{stage}\.0\.convs\.(\d+)\.") for stage in range(stages)
        )
        decoder_convs = tuple(
            _count(shapes, rf"backbone\.decoder\.stages\.{stage}\.convs\.(\d+)\.") for stage in range(stages - 1)
        )
        upwards = [_triple(shapes, f"backbone.decoder.transpconvs.{step}.weight") for step in range(stages - 1)]
        architecture = cls(
            features=tuple(
                _shape(shapes, f"backbone.encoder.stages.{stage}.0.convs.0.conv.weight", 5)[0]
                for stage in range(stages)
            ),
            strides=((1, 1, 1), *reversed(upwards)),
            encoder_convs=encoder_convs,
            decoder_convs=decoder_convs,
            query_dim=_shape(shapes, "projection_layer.2.weight", 2)[0],
            projection_dim=_shape(shapes, "projection_layer.0.weight", 2)[0],
            decoder_layers=_count(shapes, r"transformer_decoder\.layers\.(\d+)\."),
            feedforward_dim=_shape(shapes, "transformer_decoder.layers.0.linear1.weight", 2)[0],
            mask_dim=_shape(shapes, "mask_embed_proj.0.weight", 2)[0],
        )
        if architecture.query_dim % ATTENTION_HEADS:
            raise IncompleteCheckpoint(
                f"A query of {architecture.query_dim} numbers cannot be split over {ATTENTION_HEADS} attention heads.",
                _GET_A_NETWORK,
            )
        return architecture


_GET_A_NETWORK = "Use a SAT segmentation network such as nano.pth or SAT_Pro.pth."


def _count(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> int:
    numbers = {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
    return max(numbers) + 1 if numbers else 0


def _shape(shapes: Mapping[str, tuple[int, ...]], name: str, dimensions: int) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None:
        raise IncompleteCheckpoint(f"The tensor {name} is missing.", _GET_A_NETWORK)
    if len(shape) != dimensions:
        raise IncompleteCheckpoint(f"The tensor {name} has the shape {tuple(shape)}.", _GET_A_NETWORK)
    return shape


def _triple(shapes: Mapping[str, tuple[int, ...]], name: str) -> Triple:
    x, y, z = _shape(shapes, name, 5)[2:]
    return (x, y, z)
