"""Residual blocks slab by slab: two maps of a level at once, where a plain convolution needs one.

The skip past the convolutions is no third map: where it is a convolution of one tap, its outputs go over the map that
it reads, once the block's first convolution has read that too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock, ResidualBlock
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.norm import Moments
from SATSegmentLib.sat.backbones.streaming.slabs import (
    computed_in,
    convolve,
    each,
    finish,
    in_place,
    layout,
    ranges,
    slab_planes,
)
from SATSegmentLib.sat.backbones.streaming.sources import Joined, Map, Overwritable, Projected, Source
from SATSegmentLib.sat.workers import with_one_thread

# Of each of the pieces that are worked on at once.
_PIECE_BYTES = 1 << 19

Piece = tuple[slice, slice]  # planes along X, rows along Y


class Residual:
    """A residual block whose convolutions are done, and whose skip is still to be added.

    Parameters
    ----------
    source : Overwritable
        What the block reads.
    skip : Source
        What its skip reads: the same, or its averages where the block strides.
    block : ResidualBlock
        The layers.
    out : Tensor
        The map to make, (1, C, X, Y, Z); not the one that `source` or `skip` reads.
    spare : Tensor, optional
        A map like `out` for the outputs of the skip's convolution: new, or the one that `skip` reads voxel by voxel
        and nothing else needs.
    """

    def __init__(
        self, source: Overwritable, skip: Source, block: ResidualBlock, out: Tensor, spare: Tensor | None = None
    ) -> None:
        norm = convolve(source, block.conv1, out)
        if block.skip_conv is not None:
            skip = Pointwise(skip, block.skip_conv, torch.empty_like(out) if spare is None else spare)
        self._norm = convolve(Map(out, norm), block.conv2, out)
        self._skip, self._out = skip, out

    def finish(self, planes: slice, rows: slice) -> Tensor:
        """Finish planes along X and rows along Y of the map, and return them in the precision of the arithmetic."""
        return in_place(self._out[:, :, planes, rows], lambda into: self._finish((planes, rows), into))

    def finish_all(self) -> Tensor:
        """Finish the whole map."""
        finish(self._out, self.finish)
        return self._out

    def _finish(self, piece: Piece, into: Tensor) -> Tensor:
        """Normalise a piece of the map, add its skip and activate; `into` may be that piece."""
        skipped = torch.empty_like(into, memory_format=layout(into.device))
        self._skip.read(*piece, skipped)
        return F.leaky_relu_(self._norm.apply(self._out[:, :, *piece], into).add_(skipped), NEGATIVE_SLOPE)


class Pointwise:
    """A convolution of one tap with its norm, as something to read; its outputs are in `out`, (1, C, X, Y, Z)."""

    def __init__(self, source: Source, block: ConvBlock, out: Tensor) -> None:
        dtype = computed_in(out)
        weight = block.conv.weight.flatten(1).T.to(dtype)
        # What is multiplied out here are weights. The norm takes a bias off again.
        product = with_one_thread(lambda: source.projected(weight))

        def work(piece: Piece, _: None) -> Moments:
            stored, moments = out[:, :, *piece], Moments()
            part = torch.empty_like(stored, dtype=dtype, memory_format=layout(out.device))
            product.read(*piece, part)
            moments.add(part)
            stored.copy_(part)
            return moments

        moments = Moments.joined(each(out.device, _pieces(0, out.shape[2], out), work))
        self._norm, self._voxels = moments.norm(block.norm), out
        self.shape = tuple(out.shape[1:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        self._norm.apply(self._voxels[:, :, planes, rows], into)

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight)


class Averaged:
    """The averages of a map over blocks of `step` voxels, as something to read."""

    def __init__(self, voxels: Tensor, step: Sequence[int]) -> None:
        self._voxels, self._step = voxels, tuple(step)
        self.shape = (voxels.shape[1], *(side // one for side, one in zip(voxels.shape[2:], step, strict=True)))

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        x, y, _ = self._step
        seen = self._voxels[0, :, planes.start * x : planes.stop * x, rows.start * y : rows.stop * y]
        seen = seen.permute(1, 2, 3, 0).to(into.dtype)
        # Axis by axis, in whole lines: many times faster than avg_pool3d.
        for axis, step in enumerate(self._step):
            first, *others = seen.unflatten(axis, (-1, step)).unbind(axis + 1)
            seen = sum(others, first)
        into[0].copy_((seen / math.prod(self._step)).permute(3, 0, 1, 2))

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight)


def _pieces(first: int, last: int, out: Tensor) -> list[Piece]:
    """Pieces of the planes [first, last).

    On a CPU they stay in a core's own cache: of a plane, or of several where all fit. On a GPU they are slabs.
    """
    row_bytes = out[0, :, 0, 0].numel() * computed_in(out).itemsize
    planes, rows = max(_PIECE_BYTES // (row_bytes * out.shape[3]), 1), max(_PIECE_BYTES // row_bytes, 1)
    if out.device.type != "cpu":
        planes, rows = max(slab_planes(out) // 4, 1), out.shape[3]
    return [(slice(*x), slice(*y)) for x in ranges(first, last, planes) for y in ranges(0, out.shape[3], rows)]


def decode(levels: list[Tensor], upsamplers: Sequence[nn.ConvTranspose3d], blocks: Sequence[ResidualBlock]) -> Tensor:
    """The way up through residual blocks, for one window: the finest map. `levels` is emptied on the way."""
    x = levels.pop()
    for upsample, block in zip(upsamplers, blocks, strict=True):
        level = levels.pop()
        joined = Joined(x, upsample, level, computed_in(level))
        x = Residual(joined, joined, block, torch.empty_like(level), spare=level).finish_all()
        del level, joined
    return x


def block_bytes(
    inputs: int,
    outputs: int,
    stride: Triple,
    shape: Triple,
    dtype: torch.dtype,
    device: torch.device,
    upsampling: int = 0,
) -> int:
    """What a residual block that makes a map of this shape takes beside its maps; `upsampling`: of what it joins."""
    at_once = workers.count() if device.type == "cpu" else 1
    piece = min(_PIECE_BYTES, outputs * math.prod(shape) * 4)
    # What a skip is made from, before the strides average it, and its outputs; weights, and those projected.
    skip = at_once * piece * (2 + math.prod(stride) * inputs // outputs) + upsampling + 4 * inputs * outputs
    return upsampling + max(
        slabs.layer_bytes(inputs, outputs, stride, shape, False, dtype, device),
        slabs.layer_bytes(outputs, outputs, (1, 1, 1), shape, True, dtype, device),
        slabs.finish_bytes(outputs, shape, dtype, device),
        skip,
    )
