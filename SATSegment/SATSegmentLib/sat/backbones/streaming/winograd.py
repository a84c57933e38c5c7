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
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.norm import Moments
from SATSegmentLib.sat.backbones.streaming.scripted import scripted
from SATSegmentLib.sat.backbones.streaming.sources import Source
from SATSegmentLib.sat.backbones.streaming.strips import Strip, even, strips
from SATSegmentLib.sat.interrupt import check_interrupt
from SATSegmentLib.sat.workers import side_by_side

TILE = 4  # outputs of a tile along X and along Y
SEEN = TILE + 2  # inputs of a tile
TAPS = 3
_POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2.0), -math.sqrt(2.0))

# Bytes of the tiles that are worked on at once. Fewer are all overhead, more leave the cache.
STRIP_BYTES = 2 << 20
# Of products that are worked out together: what they read and write stays in the cache nearest to the core.
_GROUP_BYTES = 640 << 10
# Tiles along X of a piece, at least: what it sees twice is a fourth of it then.
_PIECE = 2
# Input channels whose weights are transformed at once.
_INPUTS = 16
# With fewer channels a product is too small; with fewer voxels transforming the weights takes longer than it saves.
LEAST_CHANNELS = 32
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
        and min(weight.shape[:2]) >= LEAST_CHANNELS
        and voxels >= _LEAST_VOXELS
        and tiled <= _MOST_PADDING * voxels
    )


class TiledConvolution:
    """A convolution's weights, transformed; each worker takes space for its tiles.

    Parameters
    ----------
    weight : Tensor
        (out, in, 3, 3, 3), in any precision; arithmetic is float32.
    """

    def __init__(self, weight: Tensor) -> None:
        self.outputs, self.inputs = weight.shape[:2]
        forth, weights, back = _transforms()
        both = torch.kron(weights, weights)
        taps = weight.permute(2, 3, 4, 1, 0).flatten(0, 1)
        self.weight = torch.empty(SEEN * SEEN, TAPS, self.inputs, self.outputs)

        def transform(inputs: slice, _: None) -> None:
            part = taps[:, :, inputs].float()
            self.weight[:, :, inputs] = (both @ part.flatten(1)).view(-1, *part.shape[1:])

        side_by_side(even(self.inputs, _INPUTS), transform)
        # Planes of a tile lie in a ring: for each place where the first may be.
        places = [torch.tensor([(place - first) % SEEN for place in range(SEEN)]) for first in range(SEEN)]
        self.forth = [torch.kron(forth[:, place], forth) for place in places]
        self.back = torch.kron(back, back)

    def space(self, tiles: int, depth: int) -> TileSpace:
        """For up to so many tiles of so many voxels along Z."""
        return TileSpace(self, tiles, depth)


