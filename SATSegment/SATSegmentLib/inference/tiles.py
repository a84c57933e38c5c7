"""A scan's grid cut into tiles: where prompts matter is found, computed and kept tile by tile.

A structure fills a small share of a scan. What is known and kept of it is therefore not a volume but a list of tiles:
time and memory follow the size of the structures, not prompts times volume. A tile's logits for hundreds of prompts
also stay in the CPU's cache from the product that makes them to the last look at them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.interrupt import check_interrupt

# On a CPU a tile's features fill half a megabyte; a GPU wants more to do at a time.
_CPU_TILE = (16, 16, 8)
_GPU_TILE = (48, 48, 16)

# Features and logits of tiles that are looked at together: as many as stay in a cache, because each look has a price.
_GROUP_BYTES = 16 << 20
GPU_GROUP_BYTES = 1 << 28

# A product's rounding depends on its number of columns, and on a CPU with three threads and more on how these share
# them; filled up to a multiple of so many, it does not.
_COLUMNS = 16

_HIGH = 1 << 6
_NEAR = 1 << 7
# One bit per face of a tile: low and high end of x, of y, of z.
_FACES = tuple(1 << face for face in range(6))
# Of (tiles x, x, tiles y, y, tiles z, z, prompts) without the axis inside the tile that a face is perpendicular to.
_PLANE_AXES = ((2, 4), (1, 4), (1, 3))


class Tiling:
    """How a grid is cut.

    Parameters
    ----------
    shape : tuple[int, int, int]
        Voxels of the grid.
    device : torch.device
        Where tiles are computed.

    Attributes
    ----------
    side
        Voxels of a tile; the last along each axis may be cut short by the grid's end.
    counts
        Tiles along each axis; they are numbered with the last axis fastest.
    """

    def __init__(self, shape: tuple[int, int, int], device: torch.device) -> None:
        self.shape = shape
        on_gpu = device.type != "cpu"
        # Where answers are gathered: on a GPU that would otherwise be waited for after each piece of work.
        self.gathered_on = device if runs_ahead(device) else torch.device("cpu")
        self.runs_ahead = runs_ahead(device)
        self.side = _GPU_TILE if on_gpu else _CPU_TILE
        self._group_bytes = GPU_GROUP_BYTES if on_gpu else _GROUP_BYTES
        self.counts = tuple(-(-size // side) for size, side in zip(shape, self.side, strict=True))

    def __len__(self) -> int:
        return math.prod(self.counts)

    @property
    def voxels(self) -> int:
        """Voxels of a whole tile."""
        return math.prod(self.side)

    def cells(self, box: Box) -> tuple[range, range, range]:
        """The places along each axis of the tiles that a box touches."""
        x, y, z = (range(p.start // side, -(-p.stop // side)) for p, side in zip(box, self.side, strict=True))
        return x, y, z

    def parts(self, box: Box, chosen: Tensor) -> Iterator[tuple[int, Box]]:
        """Those of the chosen tiles (bool, one per tile) that a box touches: number, and what lies in both."""
        xs, ys, zs = self.cells(box)
        touched = chosen.view(self.counts)[xs.start : xs.stop, ys.start : ys.stop, zs.start : zs.stop]
        start = torch.tensor([xs.start, ys.start, zs.start])
        for x, y, z in (touched.nonzero() + start).tolist():
            part = self._box((x, y, z), (x + 1, y + 1, z + 1)).intersection(box)
            assert part is not None
            yield (x * self.counts[1] + y) * self.counts[2] + z, part

    def groups(self, box: Box, channels: int, prompts: int) -> Iterator[tuple[Box, Box]]:
        """The same in groups that are worth one look: their places, and what lies in both."""
        xs, ys, zs = self.cells(box)
        together = max(self._group_bytes // (4 * self.voxels * (channels + prompts)), 1)
        deep = min(together, len(zs))
        wide = min(together // deep, len(ys))
        for x in xs:
            for y, z in product(ys[::wide], zs[::deep]):
                stop = (x + 1, min(y + wide, ys.stop), min(z + deep, zs.stop))
                part = self._box((x, y, z), stop).intersection(box)
                assert part is not None
                yield Box((slice(x, stop[0]), slice(y, stop[1]), slice(z, stop[2]))), part

    def rounded(self, core: Box, box: Box) -> Box:
        """The tiles that `core` touches, as far as they lie in `box`."""
        cells = self.cells(core)
        part = self._box([cell.start for cell in cells], [cell.stop for cell in cells]).intersection(box)
        assert part is not None
        return part

    def around(self, part: Box, box: Box) -> Iterator[Box]:
        """What is left of `box` without a part of it that is `rounded`, in up to six boxes."""
        rest = list(box)
        for axis, (inner, outer) in enumerate(zip(part, box, strict=True)):
            for side in (slice(outer.start, inner.start), slice(inner.stop, outer.stop)):
                if side.start < side.stop:
                    yield Box((*rest[:axis], side, *rest[axis + 1 :]))
            rest[axis] = inner

    def cell(self, tile: int) -> Box:
        """The place of a tile along each axis."""
        return Box(slice(int(place), int(place) + 1) for place in np.unravel_index(tile, self.counts))

    def _box(self, start: Sequence[int], stop: Sequence[int]) -> Box:
        return Box(slice(low * side, high * side) for low, high, side in zip(start, stop, self.side, strict=True))

    def grown(self, marks: Tensor) -> Tensor:
        """(tiles, prompts) bool: the marked tiles and all their neighbours."""
        cells = marks.view(*self.counts, -1).permute(3, 0, 1, 2)[None].float()
        return F.max_pool3d(cells, 3, stride=1, padding=1)[0].permute(1, 2, 3, 0).flatten(0, 2) > 0

    def inside(self, part: Box) -> Box:
        """A part of one tile in that tile's own indices."""
        return Box(slice(p.start % side, (p.stop - 1) % side + 1) for p, side in zip(part, self.side, strict=True))


