"""Convolutions of 3x3x3 taps as they are written, on a CPU's cores side by side.

Large maps are cut into strips. Where there are more weights than voxels, reading the weights is the work: each core
takes some of the output channels, for the whole map. A scan's one channel, and the few voxels of the coarsest maps, are
laid out as a matrix, because convolutions of such shapes are slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.streaming.norm import Moments
from SATSegmentLib.sat.backbones.streaming.sources import Overwritable, Source
from SATSegmentLib.sat.backbones.streaming.strips import Strip, even, strips, thick
from SATSegmentLib.sat.interrupt import check_interrupt
from SATSegmentLib.sat.workers import side_by_side, with_one_thread

_TAPS = 3
_HALO = 1
# Bytes of a strip's inputs. Smaller ones are all halo, larger ones leave the cache.
STRIP_BYTES = 2 << 20
PLANES = 4  # of a slab's outputs
HALF_PLANES = 12  # in half precision: what slabs share is a seventh of what they read, and stays in the cache
# PyTorch uses a path ten times slower for float32 inputs of fewer channels times planes times rows.
LEAST_LINES = 20_500
# Of a piece: less is not worth a worker's while.
_LEAST_OUTPUTS = 1 << 16
# With this many outputs for each weight, a map is cut; with fewer, its channels are.
_OUTPUTS_PER_WEIGHT = 4
_GROUPS, _GROUP_UNIT = 8, 16
# Rows of a matrix of everything that an output sees.
FEW_VOXELS = 512
FEW_INPUTS = 4


def convolve_direct(source: Overwritable, conv: nn.Conv3d, out: Tensor, dtype: torch.dtype) -> Moments:
    """Convolve `source` in this precision into `out` (1, C, X, Y, Z), which may be the map that it reads."""
    if by_channels(source, conv, out):
        return _by_channels(source, conv, out, dtype)
    rows, planes = thickness(source, conv, out, dtype)
    kernel = _kernel(conv, dtype)
    pieces = side_by_side(
        strips(source, out, rows, max(planes, _LEAST_OUTPUTS // (rows * out[0, :, 0, 0].numel()))),
        lambda strip, space: space.convolve(strip, out),
        lambda: _Space(source, conv, kernel, dtype, rows, planes),
    )
    return Moments.joined(pieces)


def by_channels(source: Source, conv: nn.Conv3d, out: Tensor) -> bool:
    """Whether a convolution's channels are cut, and not its map."""
    return conv.weight.numel() * _OUTPUTS_PER_WEIGHT >= out.numel() and source.shape[0] > FEW_INPUTS


