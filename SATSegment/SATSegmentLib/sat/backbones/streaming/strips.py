"""A map cut into strips that are convolved side by side, also where their results go over the map they are read from.

A convolution with three taps sees one row and one plane beyond what it makes. Where it overwrites its own input, those
are kept for the neighbours: all planes between pieces before anything is done, rows when their strip is begun, so that
only those around strips in work are there. How a map is cut follows from its shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.scripted import scripted
from SATSegmentLib.sat.backbones.streaming.sources import Overwritable, read_pieces

# As many pieces as keep a dozen cores busy to the end: so many that the last one is a small part of a layer.
ENOUGH = 64


@dataclass(frozen=True, eq=False)
class Strip:
    """A part of a convolution's outputs, and what was kept of the map where it is overwritten.

    Attributes
    ----------
    planes, rows : slice
        Of the outputs, along X and Y.
    source : Overwritable
        What is read.
    kept : list of (Tensor or None)
        The row before and the one after (1, C, planes of the strip, 1, Z), the plane before and the one after
        (1, C, 1, Y, Z), where neighbours may have overwritten them.
    """

    planes: slice
    rows: slice
    source: Overwritable
    kept: list[Tensor | None]

    @property
    def bounds(self) -> list[int]:
        """First and last of the planes, first and last of the rows."""
        return [self.planes.start, self.planes.stop, self.rows.start, self.rows.stop]

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """Read planes and rows of the input, zeros beyond the map, into (1, C, planes, rows, Z)."""
        source, seen = self.source, [planes.start, planes.stop, rows.start, rows.stop]
        _read_strip(source.voxels, source.norm, source.joined, self.kept, self.bounds, seen, into)


def read_strip(
    voxels: Tensor,
    norm: list[Tensor],
    joined: list[Tensor],
    kept: list[Tensor | None],
    strip: list[int],
    seen: list[int],
    into: Tensor,
) -> None:
    """Read planes and rows that a strip sees, zeros beyond the map, for TorchScript.

    Parameters
    ----------
    voxels, norm, joined
        Of an `Overwritable`.
    kept, strip
        `kept` and `bounds` of a `Strip`.
    seen : list of int
        First and last of the planes to read, first and last of the rows.
    into : Tensor
        (1, C, planes, rows, Z).
    """
    low_x, high_x = max(seen[0], 0), min(seen[1], voxels.size(2))
    low_y, high_y = max(seen[2], 0), min(seen[3], voxels.size(3))
    planes, rows = [low_x - seen[0], high_x - seen[0]], [low_y - seen[2], high_y - seen[2]]
    if planes[0] > 0:
        into[:, :, : planes[0]].zero_()
    if planes[1] < into.size(2):
        into[:, :, max(planes[1], 0) :].zero_()
    if rows[0] > 0:
        into[:, :, :, : rows[0]].zero_()
    if rows[1] < into.size(3):
        into[:, :, :, max(rows[1], 0) :].zero_()
    if low_x >= high_x or low_y >= high_y:
        return
    inside = into[:, :, planes[0] : planes[1], rows[0] : rows[1]]
    pieces, places = _pieces(voxels, kept, strip, [low_x, high_x, low_y, high_y], inside)
    read_pieces(pieces, places, norm, joined, [low_x, low_y], inside)


_read_strip = scripted(read_strip)


def _pieces(
    voxels: Tensor, kept: list[Tensor | None], strip: list[int], seen: list[int], into: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """What the map held at these planes and rows, kept or still there, each piece with its place in `into`."""
    pieces: list[Tensor] = []
    places: list[Tensor] = []
    first, last, first_row, last_row = seen
    row_before, row_after, before, after = kept
    if before is not None and first < strip[0]:
        pieces.append(before[:, :, :, first_row:last_row])
        places.append(into[:, :, :1])
        first = strip[0]
    if after is not None and last > strip[1]:
        pieces.append(after[:, :, :, first_row:last_row])
        places.append(into[:, :, -1:])
        last = strip[1]
    if first >= last:
        return pieces, places
    into = into[:, :, first - seen[0] : last - seen[0]]
    if row_before is not None and first_row < strip[2]:
        pieces.append(row_before[:, :, first - strip[0] : last - strip[0]])
        places.append(into[:, :, :, :1])
        first_row = strip[2]
    if row_after is not None and last_row > strip[3]:
        pieces.append(row_after[:, :, first - strip[0] : last - strip[0]])
        places.append(into[:, :, :, -1:])
        last_row = strip[3]
    pieces.append(voxels[:, :, first:last, first_row:last_row])
    places.append(into[:, :, :, first_row - seen[2] : last_row - seen[2]])
    return pieces, places


def strips(source: Overwritable, out: Tensor, rows: int, planes: int, unit: int = 1) -> Iterator[Strip]:
    """Cut a convolution's outputs `out` (1, C, X, Y, Z) into strips.

    Where `out` is the map that `source` reads, rows are kept as strips are taken: one may be overwritten once it is.

    Parameters
    ----------
    rows, planes : int
        Of a strip: so many rows at most; all planes, or where strips are few pieces of so many planes or more.
    unit : int
        Both begin at multiples of it.
    """
    _, _, all_planes, all_rows, _ = out.shape
    along = even(all_rows, rows, unit)
    across = pieces(all_planes, len(along), planes, unit)
    voxels = source.voxels
    if voxels is not out:
        yield from (Strip(x, y, source, [None] * 4) for x in across for y in along)
        return
    between = [_copy(voxels[:, :, x.start - 1 : x.start + 1]) for x in across[1:]]
    for number, x in enumerate(across):
        ends = (
            between[number - 1][:, :, :1] if number else None,
            between[number][:, :, 1:] if number < len(between) else None,
        )
        last: Tensor | None = None
        for y in along:
            before, after, last = last, None, None
            if y.stop < all_rows:
                last, after = (_copy(voxels[:, :, x, row : row + 1]) for row in (y.stop - 1, y.stop))
            yield Strip(x, y, source, [before, after, *ends])


def pieces(length: int, along: int, least: int, unit: int) -> list[slice]:
    """[0, length) along X, for so many strips along Y."""
    return thick(length, max(-(-length * along // ENOUGH), least), unit)


def even(length: int, most: int, unit: int = 1) -> list[slice]:
    """[0, length) in parts of about the same size, `most` or less, which begin at multiples of `unit`."""
    units = -(-length // unit)
    return _parts(length, -(-units // max(most // unit, 1)), unit)


def thick(length: int, least: int, unit: int = 1) -> list[slice]:
    """The same in parts of `least` or more, but for a `length` that is less itself."""
    return _parts(length, max(length // (-(-least // unit) * unit), 1), unit)


def _parts(length: int, parts: int, unit: int) -> list[slice]:
    units = -(-length // unit)
    bounds = [min(units * part // parts * unit, length) for part in range(parts + 1)]
    return [slice(low, high) for low, high in pairwise(bounds)]


def _copy(part: Tensor) -> Tensor:
    return torch.empty(part.shape, dtype=part.dtype, memory_format=torch.channels_last_3d).copy_(part)