def runs_ahead(device: torch.device) -> bool:
    """Whether a device works on by itself while the next work is asked for, until it is asked for a number."""
    return device.type == "cuda"


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A few numbers on a device, without waiting for its work; Apple's would read memory that is gone by then."""
    return tensor.to(device, non_blocking=runs_ahead(device))


class TileLogits:
    """The logits of a window's prompts, tile by tile, in float32.

    Features in half precision are widened on the way: a tile's are in the CPU's cache then, and only the product
    is rounded. So logits near zero, which decide a mask's border, keep their sign.

    Parameters
    ----------
    features : Features
        Of one window.
    embeddings : Tensor
        (prompts, C) float32 mask embeddings.
    """

    def __init__(self, features: Features, embeddings: Tensor) -> None:
        self._voxels = features.voxels[0].permute(1, 2, 3, 0)
        self._by_columns = runs_ahead(self._voxels.device)
        self._embeddings, self._bias = features.folded(embeddings)
        if self._by_columns and self._bias is not None:
            chunks = _filled(embeddings).split(_COLUMNS)
            self._bias = torch.cat([features.folded(chunk)[1] for chunk in chunks])[: len(embeddings)]  # type: ignore[misc]
        self._wide = torch.zeros(0, self._voxels.shape[-1], device=self._voxels.device)

    def roughly(self, part: Box) -> Tensor:
        """Logits (x, y, z, prompts) in a part of the window whose last digits depend on how many prompts there are.

        Enough to tell where to look closely, and for few prompts in half of the time.
        """
        return self._of(part, None, few=len(self._embeddings) <= _COLUMNS)

    def of(self, part: Box, prompts: Tensor | None = None) -> Tensor:
        """Logits (x, y, z, prompts) of some prompts (or all) in a part of the window; the same bits in any company."""
        return self._of(part, prompts, few=False)

    def _of(self, part: Box, prompts: Tensor | None, few: bool) -> Tensor:
        check_interrupt()
        voxels = self._voxels[part]
        count = voxels[..., 0].numel()
        if len(self._wide) < count:
            self._wide = torch.zeros(max(count, 2), voxels.shape[-1], device=voxels.device)
        self._wide[:count].view(voxels.shape).copy_(voxels)
        embeddings, bias = self._embeddings, self._bias
        if prompts is not None:
            chosen = sent(prompts, embeddings.device)
            embeddings, bias = embeddings[chosen], None if bias is None else bias[chosen]
        # A product with one row alone would be rounded in another way than in company.
        rows = self._wide[: max(count, 2)]
        if self._by_columns:
            products = [rows.mm(chunk.t()) for chunk in _filled(embeddings).split(_COLUMNS)]
            product = products[0] if len(products) == 1 else torch.cat(products, dim=1)
        else:
            columns = embeddings if few else _filled(embeddings)
            # A product with one column alone would be rounded in another way than in company.
            product = rows.mm((columns if len(columns) > 1 else columns.expand(2, -1)).t())
        logits = product[:count, : len(embeddings)]
        if bias is not None:
            logits = logits + bias
        return logits.unflatten(0, voxels.shape[:3])


