"""A lane for copies that puts each off for as long as CUDA may: what was overwritten too early arrives wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class LateLane:
    """A `transfer.Lane` whose device is this computer's memory."""

    def __init__(self) -> None:
        self._asked: list[Callable[[], object]] = []
        self._done = 0
        self.taken: list[Tensor] = []

    def pinned(self, count: int) -> Tensor:
        return torch.empty(count, dtype=torch.uint8)

    def allocate(self, count: int) -> Tensor:
        return torch.zeros(count, dtype=torch.uint8)

    def copy(self, into: Tensor, source: Tensor) -> None:
        self._asked.append(lambda: into.copy_(source))

    def mark(self) -> LateMark:
        return LateMark(self, len(self._asked))

    def mark_computing(self) -> LateMark:
        return LateMark(self, 0)

    def follow(self) -> None:
        pass

    def hand_over(self, tensor: Tensor, arrived: LateMark) -> None:
        arrived.synchronize()
        self.taken.append(tensor)

    def run(self, until: int) -> None:
        while self._done < until:
            self._asked[self._done]()
            self._done += 1


class LateMark:
    def __init__(self, lane: LateLane, place: int) -> None:
        self._lane, self._place = lane, place

    def synchronize(self) -> None:
        self._lane.run(self._place)
