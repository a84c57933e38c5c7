"""The U-Net for inference, slab by slab: one full-resolution map at a time, at the speed of its convolutions.

None of this changes what is computed:

* Every layer walks through its map in slabs along X that stay in the processor's cache. A buffer holds the slab
  with one plane of halo on each side; its last two planes are the next slab's first. What was read is never read
  again, so a convolution with as many outputs as inputs writes over its own input: one map instead of two.
* Instance norm needs statistics of the whole window before the first voxel can be normalised. They are gathered
  while each output slab is still in the cache, and applied (with the activation) when the next layer reads it.
* In the decoder neither the upsampled map nor its concatenation with the skip is made: a slab of both is, and the
  convolution's output goes where the skip was.

Maps are stored in the network's precision; on a processor with the channels of a voxel next to each other (channels
last), which is the layout it convolves fastest in. Arithmetic may be wider than storage, see `arithmetic_dtype`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.arithmetic import arithmetic_dtype
from SATSegmentLib.sat.blocks import NEGATIVE_SLOPE, ConvBlock

_HALO = 1  # planes that a convolution with 3x3x3 taps sees on each side
# Bytes of a slab of a convolution's outputs. Thinner slabs are all halo, thicker ones leave the cache.
_SLAB_BYTES = 24 << 20
# Voxels that are summed one by one in float32; further sums are float64.
_PIECE = 8192


def encode(x: Tensor, stages: Sequence[Sequence[ConvBlock]]) -> tuple[list[Tensor], Tensor]:
    """The way down, for one window.

    Parameters
    ----------
    x: (1, 1, X, Y, Z), in the precision of the weights.
    stages: the convolution blocks of each stage.

    Returns
    -------
    The maps of all stages, finest first, and their averages over the cells of the coarsest grid, (1, sum of channels,
    *cells) float32.
    """
    sides = [list(x.shape[2:])]
    for blocks in stages:
        sides.append([-(-side // step) for side, step in zip(sides[-1], blocks[0].conv.stride, strict=True)])
    levels: list[Tensor] = []
    pooled = []
    for blocks, shape in zip(stages, sides[1:], strict=True):
        level = _empty(x, blocks[0].conv.out_channels, *shape)
        norm = _convolve(_Map(x), blocks[0], level)
        norm = _convolve_in_place(level, norm, blocks[1:])
        pooled.append(_activate_and_pool(level, norm, sides[-1]))
        levels.append(x := level)
    return levels, torch.cat(pooled, dim=1)


def decode(
    levels: list[Tensor], upsamplers: Sequence[nn.ConvTranspose3d], stages: Sequence[Sequence[ConvBlock]]
) -> Tensor:
    """The way up, for one window: the finest map, written over the finest skip.

    `levels` is emptied on the way, so that each map is freed once it was used.
    """
    x = levels.pop()
    for upsample, blocks in zip(upsamplers, stages, strict=True):
        level = levels.pop()
        norm = _convolve(_Joined(x, upsample, level), blocks[0], level)
        norm = _convolve_in_place(level, norm, blocks[1:])
        for _ in _activate(level, norm, 0, level.shape[2]):
            pass
        x = level
    return x


@dataclass(frozen=True, eq=False)
class _Norm:
    """An instance norm and its activation, known but not applied yet: leaky_relu(x * scale + shift)."""

    scale: Tensor
    shift: Tensor

    def activate_(self, slab: Tensor) -> Tensor:
        """Normalise and activate (1, C, planes, Y, Z) in place; scale and shift stay in float32 whatever the slab."""
        if slab.dtype == torch.float32:
            torch.addcmul(self.shift.view(-1, 1, 1, 1), slab, self.scale.view(-1, 1, 1, 1), out=slab)
        else:
            zero, one = torch.zeros_like(self.scale), torch.ones_like(self.scale)
            slab.copy_(F.batch_norm(slab, zero, one, self.scale, self.shift, eps=0.0))
        return F.leaky_relu_(slab, NEGATIVE_SLOPE)


class _Moments:
    """Mean and variance per channel of a map that is seen slab by slab.

    Slabs are merged in float64 (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979); sums of squares alone would lose the variance where a mean is large.
    """

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._mean = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, slab: Tensor) -> None:
        """Take in (1, C, planes, Y, Z)."""
        channels = slab.shape[1]
        pieces = slab.permute(0, 2, 3, 4, 1).reshape(-1, channels).split(_PIECE)
        means, variances = zip(*map(_mean_and_variance, pieces), strict=True)
        counts = [len(piece) for piece in pieces]
        self._merge(counts, torch.stack(means).cpu().double(), torch.stack(variances).cpu().double())

    def _merge(self, voxels: Sequence[int], means: Tensor, variances: Tensor) -> None:
        """Take in the moments (N, C) of N pieces of so many voxels."""
        count, counts = sum(voxels), torch.tensor(voxels, dtype=torch.float64)[:, None]
        mean = (means * counts).sum(dim=0) / count
        self._squares += ((variances + (means - mean).square()) * counts).sum(dim=0)
        total = self._count + count
        delta = mean - self._mean
        self._squares += delta.square() * (self._count * count / total)
        self._mean += delta * (count / total)
        self._count = total

    def norm(self, layer: nn.InstanceNorm3d) -> _Norm:
        """The norm that `layer` makes of what was seen."""
        device = layer.weight.device
        scale = layer.weight.detach().cpu().double() / torch.sqrt(self._squares / self._count + layer.eps)
        shift = layer.bias.detach().cpu().double() - self._mean * scale
        return _Norm(scale.float().to(device), shift.float().to(device))


def _mean_and_variance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Of each column of (voxels, C), in float32."""
    if rows.device.type != "cpu":
        variance, mean = torch.var_mean(rows.float(), dim=0, correction=0)
        return mean, variance
    # torch.var_mean does the same, but takes twenty times as long.
    column = rows.view(1, len(rows), 1, 1, rows.shape[1]).permute(0, 4, 1, 2, 3)
    mean, variance = torch.batch_norm_update_stats(column, None, None, 0.0)
    return mean, variance