def _filled(embeddings: Tensor) -> Tensor:
    """Rows of zeros added, up to a multiple of the columns of a product."""
    return F.pad(embeddings, (0, 0, 0, -len(embeddings) % _COLUMNS))


class HighTiles:
    """For each prompt the tiles in which some window's logit is high, and the highest logit anywhere.

    Parameters
    ----------
    prompts : int
        How many.
    level : float
        What a logit must exceed to be high.
    near_level : float, optional
        What it must exceed to be nearly high; not above `level`.

    """

    def __init__(self, tiling: Tiling, prompts: int, level: float, near_level: float | None = None) -> None:
        self._tiling = tiling
        self._level = level
        self._near_level = near_level
        place = tiling.gathered_on
        self._marks = torch.zeros(*tiling.counts, prompts, dtype=torch.uint8, device=place)
        self._highest = torch.full((prompts,), -math.inf, device=place)

    @property
    def highest(self) -> Tensor:
        """(prompts,) float32, on the CPU: the highest logit so far."""
        return self._highest.cpu()

    def look(self, cells: Box, part: Box, logits: Tensor, rows: Tensor | None = None) -> None:
        """Take in one window's logits.

        Parameters
        ----------
        cells : Box
            Places of tiles along each axis.
        part : Box
            Box of the grid, in these tiles.
        logits : Tensor
            (x, y, z, prompts), on `part`.
        rows : Tensor, optional
            Which prompts these are, ascending; by default all.
        """
        whole = self._whole_tiles(cells, part, logits)
        highest = _highest(whole)
        places = self._places(rows)
        self._highest[places] = self._highest[places].maximum(highest.amax(dim=(0, 1, 2)).to(self._highest.device))
        self._note_near(cells, highest, rows)
        self._note(cells, highest > self._level, whole, rows)

    def glance(self, cells: Box, part: Box, logits: Tensor, rows: Tensor) -> None:
        """Take in a window's logits where it hardly counts: only what is nearly high matters there; as `look`."""
        self._note_near(cells, _highest(self._whole_tiles(cells, part, logits)), rows)

    def _note(self, cells: Box, high: Tensor, whole: Tensor, rows: Tensor | None) -> None:
        """Mark the tiles that are high, and those of their faces that are."""
        prompts = self._some(high)
        if prompts is not None:
            if not len(prompts):
                return
            if len(prompts) < high.shape[-1]:  # Of many prompts few are high here.
                high, whole = high.index_select(-1, prompts), whole.index_select(-1, prompts)
        marks = high.to(torch.uint8) * _HIGH
        for face, bit in enumerate(_FACES):
            axis, end = divmod(face, 2)
            plane = whole.select(2 * axis + 1, -end)
            # What is left of the two other axes within a tile; the later one first, so that the other keeps its place.
            first, second = _PLANE_AXES[axis]
            marks |= (plane.amax(dim=second).amax(dim=first) > self._level).to(torch.uint8) * bit
        self._mark(cells, marks, rows, prompts)

    def _note_near(self, cells: Box, highest: Tensor, rows: Tensor | None) -> None:
        if self._near_level is None:
            return
        near = highest > self._near_level
        prompts = self._some(near)
        if prompts is None:
            self._mark(cells, near.to(torch.uint8) * _NEAR, rows, None)
        elif len(prompts):
            self._mark(cells, near.index_select(-1, prompts).to(torch.uint8) * _NEAR, rows, prompts)

    def _some(self, marked: Tensor) -> Tensor | None:
        """The columns of (tiles x, y, z, prompts) in which anything is marked; None for all, where that is not asked.

        To ask a GPU is to wait for it, which takes longer than to mark nothing.
        """
        return None if self._tiling.runs_ahead else marked.flatten(0, 2).any(dim=0).nonzero()[:, 0]

    def _mark(self, cells: Box, marks: Tensor, rows: Tensor | None, prompts: Tensor | None) -> None:
        if prompts is not None:
            rows = prompts.cpu() if rows is None else rows[prompts.cpu()]
        self._marks[cells][..., self._places(rows)] |= marks.to(self._marks.device)

    def _places(self, rows: Tensor | None) -> Tensor | slice:
        return slice(None) if rows is None else sent(rows, self._marks.device)

    def _whole_tiles(self, cells: Box, part: Box, logits: Tensor) -> Tensor:
        """As (tiles x, x, tiles y, y, tiles z, z, prompts), with minus infinity where a tile is not covered."""
        side = self._tiling.side
        shape = [(cell.stop - cell.start) * length for cell, length in zip(cells, side, strict=True)]
        if list(logits.shape[:3]) != shape:
            start = [cell.start * length for cell, length in zip(cells, side, strict=True)]
            filled = logits.new_full((*shape, logits.shape[3]), -math.inf)
            filled[tuple(slice(p.start - low, p.stop - low) for p, low in zip(part, start, strict=True))] = logits
            logits = filled
        return logits.unflatten(2, (-1, side[2])).unflatten(1, (-1, side[1])).unflatten(0, (-1, side[0]))

    def needed(self) -> Tensor:
        """(tiles, prompts) bool: the tiles with high voxels, and those with a neighbour of one.

        Interpolation reaches one voxel far, so a voxel's neighbours decide with it where a mask ends.
        """
        marks = self._marks.cpu()
        needed = (marks & _HIGH) != 0
        for step in product((-1, 0, 1), repeat=3):
            faces = sum(_FACES[2 * axis + (way > 0)] for axis, way in enumerate(step) if way)
            here, there = zip(*map(_shifted, step), strict=True)
            if faces:
                needed[there] |= (marks[here] & faces) == faces
        return needed.flatten(0, 2)

    def near(self) -> Tensor:
        """(tiles, prompts) bool: the tiles with voxels that are high or nearly so."""
        return (self._marks.cpu() >= _NEAR).flatten(0, 2)