def channel_groups(outputs: int) -> list[slice]:
    """How its channels are cut."""
    return even(outputs, max(outputs // _GROUPS, 2 * _GROUP_UNIT), _GROUP_UNIT)


def thickness(source: Source, conv: nn.Conv3d, out: Tensor, dtype: torch.dtype) -> tuple[int, int]:
    """Rows of a strip at most and planes of a slab at least, of outputs."""
    channels, _, _, depth = source.shape
    seen = (PLANES - 1) * conv.stride[0] + _TAPS
    row_bytes = seen * max(channels, conv.out_channels) * (depth + 2 * _HALO) * dtype.itemsize
    strip_bytes = max(STRIP_BYTES, conv.weight.numel() * dtype.itemsize)
    rows = max(strip_bytes // row_bytes // conv.stride[1], 1)
    thin = min(part.stop - part.start for part in even(out.shape[3], rows))
    if channels <= FEW_INPUTS:
        return rows, PLANES
    if dtype != torch.float32:
        return rows, HALF_PLANES
    planes = -(-LEAST_LINES // (channels * ((thin - 1) * conv.stride[1] + _TAPS)))
    return rows, max(PLANES, -(-(planes - _TAPS) // conv.stride[0]) + 1)


def buffer_shape(source: Source, conv: nn.Conv3d, rows: int, planes: int) -> tuple[int, ...]:
    """(C, X, Y, Z) of what a slab's outputs see at most."""
    channels, all_planes, all_rows, depth = source.shape
    # Slabs of a piece are of about the same size: of less than twice as many planes as they have at least.
    seen = [
        min((outputs - 1) * step, side) + _TAPS
        for outputs, step, side in zip((2 * planes, rows), conv.stride, (all_planes, all_rows), strict=False)
    ]
    # Zeros beyond the ends of Z are there for a matrix only: without, planes are written in one go.
    return (channels, *seen, depth + (2 * _HALO if channels <= FEW_INPUTS else 0))


class _Space:
    """What one worker convolves strips in."""

    def __init__(
        self,
        source: Source,
        conv: nn.Conv3d,
        kernel: Callable[[Tensor], Tensor],
        dtype: torch.dtype,
        rows: int,
        planes: int,
    ) -> None:
        self._stride, self._kernel, self._planes = conv.stride, kernel, planes
        shape = buffer_shape(source, conv, rows, planes)
        self._halo = (shape[3] - source.shape[3]) // 2
        self._line = (shape[3], shape[0])
        self._numbers = torch.empty(math.prod(shape), dtype=dtype)
        self._rows = 0

    def _buffer(self, rows: int) -> Tensor:
        """Planes of so many rows, side by side: a convolution would copy what is not."""
        if rows != self._rows and self._halo:
            self._numbers.zero_()
        self._rows = rows
        plane = rows * math.prod(self._line)
        planes = len(self._numbers) // plane
        return self._numbers[: planes * plane].view(1, planes, rows, *self._line).permute(0, 4, 1, 2, 3)

    def convolve(self, strip: Strip, out: Tensor) -> Moments:
        """Convolve a strip into the map `out`, and see its outputs."""
        moments, step = Moments(), self._stride
        rows = slice(strip.rows.start * step[1] - _HALO, (strip.rows.stop - 1) * step[1] + _TAPS - _HALO)
        buffer = self._buffer(rows.stop - rows.start)
        inside = buffer[..., self._halo : buffer.shape[-1] - self._halo]
        kept = max(_TAPS - step[0], 0)  # planes that a slab shares with the next
        filled = 0
        for part in thick(strip.planes.stop - strip.planes.start, self._planes):
            check_interrupt()
            first, last = strip.planes.start + part.start, strip.planes.start + part.stop
            low, high = first * step[0] - _HALO, (last - 1) * step[0] + _TAPS - _HALO
            start = 0
            if filled and kept:
                end = inside[:, :, filled - kept : filled]
                inside[:, :, :kept].copy_(end if filled >= 2 * kept else end.clone())
                start = kept
            filled = high - low
            strip.read(slice(low + start, high), rows, inside[:, :, start:filled])
            slab = self._kernel(buffer[:, :, :filled])
            moments.add(slab)
            out[:, :, first:last, strip.rows].copy_(slab)
        return moments


def _by_channels(source: Source, conv: nn.Conv3d, out: Tensor, dtype: torch.dtype) -> Moments:
    """For a small map: its padded copy is read by all, each makes some of the channels of its outputs."""
    channels, planes, rows, depth = source.shape
    seen = _empty(dtype, channels, planes + 2 * _HALO, rows + 2 * _HALO, depth + 2 * _HALO).zero_()
    inside = seen[:, :, _HALO:-_HALO, _HALO:-_HALO, _HALO:-_HALO]

    def read(part: slice, _: None) -> None:
        source.read(part, slice(0, rows), inside[:, :, part])

    # In pairs: an upsampled map is made of blocks, mostly of two planes.
    side_by_side(even(planes, max(planes // _GROUPS, 2), 2), read)
    voxels = out[0, 0].numel()
    patches = _patches(seen, conv.stride) if voxels <= FEW_VOXELS and dtype == torch.float32 else None

    def convolve(group: slice, _: None) -> Tensor:
        weight = conv.weight[group].to(dtype)
        bias = None if conv.bias is None else conv.bias[group].to(dtype)
        if patches is None:
            slab = _convolution(seen, weight, bias, conv.stride, (0, 0, 0))
            return slab.permute(0, 2, 3, 4, 1).reshape(voxels, -1)
        return F.linear(patches, weight.flatten(1), bias)

    outputs = out.shape[1]
    made = torch.cat(side_by_side(channel_groups(outputs), convolve), dim=1)

    def see() -> Moments:
        moments = Moments()
        moments.add(made.view(1, *out.shape[2:], outputs).permute(0, 4, 1, 2, 3))
        return moments

    out[0].copy_(made.view(*out.shape[2:], outputs).permute(3, 0, 1, 2))
    return with_one_thread(see)


def _patches(seen: Tensor, stride: Sequence[int]) -> Tensor:
    """The same as a matrix, (voxels, channels * 27)."""
    windows = _windows(seen, stride)
    made = torch.empty(*windows.shape[1:4], windows.shape[0], _TAPS**3, dtype=seen.dtype)

    def fill(planes: slice, _: None) -> None:
        made[planes].unflatten(-1, (_TAPS,) * 3).copy_(windows[:, planes].permute(1, 2, 3, 0, 4, 5, 6))

    side_by_side(even(len(made), 1), fill)
    return made.flatten(3).flatten(0, 2)


def _kernel(conv: nn.Conv3d, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """The convolution of a slab (1, C, planes, rows, Z), padded along X and Y, for few inputs along Z as well."""
    weight = conv.weight.to(dtype)
    bias = None if conv.bias is None else conv.bias.to(dtype)
    if weight.shape[1] > FEW_INPUTS:
        weight = weight.contiguous(memory_format=torch.channels_last_3d)
        return lambda seen: _convolution(seen, weight, bias, conv.stride, (0, 0, _HALO))
    matrix = weight.flatten(1).T.contiguous()

    def multiply(seen: Tensor) -> Tensor:
        windows = _windows(seen, conv.stride).permute(0, 4, 5, 6, 1, 2, 3)
        columns = windows.reshape(len(matrix), -1).T
        # Without the bias, which a norm takes off again: adding it would cost as much as the product.
        return (columns @ matrix).view(*windows.shape[4:], -1).permute(3, 0, 1, 2)[None]

    return multiply


def _convolution(
    seen: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """`conv3d`, by oneDNN for small maps as well: PyTorch itself asks it for large ones only."""
    lines = seen.numel() // seen.shape[-1]
    if lines < LEAST_LINES and seen.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(seen, weight, bias, padding, stride, (1, 1, 1), 1)
    return F.conv3d(seen, weight, bias, stride, padding)


def _windows(seen: Tensor, stride: Sequence[int]) -> Tensor:
    """What each output sees of a padded map (1, C, X, Y, Z): (C, x, y, z, 3, 3, 3)."""
    windows = seen[0]
    for axis, step in enumerate(stride):
        windows = windows.unfold(axis + 1, _TAPS, step)
    return windows


def _empty(dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.empty(1, *shape, dtype=dtype, memory_format=torch.channels_last_3d)
