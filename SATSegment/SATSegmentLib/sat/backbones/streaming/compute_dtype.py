"""Which precision a device convolves fastest in, whatever it stores its maps in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.winograd import SEEN, TILE, TiledConvolution
from SATSegmentLib.sat.workers import with_one_thread

# A small lead is noise, and the wider type is the more exact one.
_CLEAR_LEAD = 1.15
_ROUNDS = 6
_CHANNELS, _TILES, _DEPTH = 64, 4, 64
# Where a CPU has no instructions for half precision, a convolution takes up to 100 times as long: a small one tells.
_SMALL = 2
_HOPELESS = 4.0
# One thread computes, so what other programs do need not count; Windows tells a thread's time in steps of 16 ms.
_now = time.perf_counter if sys.platform == "win32" else time.thread_time


@cache
def compute_dtype(stored: torch.dtype, device: torch.device) -> torch.dtype:
    """The precision to convolve in where maps are stored in `stored`: that, or float32 where it is no slower.

    Half precision halves memory everywhere, but not every CPU is faster in it: some convolve bfloat16 at several
    times the rate of float32, others at half of it, and what they say of themselves does not tell which; nor is minimal
    filtering, which takes a quarter of the products, exact enough in half precision. So it is measured, once per
    process, in a few hundredths of a second, and with one thread, as strips are computed. GPUs are always faster in
    half precision.
    """
    if stored not in (torch.bfloat16, torch.float16) or device.type != "cpu":
        return stored
    with torch.inference_mode():
        return with_one_thread(lambda: _faster(stored))


def _faster(stored: torch.dtype) -> torch.dtype:
    """The type that is faster here."""
    small, full = _best({stored: [_direct(stored, _SMALL)], torch.float32: [_direct(torch.float32, _SMALL)]}, 2)
    if small > _HOPELESS * full:
        return torch.float32
    ways: list[Callable[[], object]] = [_direct(torch.float32, _DEPTH), _tiled()]
    half, full = _best({stored: [_direct(stored, _DEPTH)], torch.float32: ways}, _ROUNDS)
    return stored if half * _CLEAR_LEAD < full else torch.float32


def _best(runs: dict[torch.dtype, list[Callable[[], object]]], rounds: int) -> list[float]:
    """The shortest time of each type's ways, in turns, so that what disturbs one disturbs the other."""
    seconds = [float("inf")] * len(runs)
    for _ in range(rounds):
        for number, ways in enumerate(runs.values()):
            seconds[number] = min(seconds[number], *map(_seconds, ways))
    return seconds


def _direct(dtype: torch.dtype, depth: int) -> Callable[[], Tensor]:
    shape = (1, _CHANNELS, SEEN, TILE * _TILES, depth)
    x = torch.ones(*shape, dtype=dtype).to(memory_format=torch.channels_last_3d)
    weight = torch.ones(_CHANNELS, _CHANNELS, 3, 3, 3, dtype=dtype).to(memory_format=torch.channels_last_3d)
    return lambda: F.conv3d(x, weight, padding=(0, 1, 1))


def _tiled() -> Callable[[], None]:
    space = TiledConvolution(torch.ones(_CHANNELS, _CHANNELS, 3, 3, 3)).space(_TILES, _DEPTH)
    out = torch.empty(TILE, TILE * _TILES, _DEPTH, _CHANNELS)
    return lambda: space.multiply(out)


def _seconds(run: Callable[[], object]) -> float:
    start = _now()
    run()
    return _now() - start
