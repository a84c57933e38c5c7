"""Seconds of work on a device, which goes on after the call that asked for it has returned."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

# One short run may be disturbed by anything; a long one tells enough by itself.
_TRIES, _ENOUGH_SECONDS = 3, 0.1


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """Of a run after the first, which is slower: the median of up to three, where these are short."""
    run()
    wait_for(device)
    taken: list[float] = []
    while len(taken) < _TRIES and sum(taken) < _ENOUGH_SECONDS:
        started = time.perf_counter()
        run()
        wait_for(device)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
