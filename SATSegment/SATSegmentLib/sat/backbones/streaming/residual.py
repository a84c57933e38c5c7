"""Residual blocks slab by slab: two maps of a level at once, where a plain convolution needs one.

The skip past the convolutions is not kept as a map of its own: where it is a convolution of one tap, it is computed
twice, once for the statistics of its norm and once when it is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE, ConvBlock, ResidualBlock
from SATSegmentLib.sat.backbones.streaming.norm import Moments
from SATSegmentLib.sat.backbones.streaming.slabs import computed_in, convolve, layout, ranges, slab_planes
from SATSegmentLib.sat.backbones.streaming.sources import Joined, Map, Projected, Source

# Of each of the pieces that are added up.
_PIECE_BYTES = 1 << 19


class Residual:
    """A residual block whose convolutions are done, and whose skip is still to be added.

    Parameters
    ----------
    source, skip : Source
        What the block reads, and what its skip reads: the same, or its averages where the block strides.
    block : ResidualBlock
        The layers.
    out : Tensor
        The map to make, (1, C, X, Y, Z); not the one that `source` or `skip` reads.
    """

    def __init__(self, source: Source, skip: Source, block: ResidualBlock, out: Tensor) -> None:
        norm = convolve(source, block.conv1, out)
        self._norm = convolve(Map(out, norm), block.conv2, out)
        self._skip = skip if block.skip_conv is None else Pointwise(skip, block.skip_conv, out)
        self._out = out

    def finish(self, first: int, last: int) -> Iterator[Tensor]:
        """Finish the planes [first, last) of the map, and yield each slab in the precision of the arithmetic."""
        dtype = computed_in(self._out)
        for low, high in ranges(first, last, _planes(self._out)):
            stored = self._out[:, :, low:high]
            slab = stored if stored.dtype == dtype else torch.empty_like(stored, dtype=dtype)
            for rows in _rows(stored, dtype):
                part = slab[:, :, :, rows]
                skipped = torch.empty_like(part, memory_format=layout(part.device))
                self._skip.read(slice(low, high), rows, skipped)
                F.leaky_relu_(self._norm.apply(stored[:, :, :, rows], part).add_(skipped), NEGATIVE_SLOPE)
            if slab.dtype != stored.dtype:
                stored.copy_(slab)
            yield slab

    def finish_all(self) -> Tensor:
        """Finish the whole map."""
        for _ in self.finish(0, self._out.shape[2]):
            pass
        return self._out


class Pointwise:
    """A convolution of one tap with its norm, as something to read."""

    def __init__(self, source: Source, block: ConvBlock, out: Tensor) -> None:
        dtype = computed_in(out)
        weight = block.conv.weight.flatten(1).T.float()
        bias = weight.new_zeros(weight.shape[1]) if block.conv.bias is None else block.conv.bias.float()
        product, moments = source.projected(weight.to(dtype), bias.to(dtype)), Moments()
        for low, high in ranges(0, out.shape[2], _planes(out)):
            stored = out[:, :, low:high]
            for rows in _rows(stored, dtype):
                piece = torch.empty_like(stored[:, :, :, rows], dtype=dtype, memory_format=layout(out.device))
                product.read(slice(low, high), rows, piece)
                moments.add(piece)
        norm = moments.norm(block.norm)
        # Known now, the norm is a part of the weights.
        weight, bias = weight * norm.scale, bias * norm.scale + norm.shift
        self._normalised = source.projected(weight.to(dtype), bias.to(dtype))
        self.shape = tuple(out.shape[1:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        self._normalised.read(planes, rows, into)

    def projected(self, weight: Tensor, bias: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight, bias)


class Averaged:
    """The averages of a map over blocks of `step` voxels, as something to read."""

    def __init__(self, voxels: Tensor, step: Sequence[int]) -> None:
        self._voxels, self._step = voxels, tuple(step)
        self.shape = (voxels.shape[1], *(side // one for side, one in zip(voxels.shape[2:], step, strict=True)))

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        x, y, _ = self._step
        seen = self._voxels[:, :, planes.start * x : planes.stop * x, rows.start * y : rows.stop * y]
        into.copy_(F.avg_pool3d(seen.to(into.dtype), self._step))

    def projected(self, weight: Tensor, bias: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight, bias)


def _planes(out: Tensor) -> int:
    """A fourth of a slab: both maps that are joined, their product, the skip and the sum are there at once."""
    return max(slab_planes(out) // 4, 1)


def _rows(slab: Tensor, dtype: torch.dtype) -> list[slice]:
    """Pieces of a slab along Y that stay in a core's own cache while the block is put together; one on a GPU."""
    if slab.device.type != "cpu":
        return [slice(0, slab.shape[3])]
    row_bytes = slab[0, :, :, 0].numel() * dtype.itemsize
    rows = max(_PIECE_BYTES // row_bytes, 1)
    return [slice(low, high) for low, high in ranges(0, slab.shape[3], rows)]


def decode(levels: list[Tensor], upsamplers: Sequence[nn.ConvTranspose3d], blocks: Sequence[ResidualBlock]) -> Tensor:
    """The way up through residual blocks, for one window: the finest map. `levels` is emptied on the way."""
    x = levels.pop()
    for upsample, block in zip(upsamplers, blocks, strict=True):
        level = levels.pop()
        joined = Joined(x, upsample, level, computed_in(level))
        x = Residual(joined, joined, block, torch.empty_like(level)).finish_all()
        del level, joined
    return x
