"""Reading widths and depths off tensor shapes, with errors that name what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypedDict, TypeVar

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.backbone import Shapes, Spec, Triple
from SATSegmentLib.sat.query_decoder import ATTENTION_HEADS

GET_A_NETWORK = "Use a segmentation network of the SAT family, such as nano.pth or SAT_Pro.pth."
# So many problems of a file are told; the others are counted.
_TOLD = 5

S = TypeVar("S", bound=Spec)


class HeadFields(TypedDict):
    """The fields of `Spec` that every backbone shares."""

    query_dim: int
    projection_dim: int
    decoder_layers: int
    feedforward_dim: int
    mask_dim: int


class _MissingTensor(IncompleteCheckpoint):
    """A tensor that tells a width is missing."""

    def __init__(self, message: str, remedy: str = "", tensor: str = "", dimensions: int = 0) -> None:
        super().__init__(message, remedy)
        self.tensor, self.dimensions = tensor, dimensions


def read_spec(spec: type[S], shapes: Shapes, name: str) -> S:
    """The widths of the network in the file `name`; what is missing is told at once, not one after the other.

    Raises
    ------
    IncompleteCheckpoint
        As `Spec.from_shapes`.
    """
    missing: list[str] = []
    while True:
        try:
            found = spec.from_shapes(shapes)
        except _MissingTensor as error:
            missing.append(f"{error.tensor} is missing")
            # A stand-in, only to see what else is: nothing is made of it.
            shapes = {**shapes, error.tensor: (ATTENTION_HEADS,) * error.dimensions}
            continue
        except IncompleteCheckpoint:
            if not missing:
                raise
        if missing:
            raise incomplete(name, missing, GET_A_NETWORK)
        return found


def incomplete(name: str, problems: Sequence[str], remedy: str) -> IncompleteCheckpoint:
    """The error that tells the first problems of a file, and how many more there are."""
    more = f" and {len(problems) - _TOLD} more such problems" if len(problems) > _TOLD else ""
    return IncompleteCheckpoint(f"In {name}: {'; '.join(problems[:_TOLD])}{more}.", remedy)


def head_fields(shapes: Shapes) -> HeadFields:
    """The widths of the query decoder and the layers around it.

    Raises
    ------
    IncompleteCheckpoint
        A tensor that tells a width is missing, or the width cannot be split over the attention heads.
    """
    query_dim = shape_of(shapes, "projection_layer.2.weight", 2)[0]
    if query_dim % ATTENTION_HEADS:
        raise IncompleteCheckpoint(
            f"A query of {query_dim} numbers cannot be split over {ATTENTION_HEADS} attention heads.", GET_A_NETWORK
        )
    return HeadFields(
        query_dim=query_dim,
        projection_dim=shape_of(shapes, "projection_layer.0.weight", 2)[0],
        decoder_layers=count_of(shapes, r"transformer_decoder\.layers\.(\d+)\."),
        feedforward_dim=shape_of(shapes, "transformer_decoder.layers.0.linear1.weight", 2)[0],
        mask_dim=shape_of(shapes, "mask_embed_proj.0.weight", 2)[0],
    )


def count_of(shapes: Shapes, pattern: str) -> int:
    """One more than the highest number that the pattern's group matches; 0 where nothing matches."""
    numbers = {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
    return max(numbers) + 1 if numbers else 0


def shape_of(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a tensor that must be there, with so many dimensions.

    Raises
    ------
    IncompleteCheckpoint
        It is not.
    """
    shape = shapes.get(name)
    if shape is None:
        raise _MissingTensor(f"The tensor {name} is missing.", GET_A_NETWORK, name, dimensions)
    if len(shape) != dimensions:
        raise IncompleteCheckpoint(f"The tensor {name} has the shape {tuple(shape)}.", GET_A_NETWORK)
    return shape


def kernel_of(shapes: Shapes, name: str) -> Triple:
    """The kernel of a 3-D convolution."""
    x, y, z = shape_of(shapes, name, 5)[2:]
    return (x, y, z)
