"""Which precision a device convolves fastest in, whatever it stores its maps in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.sat.backbones.streaming.winograd import SEEN, TILE, TiledConvolution

# A small lead is noise, and the wider type is the more exact one.
_CLEAR_LEAD = 1.15
_ROUNDS = 6
_CHANNELS, _TILES, _DEPTH = 64, 4, 64


@cache
def compute_dtype(stored: torch.dtype, device: torch.device) -> torch.dtype:
    """The precision to convolve in where maps are stored in `stored`: that, or float32 where it is no slower.

    Half precision halves memory everywhere, but not every CPU is faster in it: some convolve bfloat16 at several
    times the rate of float32, others at half of it, and what they say of themselves does not tell which; nor is minimal
    filtering, which takes a quarter of the products, exact enough in half precision. So it is measured, once per
    process, in a few hundredths of a second. GPUs are always faster in half precision.
    """
    if stored not in (torch.bfloat16, torch.float16) or device.type != "cpu":
        return stored
    with torch.inference_mode():
        direct = _direct(stored), _direct(torch.float32)
        runs = {stored: direct[:1], torch.float32: (direct[1], _tiled())}
        seconds = dict.fromkeys(runs, float("inf"))
        for _ in range(_ROUNDS):
            for dtype, ways in runs.items():
                seconds[dtype] = min(seconds[dtype], *map(_seconds, ways))
    return stored if seconds[stored] * _CLEAR_LEAD < seconds[torch.float32] else torch.float32


def _direct(dtype: torch.dtype) -> Callable[[], Tensor]:
    shape = (1, _CHANNELS, SEEN, TILE * _TILES, _DEPTH)
    x = torch.ones(*shape, dtype=dtype).to(memory_format=torch.channels_last_3d)
    weight = torch.ones(_CHANNELS, _CHANNELS, 3, 3, 3, dtype=dtype).to(memory_format=torch.channels_last_3d)
    return lambda: F.conv3d(x, weight, padding=(0, 1, 1))


def _tiled() -> Callable[[], Tensor]:
    convolution = TiledConvolution(torch.ones(_CHANNELS, _CHANNELS, 3, 3, 3))
    tiles = torch.ones(SEEN, SEEN, _TILES, _DEPTH + 2, _CHANNELS)
    out = torch.empty(TILE, TILE * _TILES, _DEPTH, _CHANNELS)
    return lambda: convolution(tiles, out)


def _seconds(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