class _Source(Protocol):
    """What a convolution reads: a map, or what stands for one."""

    shape: tuple[int, ...]  # (C, X, Y, Z)

    def read(self, first: int, last: int, into: Tensor) -> None:
        """Write the activated planes [first, last) along X into (1, C, last - first, Y, Z)."""


class _Map:
    """A map, and the norm that is still to be applied to it, if one is."""

    def __init__(self, voxels: Tensor, norm: _Norm | None = None) -> None:
        self._voxels, self._norm = voxels, norm
        self.shape = tuple(voxels.shape[1:])

    def read(self, first: int, last: int, into: Tensor) -> None:
        """As in `_Source`."""
        into.copy_(self._voxels[:, :, first:last])
        if self._norm is not None:
            self._norm.activate_(into)


class _Joined:
    """The concatenation of an upsampled map with a skip.

    A transposed convolution whose kernel is its stride is one matrix product per voxel below: each gives a block of
    voxels above, and no block overlaps another.
    """

    def __init__(self, below: Tensor, upsample: nn.ConvTranspose3d, skip: Tensor) -> None:
        self._below, self._skip = below, skip
        self._step = upsample.stride
        dtype = _arithmetic(skip)
        inputs, self._channels = upsample.weight.shape[:2]
        self._weight = upsample.weight.to(dtype).permute(2, 0, 3, 4, 1).reshape(self._step[0], inputs, -1)
        assert upsample.bias is not None
        self._bias = upsample.bias.to(dtype).repeat(self._step[1] * self._step[2])
        self.shape = (2 * self._channels, *skip.shape[2:])

    def read(self, first: int, last: int, into: Tensor) -> None:
        """As in `_Source`."""
        into[:, self._channels :].copy_(self._skip[:, :, first:last])
        step_x, step_y, step_z = self._step
        for offset, weight in enumerate(self._weight):  # of the plane above within its block
            start = first + (offset - first) % step_x
            count = len(range(start, last, step_x))
            if count:
                rows = self._below[0, :, start // step_x :][:, :count].permute(1, 2, 3, 0)
                _, y, z, inputs = rows.shape
                blocks = torch.addmm(self._bias, rows.reshape(-1, inputs).to(into.dtype), weight)
                blocks = blocks.view(count, y, z, step_y, step_z, self._channels).permute(5, 0, 1, 3, 2, 4)
                above = into[0, : self._channels, start - first :: step_x]
                above.unflatten(3, (z, step_z)).unflatten(2, (y, step_y)).copy_(blocks)


def _convolve(source: _Source, block: ConvBlock, out: Tensor) -> _Norm:
    """Convolve `source` into `out` (1, C, X, Y, Z) and return the norm to apply to it.

    `out` may be the map that `source` reads: a plane is overwritten only after its last reading.
    """
    conv = block.conv
    dtype = _arithmetic(out)
    weight = conv.weight.to(dtype).contiguous(memory_format=_layout(out.device))
    assert conv.bias is not None
    bias = conv.bias.to(dtype)
    channels, planes, *sides = source.shape
    step = conv.stride[0]
    depth = (_slab_planes(out) - 1) * step + 1 + 2 * _HALO
    kept = max(1 + 2 * _HALO - step, 0)  # planes that a slab shares with the next
    buffer = _empty(weight, channels, depth, *sides)
    moments = _Moments(conv.out_channels)
    for first, last in _slabs(0, out.shape[2], _slab_planes(out)):
        low, high = first * step - _HALO, (last - 1) * step + 1 + _HALO
        start = low
        if first and kept:
            buffer[:, :, :kept] = buffer[:, :, -kept:].clone()
            start = low + kept
        inside = slice(max(start, 0), min(high, planes))
        buffer[:, :, : max(inside.start - low, 0) if start < 0 else 0].zero_()
        source.read(inside.start, inside.stop, buffer[:, :, inside.start - low : inside.stop - low])
        buffer[:, :, inside.stop - low : high - low].zero_()
        slab = F.conv3d(buffer[:, :, : high - low], weight, bias, conv.stride, (0, _HALO, _HALO))
        moments.add(slab)
        out[:, :, first:last].copy_(slab)
    return moments.norm(block.norm)


def _convolve_in_place(voxels: Tensor, norm: _Norm, blocks: Sequence[ConvBlock]) -> _Norm:
    for block in blocks:
        norm = _convolve(_Map(voxels, norm), block, voxels)
    return norm


def _activate(voxels: Tensor, norm: _Norm, first: int, last: int) -> Iterator[Tensor]:
    """Apply `norm` to the planes [first, last), in place, and yield each slab in the precision of the arithmetic."""
    for low, high in _slabs(first, last, _slab_planes(voxels)):
        stored = voxels[:, :, low:high]
        slab = norm.activate_(stored.to(_arithmetic(voxels)))
        if slab.dtype != stored.dtype:
            stored.copy_(slab)
        yield slab


def _activate_and_pool(voxels: Tensor, norm: _Norm, cells: Sequence[int]) -> Tensor:
    """Apply `norm` in place; returns the averages over each cell, (1, C, *cells) float32."""
    thick, *sides = (side // count for side, count in zip(voxels.shape[2:], cells, strict=True))
    layers = []
    for cell in range(cells[0]):
        plane = _empty(norm.scale, *voxels.shape[1:2], 1, *voxels.shape[3:])[:, :, 0].zero_()
        for slab in _activate(voxels, norm, cell * thick, (cell + 1) * thick):
            for layer in slab.unbind(2):  # many times faster than a sum over a strided axis
                plane += layer
        layers.append(plane.unflatten(3, (-1, sides[1])).unflatten(2, (-1, sides[0])).mean(dim=(3, 5)) / thick)
    return torch.stack(layers, dim=2)


def _slabs(first: int, last: int, planes: int) -> Iterator[tuple[int, int]]:
    for low in range(first, last, planes):
        yield low, min(low + planes, last)


def _slab_planes(voxels: Tensor) -> int:
    plane_bytes = voxels[0, :, 0].numel() * _arithmetic(voxels).itemsize
    return min(max(_SLAB_BYTES // plane_bytes, 1), voxels.shape[2])


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(1, *shape, dtype=like.dtype, device=like.device, memory_format=_layout(like.device))


def _layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last_3d if device.type == "cpu" else torch.contiguous_format


def _arithmetic(voxels: Tensor) -> torch.dtype:
    return arithmetic_dtype(voxels.dtype, voxels.device)
