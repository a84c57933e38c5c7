"""Which voxels of a mask can still turn, whatever windows say that were not looked at; and the windows to look at next.

A voxel's probability is a mean over the windows that hold it (`blend.Blend`). With those that were looked at it is at
least their part of the sum, and at most that and the weight of all others. The mask from all windows lies between the
mask of the one bound and the mask of the other, in the scan's grid as well: where these are the same, it is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.network_grid import NetworkGrid
from SATSegmentLib.inference.adaptive import WindowSearch, nearly
from SATSegmentLib.inference.blend import Blend
from SATSegmentLib.inference.restore import corners_that_differ
from SATSegmentLib.inference.tiles import TileLogits, Tiling
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.interrupt import check_interrupt

# Sums are rounded in another order while windows are searched for than in the end.
_ROUNDING = 1e-5
# One window at a time is least encoding. Where there are very many, deciding costs more than that saves.
_ROUNDS = 16
# Deciding ends, and all windows are looked at, where fewer than one of so many windows would be left out, ...
_SPARED = 8
# ... where a prompt is nearly found in more tiles than these (a cube of 200 voxels), ...
_MOST_TILES = 1 << 12
# ... and where the voxels that were decided about, round by round, are more than so many times those of all windows.
_DECIDED = 1.0
# For the plan: bytes of a voxel in a prompt's sums (float32, there twice while they grow) and marks (bool), and while
# one prompt is decided about.
SEEN_VOXEL_BYTES = 9
DECIDING_VOXEL_BYTES = 40
# How far around what is nearly found all is decided: this share of a window, but no further than tiles are large.
# With a sixteenth, a mask of the demonstration model changed.
_REACH_SHARE, _FURTHEST = 8, (16, 16, 8)


class SeenSums:
    """What the windows looked at say, added up on some prompts' tiles, and where one of them nearly finds something.

    Parameters
    ----------
    tiling : Tiling
        Of the grid.
    prompts : int
        How many.
    threshold : float
        Of the masks.
    """

    def __init__(self, tiling: Tiling, prompts: int, threshold: float) -> None:
        self._tiling, self._nearly = tiling, nearly(threshold)
        self._rows = torch.full((len(tiling), prompts), -1)
        self._sums = torch.zeros(0, *tiling.side)
        self._near = torch.zeros(0, *tiling.side, dtype=torch.bool)

    @property
    def tiles(self) -> Tensor:
        """(tiles, prompts) bool: where something is added up."""
        return self._rows >= 0

    def grow(self, near: Tensor) -> Tensor:
        """Take in tiles (bool, one per tile and prompt) and their neighbours; returns those that are new."""
        new = self._tiling.grown(near) & ~self.tiles
        count = int(new.sum())
        if count:
            self._rows[new] = torch.arange(len(self._sums), len(self._sums) + count)
            self._sums = _longer(self._sums, count)
            self._near = _longer(self._near, count)
        return new

    def add(self, tile: int, part: Box, prompts: Tensor, probability: Tensor, weights: Tensor) -> None:
        """Add one window's probabilities (x, y, z, prompts), with its weights (x, y, z), to a part of a tile."""
        at = (self._rows[tile, prompts], *self._tiling.inside(part))
        probability = probability.permute(3, 0, 1, 2)
        self._near[at] |= (probability > self._nearly).cpu()
        self._sums[at] += (probability * weights).cpu()

    def dense(self, prompt: int) -> tuple[Box, Tensor, Tensor] | None:
        """One prompt's sums and where it is nearly found, and the box of the grid that both cover."""
        tiles = (self._rows[:, prompt] >= 0).nonzero()[:, 0]
        if not len(tiles):
            return None
        cells = np.stack(np.unravel_index(tiles.numpy(), self._tiling.counts))
        low, high = cells.min(axis=1), cells.max(axis=1) + 1
        starts = low * self._tiling.side
        box = Box.at(starts, np.minimum(high * self._tiling.side, self._tiling.shape) - starts)
        arrays = []
        for held in (self._sums, self._near):
            array = held.new_zeros(*(high - low), *self._tiling.side)
            array[tuple(torch.from_numpy(cells - low[:, None]))] = held[self._rows[tiles, prompt]]
            shape = [int(side) for side in (high - low) * self._tiling.side]
            arrays.append(array.permute(0, 3, 1, 4, 2, 5).reshape(shape)[Box.whole(box.shape)])
        return box, arrays[0], arrays[1]


