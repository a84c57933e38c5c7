"""A map cut into strips that are convolved side by side, also where their results go over the map they are read from.

A convolution with three taps sees one row and one plane beyond what it makes. Where it overwrites its own input, those
are kept for the neighbours: all planes between pieces before anything is done, rows when their strip is begun, so that
only those around strips in work are there. How a map is cut follows from its shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.sources import Overwritable, Source

# As many pieces as keep a dozen cores busy to the end: so many that the last one is a small part of a layer.
ENOUGH = 64


@dataclass(frozen=True, eq=False)
class Strip:
    """A part of a convolution's outputs, and how to read what it sees.

    Attributes
    ----------
    planes, rows : slice
        Of the outputs, along X and Y.
    """

    planes: slice
    rows: slice
    _source: Source
    _kept_rows: tuple[Tensor | None, Tensor | None] = (None, None)
    _kept_planes: tuple[Tensor | None, Tensor | None] = (None, None)

    def read(self, planes: slice, rows: slice, into: Tensor) -> None:
        """Read planes and rows of the input, zeros beyond the map, into (1, C, planes, rows, Z)."""
        _, all_planes, all_rows, _ = self._source.shape
        x = slice(max(planes.start, 0), min(planes.stop, all_planes))
        y = slice(max(rows.start, 0), min(rows.stop, all_rows))
        if (x, y) != (planes, rows):
            low_x, high_x = x.start - planes.start, x.stop - planes.start
            low_y, high_y = y.start - rows.start, y.stop - rows.start
            for outside in (into[:, :, :low_x], into[:, :, high_x:], into[:, :, :, :low_y], into[:, :, :, high_y:]):
                if outside.numel():
                    outside.zero_()
            into = into[:, :, low_x:high_x, low_y:high_y]
        if not into.numel():
            return
        if all(kept is None for kept in (*self._kept_rows, *self._kept_planes)):
            self._source.read(x, y, into)
            return
        source = cast(Overwritable, self._source)  # to ask it each time takes as long as to read a plane
        source.read_kept(x, y, self._pieces(source.overwritten(), x, y, into), into)

    def _pieces(self, voxels: Tensor, x: slice, y: slice, into: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the map held at these planes and rows, kept or still there, each piece with its place in `into`."""
        pieces = []
        before, after = self._kept_planes
        inside = slice(max(x.start, self.planes.start), min(x.stop, self.planes.stop))
        if before is None or inside.start == x.start:
            inside = slice(x.start, inside.stop)
        else:
            pieces.append((before[:, :, :, y], into[:, :, :1]))
        if after is None or inside.stop == x.stop:
            inside = slice(inside.start, x.stop)
        else:
            pieces.append((after[:, :, :, y], into[:, :, -1:]))
        if inside.start >= inside.stop:
            return pieces
        into = into[:, :, inside.start - x.start : inside.stop - x.start]
        at = slice(inside.start - self.planes.start, inside.stop - self.planes.start)
        before, after = self._kept_rows
        first, last = y.start, y.stop
        if before is not None and first < self.rows.start:
            pieces.append((before[:, :, at], into[:, :, :, :1]))
            first = self.rows.start
        if after is not None and last > self.rows.stop:
            pieces.append((after[:, :, at], into[:, :, :, -1:]))
            last = self.rows.stop
        pieces.append((voxels[:, :, inside, first:last], into[:, :, :, first - y.start : last - y.start]))
        return pieces


def strips(source: Source, out: Tensor, rows: int, planes: int, unit: int = 1) -> Iterator[Strip]:
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
    voxels = source.overwritten() if isinstance(source, Overwritable) else None
    if voxels is not out:
        yield from (Strip(x, y, source) for x in across for y in along)
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
            yield Strip(x, y, source, (before, after), ends)


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
