"""Which precision a device convolves fastest in, whatever it stores its maps in."""

from __future__ import annotations

import time
from functools import cache

import torch
import torch.nn.functional as F

# A small lead is noise, and the wider type is the more exact one.
_CLEAR_LEAD = 1.15
_ROUNDS = 6


@cache
def arithmetic_dtype(stored: torch.dtype, device: torch.device) -> torch.dtype:
    """The precision to convolve in where maps are stored in `stored`: that, or float32 where it is no slower.

    Half precision halves memory everywhere, but not every processor is faster in it: some convolve bfloat16 at twice
    the rate of float32, others at half of it, and what they say of themselves does not tell which. So it is measured,
    once per process, in a few hundredths of a second. Graphics cards are always faster in half precision.
    """
    if stored not in (torch.bfloat16, torch.float16) or device.type != "cpu":
        return stored
    seconds = {stored: float("inf"), torch.float32: float("inf")}
    for _ in range(_ROUNDS):
        for dtype in seconds:
            seconds[dtype] = min(seconds[dtype], _convolution_seconds(dtype))
    return stored if seconds[stored] * _CLEAR_LEAD < seconds[torch.float32] else torch.float32


def _convolution_seconds(dtype: torch.dtype) -> float:
    x = torch.ones(1, 64, 4, 96, 16, dtype=dtype).to(memory_format=torch.channels_last_3d)
    weight = torch.ones(64, 64, 3, 3, 3, dtype=dtype).to(memory_format=torch.channels_last_3d)
    with torch.no_grad():
        F.conv3d(x, weight, padding=(0, 1, 1))
        start = time.perf_counter()
        F.conv3d(x, weight, padding=(0, 1, 1))
        return time.perf_counter() - start
