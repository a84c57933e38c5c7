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

from SATSegmentLib.sat.backbones.streaming.sources import Overwritable, Source

# As many pieces as keep a dozen cores busy to the end.
ENOUGH = 32


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
        low_x, high_x = x.start - planes.start, x.stop - planes.start
        low_y, high_y = y.start - rows.start, y.stop - rows.start
        for outside in (into[:, :, :low_x], into[:, :, high_x:], into[:, :, :, :low_y], into[:, :, :, high_y:]):
            if outside.numel():
                outside.zero_()
        inside = into[:, :, low_x:high_x, low_y:high_y]
        if not inside.numel():
            return
        before, after = self._kept_planes
        if before is not None and x.start < self.planes.start:
            self._read_kept(slice(x.start, x.start + 1), y, before[:, :, :, y], inside[:, :, :1])
            x, inside = slice(x.start + 1, x.stop), inside[:, :, 1:]
        if after is not None and x.stop > self.planes.stop:
            self._read_kept(slice(x.stop - 1, x.stop), y, after[:, :, :, y], inside[:, :, -1:])
            x, inside = slice(x.start, x.stop - 1), inside[:, :, :-1]
        at = slice(x.start - self.planes.start, x.stop - self.planes.start)
        before, after = self._kept_rows
        if before is not None and y.start < self.rows.start:
            self._read_kept(x, slice(y.start, y.start + 1), before[:, :, at], inside[:, :, :, :1])
            y, inside = slice(y.start + 1, y.stop), inside[:, :, :, 1:]
        if after is not None and y.stop > self.rows.stop:
            self._read_kept(x, slice(y.stop - 1, y.stop), after[:, :, at], inside[:, :, :, -1:])
            y, inside = slice(y.start, y.stop - 1), inside[:, :, :, :-1]
        if inside.numel():
            self._source.read(x, y, inside)

    def _read_kept(self, planes: slice, rows: slice, voxels: Tensor, into: Tensor) -> None:
        if into.numel():
            assert isinstance(self._source, Overwritable)
            self._source.read_kept(planes, rows, voxels, into)


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
    across = thick(all_planes, max(-(-all_planes * len(along) // ENOUGH), planes), unit)
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
