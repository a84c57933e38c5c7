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
from SATSegmentLib.sat.backbones.streaming.sources import Overwritable
from SATSegmentLib.sat.backbones.streaming.strips import Strip, even, read_strip, strips
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
# Rows of tiles that are convolved in one go: seconds at most, for a run can be ended only in between.
_AT_ONCE = 4
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
    """What one worker convolves tiles in."""

    def __init__(self, convolution: TiledConvolution, tiles: int, depth: int) -> None:
        self._forth, self._weight, self._back = convolution.forth, convolution.weight, convolution.back
        deep = depth + TAPS - 1
        lines = tiles * deep
        inputs, outputs = convolution.inputs, convolution.outputs
        # Axes are X and Y within a tile, the tile along Y, Z with a voxel of halo on each side, and the channel.
        self._seen = torch.zeros(SEEN, SEEN, tiles, deep, inputs)
        rows = torch.empty(SEEN, tiles * TILE + SEEN - TILE, depth, inputs)
        self._rows = rows.permute(3, 0, 1, 2)[None]
        self._transformed = torch.empty(SEEN * SEEN, lines, inputs)
        # The taps along Z see the same lines, shifted: what runs over a tile's end lands on outputs that are cut off.
        self._products = torch.empty(SEEN * SEEN, lines - TAPS + 1, outputs)
        self._result = torch.zeros(TILE, TILE, tiles, deep, outputs)
        size = max(_GROUP_BYTES // (4 * lines * (inputs + outputs)), 1)
        self._groups = [group.stop for group in even(SEEN * SEEN, size)]

    def convolve(self, strip: Strip, out: Tensor) -> Moments:
        """Convolve a strip into the map `out`, without the bias, and see its outputs."""
        moments, source = Moments(), strip.source
        lines = out[0].permute(1, 2, 3, 0)
        row = lines[0, strip.rows, :, 0].numel()
        for first in range(strip.planes.start, strip.planes.stop, _AT_ONCE * TILE):
            check_interrupt()
            last = min(first + _AT_ONCE * TILE, strip.planes.stop)
            means, variances = _convolve(
                source.voxels,
                source.norm,
                source.joined,
                strip.kept,
                strip.bounds,
                [first, last],
                self._rows,
                self._seen,
                self._forth,
                self._transformed,
                self._weight,
                self._groups,
                self._products,
                self._back,
                self._result,
                lines,
            )
            voxels = [row * min(last - plane, TILE) for plane in range(first, last, TILE)]
            moments.add_seen(means, variances, self._result[..., 0].numel(), voxels)
        return moments

    def multiply(self, out: Tensor) -> None:
        """Convolve what is in the tiles into `out`, (4, 4 * T, Z, C): what it takes beside reading."""
        numbers = self._transformed, self._weight, self._groups, self._products, self._back, self._result
        _multiply(self._forth[0], self._seen, *numbers)
        _write(self._result, out)


@scripted
def _convolve(
    voxels: Tensor,
    norm: list[Tensor],
    joined: list[Tensor],
    kept: list[Tensor | None],
    strip: list[int],
    planes: list[int],
    rows: Tensor,
    seen: Tensor,
    forth: list[Tensor],
    transformed: Tensor,
    weight: Tensor,
    groups: list[int],
    products: Tensor,
    back: Tensor,
    result: Tensor,
    out: Tensor,
    tile: int = TILE,
    halo: int = SEEN - TILE,
) -> tuple[Tensor, Tensor]:
    """Convolve planes of a strip, row of tiles by row of tiles, into the map `out`, (X, Y, Z, C).

    Planes of a tile lie in a ring; two of a row's are those of the row before.

    Returns
    -------
    (Tensor, Tensor)
        Mean and variance of each row's outputs, (rows of tiles, C), zeros in between included.
    """
    inside = seen[:, :, :, 1:-1]
    tiles = rows.permute(0, 2, 3, 4, 1)[0].unfold(1, tile + halo, tile).permute(0, 4, 1, 2, 3)
    column = result.view(1, -1, 1, 1, result.size(4)).permute(0, 4, 1, 2, 3)
    means: list[Tensor] = []
    variances: list[Tensor] = []
    for first in range(planes[0], planes[1], tile):
        new = tile + halo if first == strip[0] else tile
        place = (first - strip[0]) % (tile + halo)
        bounds = [first + tile + 1 - new, first + tile + 1, strip[2] - 1, strip[3] + 1]
        into, count = rows[:, :, :new], bounds[3] - bounds[2]
        if count < into.size(3):
            into[:, :, :, count:].zero_()
            into = into[:, :, :, :count]
        read_strip(voxels, norm, joined, kept, strip, bounds, into)
        done = 0
        while done < new:
            start = (place + tile + halo - new + done) % (tile + halo)
            some = min(new - done, tile + halo - start)
            inside[start : start + some].copy_(tiles[done : done + some])
            done += some
        _multiply(forth[place], seen, transformed, weight, groups, products, back, result)
        _write(result, out[first : min(first + tile, planes[1]), strip[2] : strip[3]])
        mean, variance = torch.batch_norm_update_stats(column, None, None, 0.0)
        means.append(mean)
        variances.append(variance)
    return torch.stack(means), torch.stack(variances)


def _multiply(
    forth: Tensor,
    seen: Tensor,
    transformed: Tensor,
    weight: Tensor,
    groups: list[int],
    products: Tensor,
    back: Tensor,
    result: Tensor,
) -> None:
    """Transform tiles, multiply group by group, tap by tap, and transform back: zeros where outputs are cut off."""
    torch.mm(forth, seen.view(forth.size(1), -1), out=transformed.flatten(1))
    lines, taps = products.size(1), weight.size(1)
    first = 0
    for last in groups:
        tiles, factors, sums = transformed[first:last], weight[first:last], products[first:last]
        torch.bmm(tiles[:, :lines], factors[:, 0], out=sums)
        for tap in range(1, taps):
            sums.baddbmm_(tiles[:, tap : tap + lines], factors[:, tap])
        first = last
    valid = result.view(back.size(0), -1)[:, : lines * products.size(2)]
    torch.mm(back, products.flatten(1), out=valid)
    result[:, :, :, 1 - taps :].zero_()


def _write(result: Tensor, out: Tensor, tile: int = TILE, taps: int = TAPS) -> None:
    """Write outputs (4, 4, T, Z, C) into a part of a map (planes, rows, Z, C), which may end within a tile.

    Where it does, zeros are left in their place.
    """
    planes, rows, whole = out.size(0), out.size(1), out.size(1) // tile
    # Outputs of a row of tiles lie row within tile before tile; in the map it is the other way round.
    ordered = result[:planes, :, :, : 1 - taps].transpose(1, 2)
    out[:, : whole * tile].unflatten(1, [whole, tile]).copy_(ordered[:, :whole])
    if planes < tile:
        result[planes:].zero_()
    if rows % tile > 0:
        result[:, rows % tile :, whole].zero_()
        out[:, whole * tile :].copy_(ordered[:, whole, : rows % tile])
    ended = (rows + tile - 1) // tile
    if ended < result.size(2):
        result[:, :, ended:].zero_()


def convolve_tiled(source: Overwritable, weight: Tensor, out: Tensor) -> Moments:
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