def _highest(whole: Tensor) -> Tensor:
    # Axis by axis, because one reduction over all three takes five times as long.
    return whole.amax(dim=1).amax(dim=2).amax(dim=3)


class TileSums:
    """What windows say of a block of prompts, added up on the tiles where each of them matters.

    Parameters
    ----------
    needed : Tensor
        (tiles, prompts) bool.

    Attributes
    ----------
    matters
        (tiles,) bool, where any of the prompts does.
    """

    def __init__(self, tiling: Tiling, needed: Tensor) -> None:
        self._tiling = tiling
        self._tiles, self._prompts = (column.contiguous() for column in needed.nonzero().unbind(1))
        self.matters = needed.any(dim=1)
        self._starts = [0, *needed.sum(dim=1).cumsum(0).tolist()]
        self._sums = torch.zeros(len(self._tiles), *tiling.side, device=tiling.gathered_on)

    def prompts(self, tile: int) -> Tensor:
        """Which of the block's prompts matter in a tile."""
        return self._prompts[self._starts[tile] : self._starts[tile + 1]]

    def add(self, tile: int, part: Box, values: Tensor) -> None:
        """Add (x, y, z, prompts of the tile) to a part of a tile."""
        rows = slice(self._starts[tile], self._starts[tile + 1])
        self._sums[(rows, *self._tiling.inside(part))] += values.permute(3, 0, 1, 2).to(self._sums.device)

    def dense(self, prompt: int) -> tuple[Box, np.ndarray] | None:
        """One prompt's sums as an array, and the box of the grid that it covers; None where it matters nowhere.

        Zero in the box's tiles where the prompt does not matter.
        """
        rows = (self._prompts == prompt).nonzero()[:, 0]
        if not len(rows):
            return None
        cells = np.stack(np.unravel_index(self._tiles[rows].numpy(), self._tiling.counts))
        low, high = cells.min(axis=1), cells.max(axis=1) + 1
        array = np.zeros((*(high - low), *self._tiling.side), np.float32)
        array[tuple(cells - low[:, None])] = self._sums[rows.to(self._sums.device)].cpu().numpy()
        array = array.transpose(0, 3, 1, 4, 2, 5).reshape((high - low) * self._tiling.side)
        starts = low * self._tiling.side
        stops = np.minimum(high * self._tiling.side, self._tiling.shape)
        box = Box.at(starts, stops - starts)
        return box, array[Box.whole(box.shape)]


def _shifted(way: int) -> tuple[slice, slice]:
    """Along one axis: the tiles that have a neighbour that way, and these neighbours."""
    if way == 0:
        return slice(None), slice(None)
    return (slice(None, -1), slice(1, None)) if way > 0 else (slice(1, None), slice(None, -1))
