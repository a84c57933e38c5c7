"""Which windows are looked at for each prompt: first as few as cover the scan, then those around what is found.

A voxel's probability is a mean over the windows that hold it, with weights that add up to one (`blend.Blend`). Where
only some of them were looked at, with weights that add up to s, the mean lies between their part of the sum and that
part plus 1 - s. Where s is small, as at the border of a window, that says nothing: any window that was not looked at
could have found a structure that no other saw. So no rule that leaves windows out can be proved to find everything.
What can be had is this:

1. **What is found is exact.** Around each voxel that some window finds or nearly finds, windows are looked at until
   those that are left cannot turn any voxel of the mask any more, whatever they say (`undecided.Decisions`): the one
   with most to say is next. So the mask there is the one of all windows. Its probabilities are the mean of the windows
   that were looked at, away from the threshold an estimate. Where probabilities are kept, or features find no place,
   all windows are looked at that touch a tile in which one says more than the level that a mask needs
   (`tiles.HighTiles`), or that has such a neighbour: then probabilities are exact there, too. Where nearly all windows
   would be needed, all are looked at, and nothing is left to decide.
2. **What is left out was seen by somebody.** The windows of the first round leave no gap, so each voxel was looked at
   at least once. Nearly found is what one of them says with more than a margin, a tenth of the threshold. A structure
   is lost only if all windows that saw it put it below the margin, while one that was not looked at puts it above the
   threshold. That is the one assumption, and it is measured (Docs/performance.md).

Both rules ask one prompt's own findings only. So the windows behind a prompt's mask are the same in any company, and
with any features that are already there; only the encoder's work is shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.tiles import Tiling

# Of the threshold: what counts as nearly found. No mask of any scan here changed with three times as much.
_NEARLY = 0.1


def nearly(threshold: float) -> float:
    """The probability from which on a window counts as having nearly found something."""
    return _NEARLY * threshold


def logit(probability: float) -> float:
    """Of a probability; infinite at zero and one, and beyond."""
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf


class WindowSearch:
    """Which windows were looked at for which prompt, and which are to be looked at next.

    Parameters
    ----------
    boxes : Sequence[Box]
        All windows.
    cores : Sequence[Box]
        The part of each that counts.
    first : Sequence[int]
        Numbers of the windows of the first round: they leave no gap.
    tiling : Tiling
        Of the grid.
    prompts : int
        How many.

    Attributes
    ----------
    looked_at
        (windows, prompts) bool.
    """

    def __init__(
        self, boxes: Sequence[Box], cores: Sequence[Box], first: Sequence[int], tiling: Tiling, prompts: int
    ) -> None:
        self._boxes = [_cells(tiling, box) for box in boxes]
        self._cores = [_cells(tiling, core) for core in cores]
        self._tiling = tiling
        self.looked_at = torch.zeros(len(boxes), prompts, dtype=torch.bool)
        self._todo = {number: torch.ones(prompts, dtype=torch.bool) for number in first}

    def round(self) -> list[tuple[int, Tensor]]:
        """The next windows to look at, each with its prompts (ascending); from now on they count as looked at."""
        todo = sorted(self._todo.items())
        self._todo = {}
        for number, prompts in todo:
            self.looked_at[number] |= prompts
        return [(number, prompts.nonzero()[:, 0]) for number, prompts in todo]

    def ask(self, number: int, prompt: int) -> None:
        """Let a window be looked at for a prompt in the next round."""
        self._todo.setdefault(number, torch.zeros(self.looked_at.shape[1], dtype=torch.bool))[prompt] = True

    def ask_rest(self, prompts: Tensor) -> None:
        """Let all windows be looked at for some prompts, (prompts,) bool."""
        for number, left in enumerate(~self.looked_at & prompts):
            if left.any():
                self._todo[number] = self._todo[number] | left if number in self._todo else left

    def ask_all(self, needed: Tensor, near: Tensor) -> None:
        """The same for all windows that touch where prompts matter, or count where they are nearly found.

        (tiles, prompts) bool each.
        """
        if self.looked_at.all():
            return
        needed, near = (marks.view(*self._tiling.counts, -1) for marks in (needed, near))
        for number, (box, core) in enumerate(zip(self._boxes, self._cores, strict=True)):
            asked = needed[box].flatten(0, 2).any(dim=0) | near[core].flatten(0, 2).any(dim=0)
            asked &= ~self.looked_at[number]
            if asked.any():
                self._todo[number] = asked

    def complete(self) -> Tensor:
        """(tiles, prompts) bool: where all windows that touch a tile were looked at."""
        complete = torch.ones(*self._tiling.counts, self.looked_at.shape[1], dtype=torch.bool)
        for box, looked_at in zip(self._boxes, self.looked_at, strict=True):
            complete[box] &= looked_at
        return complete.flatten(0, 2)


def _cells(tiling: Tiling, box: Box) -> Box:
    return Box(slice(side.start, side.stop) for side in tiling.cells(box))
