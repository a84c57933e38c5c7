"""What a convolution reads, piece by piece: a map with a norm still to be applied, two maps joined, or a projection."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.streaming.norm import Norm, activate_pieces
from SATSegmentLib.sat.backbones.streaming.scripted import scripted


class Source(Protocol):
    """What a convolution reads: a map, or what stands for one."""

    shape: tuple[int, ...]  # (C, X, Y, Z)

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """Write the activated voxels of these planes along X and rows along Y into (1, C, planes, rows, Z)."""

    def projected(self, weight: Tensor) -> Source:
        """Each voxel times `weight` (C, out): a convolution of one tap, as something to read.

        Up to a constant for each output, which a norm takes off again.
        """


class Overwritable(Source, Protocol):
    """A source that a convolution may write its outputs over, as it reads each voxel of a map at its own place.

    Attributes
    ----------
    voxels : Tensor
        The map, (1, C, X, Y, Z).
    norm : list of Tensor
        `Norm.parts` of the norm to apply to it; empty where none is.
    joined : list of Tensor
        What is upsampled and joined with it: voxels below (x, y, z, C), weights and bias as `_upsample` takes them;
        empty where nothing is.
    """

    voxels: Tensor
    norm: list[Tensor]
    joined: list[Tensor]


class Map:
    """A map, and the norm that is still to be applied to it, if one is."""

    def __init__(self, voxels: Tensor, norm: Norm | None = None) -> None:
        self.voxels, self._norm = voxels, norm
        self.norm = [] if norm is None else norm.parts
        self.joined: list[Tensor] = []
        self.shape = tuple(voxels.shape[1:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        voxels = self.voxels[:, :, planes, rows]
        if self._norm is None:
            into.copy_(voxels)
        else:
            self._norm.activate(voxels, into)

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight)


class Projected:
    """Another source's voxels, each times a matrix."""

    def __init__(self, source: Source, weight: Tensor) -> None:
        self._source, self._weight = source, weight
        self.shape = (weight.shape[1], *source.shape[1:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        seen = into.new_empty(1, *into.shape[2:], self._source.shape[0]).permute(0, 4, 1, 2, 3)
        self._source.read(planes, rows, seen)
        lines = seen[0].permute(1, 2, 3, 0).flatten(0, 2) @ self._weight
        into[0].permute(1, 2, 3, 0).copy_(lines.view(*into.shape[2:], -1))

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight)


class Joined:
    """The concatenation of an upsampled map with a skip.

    A transposed convolution whose kernel is its stride is one matrix product per voxel below: each gives a block of
    voxels above, and no block overlaps another.
    """

    def __init__(self, below: Tensor, upsample: nn.ConvTranspose3d, skip: Tensor, dtype: torch.dtype) -> None:
        self.voxels = skip
        self.norm: list[Tensor] = []
        self._channels = upsample.weight.shape[1]
        # (step_x, step_y, in, step_z * out), widened and turned in one: each alone would be another copy.
        weight = upsample.weight.permute(2, 3, 0, 4, 1)
        self._weight = torch.empty(weight.shape, dtype=dtype, device=weight.device).copy_(weight).flatten(3)
        bias = upsample.weight.new_zeros(self._channels) if upsample.bias is None else upsample.bias
        self._lines = below[0].permute(1, 2, 3, 0)
        self.joined = [self._lines, self._weight, bias.to(dtype).repeat(upsample.stride[2])]
        self.shape = (2 * self._channels, *skip.shape[2:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        firsts = [planes.start, rows.start]
        _read_pieces([self.voxels[:, :, planes, rows]], [into], self.norm, self.joined, firsts, into)

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`: neither the upsampled map nor the concatenation is made."""
        up, kept = weight.split([self._channels, weight.shape[0] - self._channels])
        upsample = self._weight.unflatten(3, (-1, self._channels)) @ up
        return _JoinedProjection(self._lines, self.voxels, upsample.flatten(3), kept)


class _JoinedProjection:
    """The projection of a concatenation: that of the skip, plus an upsampling whose weights are projected."""

    def __init__(self, below: Tensor, skip: Tensor, upsample: Tensor, kept: Tensor) -> None:
        self._below, self._skip = below, skip
        self._upsample, self._kept = upsample, kept
        self.shape = (kept.shape[1], *skip.shape[2:])

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """As in `Source`."""
        lines, firsts = into[0].permute(1, 2, 3, 0), [planes.start, rows.start]
        made = lines if lines.is_contiguous() else torch.empty_like(lines, memory_format=torch.contiguous_format)
        skip = self._skip[0, :, planes, rows].permute(1, 2, 3, 0)
        _project(skip, self._kept, self._below, self._upsample, firsts, made)
        if made is not lines:
            lines.copy_(made)

    def projected(self, weight: Tensor) -> Source:
        """As in `Source`."""
        return Projected(self, weight)


def _matching(first: int, length: int, offset: int, step: int) -> tuple[int, int, int]:
    """Of so many lines above from `first` on: the first at `offset` in its block, what lies below it, and how many."""
    above = (offset + step - first % step) % step
    return above, (first + above) // step, (length - above + step - 1) // step


def read_pieces(
    voxels: list[Tensor],
    places: list[Tensor],
    norm: list[Tensor],
    joined: list[Tensor],
    firsts: list[int],
    into: Tensor,
) -> None:
    """What an `Overwritable` reads of the map's voxels, piece by piece, for TorchScript.

    Parameters
    ----------
    voxels, places : list of Tensor
        What the map holds or held, (1, C, planes, rows, Z), and where in `into` each piece goes: they fill it.
    norm, joined : list of Tensor
        As the source has them.
    firsts : list of int
        The first plane and row of `into`.
    into : Tensor
        (1, C, planes, rows, Z).
    """
    if len(joined) > 0:
        below, weight, bias = joined
        channels = into.size(1) - voxels[0].size(1)
        for number, place in enumerate(places):
            place[:, channels:].copy_(voxels[number])
        _upsample(below, weight, bias, firsts, into.permute(0, 2, 3, 4, 1)[0, :, :, :, :channels])
    elif len(norm) > 0:
        activate_pieces(voxels, places, norm, into)
    else:
        for number, place in enumerate(places):
            place.copy_(voxels[number])


_read_pieces = scripted(read_pieces)


def _upsample(below: Tensor, weight: Tensor, bias: Tensor, firsts: list[int], upsampled: Tensor) -> None:
    """Write the planes and rows from `firsts` on of what is upsampled, channels last."""
    planes, rows = upsampled.size(0), upsampled.size(1)
    for x in range(weight.size(0)):
        step_x, step_y = weight.size(0), weight.size(1)
        above_x, first_x, count_x = _matching(firsts[0], planes, x, step_x)
        for y in range(weight.size(1)):
            above_y, first_y, count_y = _matching(firsts[1], rows, y, step_y)
            if count_x > 0 and count_y > 0:
                seen = below[first_x : first_x + count_x, first_y : first_y + count_y]
                lines = seen.reshape(-1, weight.size(2)).to(bias.dtype)
                # Given where to write: TorchScript makes two operations of any other addmm, and rounds in between.
                made = torch.empty([lines.size(0), bias.size(0)], dtype=bias.dtype, device=bias.device)
                torch.addmm(bias, lines, weight[x, y], out=made)
                above = upsampled[above_x::step_x, above_y::step_y]
                above.copy_(made.view(above.size()))


@scripted
def _project(skip: Tensor, kept: Tensor, below: Tensor, weight: Tensor, firsts: list[int], made: Tensor) -> None:
    """The planes and rows from `firsts` on of a projected concatenation, all channels last and `made` contiguous."""
    torch.mm(skip.reshape(-1, kept.size(0)).to(kept.dtype), kept, out=made.view(-1, kept.size(1)))
    planes, rows = made.size(0), made.size(1)
    for x in range(weight.size(0)):
        step_x, step_y = weight.size(0), weight.size(1)
        above_x, first_x, count_x = _matching(firsts[0], planes, x, step_x)
        for y in range(weight.size(1)):
            above_y, first_y, count_y = _matching(firsts[1], rows, y, step_y)
            if count_x > 0 and count_y > 0:
                seen = below[first_x : first_x + count_x, first_y : first_y + count_y]
                lines = seen.reshape(-1, weight.size(2)).to(weight.dtype)
                above = made[above_x::step_x, above_y::step_y]
                above.add_(torch.mm(lines, weight[x, y]).view(above.size()))