class Decisions:
    """Whether each prompt's mask is decided, and which window to look at next where it is not.

    To decide must not cost more than it saves. Whether it does is told from what one prompt finds, and from counts of
    windows, tiles and voxels: so it is the same in any company and on any machine. Where it does not pay, all windows
    are looked at.

    Parameters
    ----------
    search : WindowSearch
        Which windows were looked at.
    boxes : list of Box
        All windows.
    blend : Blend
        How much each counts.
    tiling : Tiling
        Of the grid.
    grid : NetworkGrid
        Where its voxels lie in the scan.
    window : tuple of int
        Voxels of a whole window.
    threshold : float
        Of the masks.
    """

    def __init__(
        self,
        search: WindowSearch,
        boxes: list[Box],
        blend: Blend,
        tiling: Tiling,
        grid: NetworkGrid,
        window: tuple[int, int, int],
        threshold: float,
    ) -> None:
        self._search, self._blend, self._boxes, self._tiling = search, blend, boxes, tiling
        self._grid, self._threshold = grid, threshold
        self._reach = [min(max(side // _REACH_SHARE, 1), most) for side, most in zip(window, _FURTHEST, strict=True)]
        prompts = search.looked_at.shape[1]
        self._seen = SeenSums(tiling, prompts, threshold)
        self._budget = [_DECIDED * sum(box.voxels for box in boxes)] * prompts
        # Who counts more than this along each axis can turn a voxel whatever all others say.
        self._decisive = max(threshold, 1 - threshold) ** (1 / 3) + _ROUNDING

    def ask_next(
        self,
        looked: Sequence[tuple[int, Tensor]],
        near: Tensor,
        embeddings: Mapping[int, Tensor],
        features: Callable[[int], Features],
    ) -> None:
        """After a round: ask for the next window, or windows, for each of its prompts that is not decided.

        Parameters
        ----------
        looked : sequence of (int, Tensor)
            The round's windows, and their prompts.
        near : Tensor
            (tiles, prompts) bool: where each prompt is nearly found.
        embeddings : mapping of int to Tensor
            Each window's (prompts, C) mask embeddings.
        features : callable
            Of a window.
        """
        fresh = {number: torch.zeros(near.shape[1], dtype=torch.bool) for number, _ in looked}
        for number, prompts in looked:
            fresh[number][prompts] = True
        undecided = torch.stack(list(fresh.values())).any(dim=0) & ~self._search.looked_at.all(dim=0)
        hopeless = undecided & self._hopeless(near)
        self._search.ask_rest(hopeless)
        undecided &= ~hopeless
        if not undecided.any():
            return
        new = self._seen.grow(near & undecided)
        for number, embedded in embeddings.items():
            rows = new & self._search.looked_at[number]
            if number in fresh:
                rows |= self._seen.tiles & (fresh[number] & undecided)
            box = self._boxes[number]
            if parts := list(self._tiling.parts(box, rows.any(dim=1))):
                logits = TileLogits(features(number), embedded)
                for tile, part in parts:
                    prompts = rows[tile].nonzero()[:, 0]
                    probability = logits.of(part.relative_to(box), prompts).sigmoid_()
                    self._seen.add(tile, part, prompts, probability, self._blend.weights(box, part))
        for prompt in undecided.nonzero()[:, 0].tolist():
            check_interrupt()
            for number in self.next_windows(prompt):
                self._search.ask(number, prompt)

    def _hopeless(self, near: Tensor) -> Tensor:
        """(prompts,) bool: whether nearly all windows will be needed, as far as whole tiles tell."""
        cells = near.view(*self._tiling.counts, -1)
        touched = self._blend.touch_inside(cells, self._tiling.side, self._decisive)
        spared = (~touched & ~self._search.looked_at).sum(dim=0)
        return (spared * _SPARED < len(self._boxes)) | (near.sum(dim=0) > _MOST_TILES)

    def next_windows(self, prompt: int) -> list[int]:
        """Those with most to say where the mask is not decided; none where it is."""
        held = self._seen.dense(prompt)
        if held is None:
            return []
        box, sums, near = held
        not_looked_at = ~self._search.looked_at[:, prompt]
        left = self._blend.together(not_looked_at, box)
        reached = left > 0
        if not reached.any():
            return []
        self._budget[prompt] -= box.voxels
        if self._budget[prompt] < 0:
            return not_looked_at.nonzero()[:, 0].tolist()
        # Further away, where no window nearly found anything, none that is left is taken to find something.
        near = _grown(near, self._reach)
        high = torch.where(near, left, left * nearly(self._threshold)).add_(sums)
        del left
        slack = reached * _ROUNDING
        low, high = sums.sub_(slack), high.add_(slack)
        del slack
        undecided = (low <= self._threshold) & (high > self._threshold) & reached
        if not undecided.any():
            corners = corners_that_differ(low.numpy(), high.numpy(), self._grid.cropped(box), self._threshold)
            undecided = torch.from_numpy(corners) & reached
            if not undecided.any():
                return []
        gains = self._blend.shares(undecided.float(), box) * not_looked_at
        if int((not_looked_at & (gains == 0)).sum()) * _SPARED < len(self._boxes):
            return not_looked_at.nonzero()[:, 0].tolist()
        # Without these a voxel stays undecided whatever all others say, so none of them can be spared.
        needed = self._blend.hold_inside(near, box, self._decisive) & not_looked_at
        if needed.any():
            return needed.nonzero()[:, 0].tolist()
        most_first = gains.argsort(descending=True, stable=True)[: max(int(not_looked_at.sum()) // _ROUNDS, 1)]
        return most_first[gains[most_first] > 0].tolist()


def mean_of_seen(sums: np.ndarray, search: WindowSearch, blend: Blend, prompt: int, box: Box) -> np.ndarray:
    """The weighted mean of what was seen on a box, from its sums; the same bits where no window is left."""
    looked_at = search.looked_at[:, prompt]
    if looked_at.all():
        return sums
    left, seen = blend.together(~looked_at, box).numpy(), blend.together(looked_at, box).numpy()
    # The windows of the first round leave no gap, so nothing is divided by zero.
    return np.where(left > 0, sums / seen, sums)


def _longer(held: Tensor, count: int) -> Tensor:
    return torch.cat((held, held.new_zeros(1).expand(count, *held.shape[1:])))


def _grown(marks: Tensor, reach: Sequence[int]) -> Tensor:
    """(x, y, z) bool: marks, and all that lies so many voxels along the axes around one."""
    for axis, steps in enumerate(reach):
        for way in (1, -1):
            done = 0
            while done < min(steps, marks.shape[axis] - 1):
                step = min(done + 1, steps - done)
                kept = marks.shape[axis] - step
                here, there = (0, step) if way > 0 else (step, 0)
                shifted = marks.narrow(axis, here, kept)
                grown = marks.clone()
                grown.narrow(axis, there, kept).logical_or_(shifted)
                marks, done = grown, done + step
    return marks