class TileSpace:
    """What one worker convolves tiles in.

    Each tile takes dozens of operations, and Python lets one worker at a time begin one. So views are made once.
    """

    def __init__(self, convolution: TiledConvolution, tiles: int, depth: int) -> None:
        self._convolution, self._tiles = convolution, tiles
        deep = depth + TAPS - 1
        lines = tiles * deep
        inputs, outputs = convolution.inputs, convolution.outputs
        # Axes are X and Y within a tile, the tile along Y, Z with a voxel of halo on each side, and the channel.
        seen = torch.zeros(SEEN, SEEN, tiles, deep, inputs)
        self._inside, self._seen = seen[:, :, :, 1:-1], seen.view(SEEN * SEEN, -1)
        rows = torch.empty(SEEN, tiles * TILE + SEEN - TILE, depth, inputs)
        self._rows = rows.permute(3, 0, 1, 2)[None]
        self._fills: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        transformed = torch.empty(SEEN * SEEN, lines, inputs)
        # The taps along Z see the same lines, shifted: what runs over a tile's end lands on outputs that are cut off.
        valid = lines - TAPS + 1
        products = torch.empty(SEEN * SEEN, valid, outputs)
        result = torch.zeros(TILE * TILE, lines * outputs)
        self._transformed, self._products = transformed, products
        size = max(_GROUP_BYTES // (4 * lines * (inputs + outputs)), 1)
        self._groups = [group.stop for group in even(SEEN * SEEN, size)]
        self._lines, self._valid = result.view(-1, outputs), result[:, : valid * outputs]
        self._result = result.view(TILE, TILE, tiles, deep, outputs)
        self._between = self._result[:, :, :, 1 - TAPS :]
        # Outputs of a row of tiles lie row within tile before tile; in the map it is the other way round.
        self._ordered = self._result[:, :, :, : 1 - TAPS].transpose(1, 2)

    def convolve(self, strip: Strip, out: Tensor) -> Moments:
        """Convolve a strip into the map `out`, without the bias, and see its outputs."""
        moments, place = Moments(), 0
        lines = out[0].permute(1, 2, 3, 0)[:, strip.rows]
        row = lines[0, ..., 0].numel()
        for first in range(strip.planes.start, strip.planes.stop, TILE):
            check_interrupt()
            planes = slice(first, min(first + TILE, strip.planes.stop))
            seen = SEEN if first == strip.planes.start else TILE
            self._fill(strip, slice(first + TILE + 1 - seen, first + TILE + 1), place + SEEN - seen)
            moments.add_padded(self.multiply(place, lines[planes]), (planes.stop - planes.start) * row)
            place = (place + TILE) % SEEN
        return moments

    def _fill(self, strip: Strip, planes: slice, place: int) -> None:
        """Read planes, with the rows around the strip, into tiles, from this place of the ring onwards."""
        rows = slice(strip.rows.start - 1, strip.rows.stop + 1)
        read = self._rows[:, :, : planes.stop - planes.start]
        count = rows.stop - rows.start
        if count < read.shape[3]:
            read[:, :, :, count:].zero_()
            strip.read(planes, rows, read[:, :, :, :count])
        else:
            strip.read(planes, rows, read)
        for part, tiles in self._filled(place % SEEN, planes.stop - planes.start):
            part.copy_(tiles)

    def _filled(self, place: int, planes: int) -> list[tuple[Tensor, Tensor]]:
        """The places of so many planes in tiles, and what goes there of the rows that were read."""
        if (place, planes) not in self._fills:
            tiles = self._rows[0].permute(1, 2, 3, 0)[:planes].unfold(1, SEEN, TILE).permute(0, 4, 1, 2, 3)
            parts, done = [], 0
            for part in _runs(place, planes):
                count = part.stop - part.start
                parts.append((self._inside[part], tiles[done : done + count]))
                done += count
            self._fills[place, planes] = parts
        return self._fills[place, planes]

    def multiply(self, place: int, out: Tensor) -> Tensor:
        """Convolve the tiles into `out` (4, 4 * T, Z, out), or less at its far borders.

        Returns the outputs in float32 with zeros in between, (N, out), until the next call.
        """
        convolution, whole = self._convolution, out.shape[:2] == (TILE, TILE * self._tiles)
        _multiply(
            convolution.forth[place],
            self._seen,
            self._transformed,
            convolution.weight,
            self._groups,
            self._products,
            convolution.back,
            self._valid,
            self._between,
            self._ordered,
            out.unflatten(1, (-1, TILE)) if whole else None,
        )
        if not whole:
            self._write_some(out)
        return self._lines

    def _write_some(self, out: Tensor) -> None:
        """Where the map ends within a tile."""
        planes, rows = out.shape[:2]
        result, ordered = self._result, self._ordered[:planes]
        result[planes:].zero_()
        whole = rows // TILE
        out[:, : whole * TILE].unflatten(1, (whole, TILE)).copy_(ordered[:, :whole])
        if rows % TILE:
            result[:, rows % TILE :, whole].zero_()
            out[:, whole * TILE :].copy_(ordered[:, whole, : rows % TILE])
        result[:, :, -(-rows // TILE) :].zero_()


@scripted
def _multiply(
    forth: Tensor,
    seen: Tensor,
    transformed: Tensor,
    weight: Tensor,
    groups: list[int],
    products: Tensor,
    back: Tensor,
    made: Tensor,
    between: Tensor,
    ordered: Tensor,
    out: Tensor | None,
) -> None:
    """Transform tiles, multiply group by group, tap by tap, and transform back."""
    torch.mm(forth, seen, out=transformed.flatten(1))
    lines = products.size(1)
    first = 0
    for last in groups:
        tiles, taps, sums = transformed[first:last], weight[first:last], products[first:last]
        torch.bmm(tiles[:, :lines], taps[:, 0], out=sums)
        for tap in range(1, taps.size(1)):
            sums.baddbmm_(tiles[:, tap : tap + lines], taps[:, tap])
        first = last
    torch.mm(back, products.flatten(1), out=made)
    between.zero_()
    if out is not None:
        out.copy_(ordered)


def convolve_tiled(source: Source, weight: Tensor, out: Tensor) -> Moments:
    """Convolve `source` into `out` (1, C, X, Y, Z), without a bias, which a norm takes off again."""
    convolution = TiledConvolution(weight)
    channels, _, _, depth = source.shape
    rows, tiles = strip_rows(channels, out.shape[3], depth)
    pieces = side_by_side(
        strips(source, out, rows, _PIECE * TILE, TILE),
        lambda strip, space: space.convolve(strip, out),
        lambda: convolution.space(tiles, depth),
    )
    return Moments.joined(pieces)


def strip_rows(channels: int, rows: int, depth: int) -> tuple[int, int]:
    """Rows of a strip at most, of a map of so many, and the tiles along Y of the largest."""
    most = TILE * max(STRIP_BYTES // (4 * SEEN * SEEN * (depth + TAPS - 1) * channels), 1)
    return most, -(-max(strip.stop - strip.start for strip in even(rows, most, TILE)) // TILE)


def _runs(place: int, count: int) -> list[slice]:
    """So many places of a ring, from one onwards, as slices of it."""
    end = place + count
    return [slice(place, end)] if end <= SEEN else [slice(place, SEEN), slice(0, end - SEEN)]


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
