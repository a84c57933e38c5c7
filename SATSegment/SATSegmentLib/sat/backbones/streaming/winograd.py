"""Convolutions of 3x3x3 taps with a quarter of their multiplications (minimal filtering, Winograd's algorithm).

Along X and Y, tiles of 6x6 voxels that overlap by two give 4x4 outputs each: the tile is transformed, multiplied by
transformed weights, and transformed back, which takes 36 products where 16 outputs have 144 (Lavin & Gray, "Fast
Algorithms for Convolutional Neural Networks", 2016). Along Z the three taps stay three products: a third transform
would move more memory than it saves. Everything is a matrix product of a shape that libraries are fast at.

The points are +-sqrt(1/2) and +-sqrt(2) rather than the usual +-1 and +-2: with them rounding is a third of what it
is, five times that of a direct convolution, some 5e-6 of the output's standard deviation at worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.sources import Source

TILE = 4  # outputs of a tile along X and along Y
SEEN = TILE + 2  # inputs of a tile
TAPS = 3
_POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2.0), -math.sqrt(2.0))

# Bytes of the tiles that are worked on at once. Fewer are all overhead, more leave the cache.
_STRIP_BYTES = 2 << 20
# Products that are worked out together: what they read and write stays in the cache nearest to the core.
_GROUP = 6
# With fewer channels a product is too small; with fewer voxels transforming the weights takes longer than it saves.
_LEAST_CHANNELS = 32
_LEAST_VOXELS = 8192
_MOST_PADDING = 1.5


def filtering_pays(weight: Tensor, stride: Sequence[int], out: Tensor) -> bool:
    """Whether a convolution into `out` (1, C, X, Y, Z) is done sooner this way, which is for CPUs only."""
    planes, rows, depth = out.shape[2:]
    voxels = planes * rows * depth
    tiled = -(-planes // TILE) * -(-rows // TILE) * TILE * TILE * (depth + TAPS - 1)
    return (
        out.device.type == "cpu"
        and set(stride) == {1}
        and min(weight.shape[:2]) >= _LEAST_CHANNELS
        and voxels >= _LEAST_VOXELS
        and tiled <= _MOST_PADDING * voxels
    )


class TiledConvolution:
    """A convolution's weights, transformed, and the space that tiles are worked on in.

    Parameters
    ----------
    weight : Tensor
        (out, in, 3, 3, 3), in any precision; arithmetic is float32.
    """

    def __init__(self, weight: Tensor) -> None:
        self._outputs, inputs = weight.shape[:2]
        forth, weights, back = _transforms()
        both = torch.kron(weights, weights) @ weight.float().permute(2, 3, 4, 1, 0).reshape(TAPS * TAPS, -1)
        self._weight = both.view(SEEN * SEEN, TAPS, inputs, self._outputs)
        self._forth, self._back = torch.kron(forth, forth), torch.kron(back, back)
        self._transformed = self._products = self._result = torch.empty(SEEN * SEEN, 0)
        self._steps: list[tuple[Tensor, tuple[Tensor, Tensor], list[tuple[Tensor, Tensor]]]] = []

    def _make_space(self, lines: int, inputs: int) -> None:
        valid = lines - TAPS + 1
        self._transformed = torch.empty(SEEN * SEEN, lines, inputs)
        self._products = torch.empty(SEEN * SEEN, valid, self._outputs)
        self._result = torch.zeros(TILE * TILE, lines * self._outputs)
        # The same views of it in every call: what is added up, and for each tap what it sees and its weights.
        self._steps = []
        for first in range(0, SEEN * SEEN, _GROUP):
            group = slice(first, first + _GROUP)
            taps = [(self._transformed[group, tap : tap + valid], self._weight[group, tap]) for tap in range(TAPS)]
            self._steps.append((self._products[group], taps[0], taps[1:]))

    def __call__(self, tiles: Tensor, out: Tensor) -> Tensor:
        """Convolve T tiles (6, 6, T, Z + 2, in) into the map `out` (4, 4 * T, Z, out), or less at its far borders.

        Axes are X and Y within a tile, the tile along Y, Z with a voxel of halo on each side, and the channel.
        Returns the outputs in float32 with zeros in between, (N, out), until the next call.
        """
        _, _, count, depth, inputs = tiles.shape
        lines = count * depth
        # The taps along Z see the same lines, shifted: what runs over a tile's end lands on outputs that are cut off.
        valid = lines - TAPS + 1
        if self._transformed.shape[1] != lines:
            self._make_space(lines, inputs)
        torch.mm(self._forth, tiles.view(SEEN * SEEN, -1), out=self._transformed.view(SEEN * SEEN, -1))
        for products, first, others in self._steps:
            torch.bmm(*first, out=products)
            for shifted, weight in others:
                products.baddbmm_(shifted, weight)
        torch.mm(self._back, self._products.flatten(1), out=self._result[:, : valid * self._outputs])
        result = self._result.view(TILE, TILE, count, depth, self._outputs)
        planes, rows = out.shape[:2]
        result[:, :, :, 1 - TAPS :].zero_()
        result[planes:].zero_()
        # Outputs of a row of tiles lie row within tile before tile; in the map it is the other way round.
        ordered = result[:planes, :, :, : 1 - TAPS].transpose(1, 2)
        whole = rows // TILE
        out[:, : whole * TILE].unflatten(1, (whole, TILE)).copy_(ordered[:, :whole])
        if rows % TILE:
            result[:, rows % TILE :, whole].zero_()
            out[:, whole * TILE :].copy_(ordered[:, whole, : rows % TILE])
        result[:, :, -(-rows // TILE) :].zero_()
        return self._result.view(-1, self._outputs)


def strips(source: Source) -> Iterator[tuple[slice, slice, Tensor]]:
    """Walk through the tiles of a map: in strips along Y, each along X.

    Yields the planes and rows of the outputs, and the tiles (6, 6, T, Z + 2, C) that give them; tiles at the far
    borders may reach over. The source may be overwritten with these outputs before the walk goes on: of what was read,
    two planes and one row are kept.
    """
    channels, all_planes, all_rows, depth = source.shape
    across = -(-all_rows // TILE)
    count = min(max(_STRIP_BYTES // (4 * SEEN * SEEN * (depth + 2) * channels), 1), across)
    tiles = torch.zeros(SEEN, SEEN, count, depth + 2, channels)
    row_before = torch.zeros(all_planes, depth, channels)
    lines = torch.empty(SEEN, count * TILE + SEEN - TILE, depth, channels)
    for top in range(0, all_rows, count * TILE):
        rows = slice(top, min(top + count * TILE, all_rows))
        tiles[0].zero_()
        for first in range(0, all_planes, TILE):
            planes = slice(first, min(first + TILE, all_planes))
            new = slice(first + 1 if first else 0, min(first + TILE + 1, all_planes))
            if first:
                tiles[: SEEN - TILE].copy_(tiles[TILE:])
            inside = tiles[new.start - first + 1 : new.stop - first + 1, :, :, 1:-1]
            _fill(inside, source, new, rows, row_before, lines)
            tiles[new.stop - first + 1 :].zero_()
            yield planes, rows, tiles


def _fill(tiles: Tensor, source: Source, planes: slice, rows: slice, row_before: Tensor, lines: Tensor) -> None:
    """Read planes into tiles (planes, 6, T, Z, C), the row before from `row_before`, where the last row goes.

    `lines` (planes, 4 * T + 2, Z, C) is space for the rows that they are cut from.
    """
    lines = lines[: len(tiles)]
    read = slice(rows.start, min(rows.stop + 1, source.shape[2]))
    lines[:, 0].copy_(row_before[planes])
    source.read(planes, read, lines[:, 1 : 1 + read.stop - read.start].permute(3, 0, 1, 2)[None])
    lines[:, 1 + read.stop - read.start :].zero_()
    tiles.copy_(lines.unfold(1, SEEN, TILE).permute(0, 4, 1, 2, 3))
    row_before[planes].copy_(lines[:, rows.stop - rows.start])


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """The matrices of one axis, float32: of the inputs (6, 6), of the weights (6, 3) and of the outputs (4, 6).

    Toom and Cook's construction: a product of polynomials is known from its values at five points and its leading
    coefficient ("at infinity"); a correlation is the transpose of that product.
    """
    inputs, weights, outputs = np.zeros((SEEN, SEEN)), np.zeros((SEEN, TAPS)), np.zeros((TILE, SEEN))
    for row, point in enumerate(_POINTS):
        others = [other for other in _POINTS if other != point]
        inputs[row, : SEEN - 1] = np.polynomial.polynomial.polyfromroots(others)
        weights[row] = [point**power / math.prod(point - other for other in others) for power in range(TAPS)]
        outputs[:, row] = [point**power for power in range(TILE)]
    inputs[-1] = np.polynomial.polynomial.polyfromroots(_POINTS)
    weights[-1, -1] = outputs[-1, -1] = 1.0
    return tuple(torch.from_numpy(matrix).float() for matrix in (inputs, weights, outputs))  # type: ignore[return-value]
