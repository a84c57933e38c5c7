"""Logits of windows whose features find no place: kept, so that no window is encoded a second time.

What is added up in the end are the logits of a few tiles, and which tiles these are is known only when all windows
were looked at. Features of a window are as large as the logits of dozens of prompts, so where there is no room for
features there is often room for these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.tiles import TileLogits, Tiling, sent


class HeldLogits:
    """In the computer's memory, under a byte budget.

    First all of a window is held. Once the budget is used up, only tiles in which something is nearly found, and their
    neighbours, stay and come. Where even these find no room, a window is not held.

    Parameters
    ----------
    tiling : Tiling
        Of the grid.
    boxes : Sequence[Box]
        All windows.
    limit : int
        Bytes.

    Attributes
    ----------
    nbytes : int
        Held so far.
    """

    def __init__(self, tiling: Tiling, boxes: Sequence[Box], limit: int) -> None:
        self._tiling, self._boxes, self._limit = tiling, boxes, limit
        # By window and tile: the prompts, ascending, and their logits (x, y, z, prompts).
        self._held: dict[int, dict[int, tuple[Tensor, Tensor]]] = {}
        self._some_tiles = False
        self.nbytes = 0

    def hold(self, number: int, prompts: Tensor, logits: TileLogits, near: Callable[[], Tensor]) -> None:
        """Hold what a window says.

        Parameters
        ----------
        number : int
            Of the window.
        prompts : Tensor
            Which these logits are of, ascending.
        logits : TileLogits
            Of the window.
        near : callable
            Answers with (tiles, prompts) bool: where something is nearly found in the windows so far, this one
            included.
        """
        box = self._boxes[number]
        wanted = torch.ones(len(self._tiling), len(prompts), dtype=torch.bool)
        if not self._some_tiles and self.nbytes + 4 * box.voxels * len(prompts) > self._limit:
            self._some_tiles = True
            self._thin_out(self._tiling.grown(near()))
        if self._some_tiles:
            wanted = self._tiling.grown(near())[:, prompts]
        parts = [(tile, part, wanted[tile].nonzero()[:, 0]) for tile, part in self._tiling.parts(box, wanted.any(1))]
        if self.nbytes + sum(4 * part.voxels * len(places) for _, part, places in parts) > self._limit:
            return
        self._held[number] = {
            tile: (prompts[places], logits.of(part.relative_to(box), places).cpu()) for tile, part, places in parts
        }
        self.nbytes += sum(values.nbytes for _, values in self._held[number].values())

    def covers(self, number: int, asked: Iterable[tuple[int, Tensor]]) -> bool:
        """Whether these prompts in these tiles are all held of a window."""
        held = self._held.get(number)
        return held is not None and all(
            not len(prompts) or (tile in held and bool(torch.isin(prompts, held[tile][0]).all()))
            for tile, prompts in asked
        )

    def of(self, number: int, tile: int, prompts: Tensor, device: torch.device) -> Tensor:
        """Logits (x, y, z, prompts) of what lies in a window and a tile, minus infinity where they are not held."""
        held, values = self._held[number][tile]
        if len(held) == len(prompts) and torch.equal(held, prompts):
            return sent(values.clone(), device)
        places = torch.searchsorted(held, prompts).clamp_(max=len(held) - 1)
        chosen = values[..., places]
        chosen[..., held[places] != prompts] = -torch.inf
        return sent(chosen, device)

    def _thin_out(self, wanted: Tensor) -> None:
        for number, tiles in self._held.items():
            chosen = {tile: wanted[tile, prompts] for tile, (prompts, _) in tiles.items()}
            self._held[number] = {
                tile: (prompts[chosen[tile]], values[..., chosen[tile]])
                for tile, (prompts, values) in tiles.items()
                if chosen[tile].any()
            }
        self.nbytes = sum(values.nbytes for tiles in self._held.values() for _, values in tiles.values())
