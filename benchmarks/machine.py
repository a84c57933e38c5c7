"""What this machine can do at best, measured beside whatever is judged by it: rates, and the memory really used."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

import torch
import torch.nn.functional as F

now = time.perf_counter  # the clock that everything is measured with
_STATM = Path("/proc/self/statm")


def conv_rate(dtype: torch.dtype, layout: torch.memory_format = torch.contiguous_format) -> float:
    """GFLOP/s of conv3d 64 -> 64, 3x3x3, on 96x96x96 voxels."""
    x = torch.randn(1, 64, 96, 96, 96).to(dtype).contiguous(memory_format=layout)
    weight = (0.03 * torch.randn(64, 64, 3, 3, 3)).to(dtype).contiguous(memory_format=layout)
    return 2e-9 * 27 * 64 * 64 * 96**3 / _seconds(lambda: F.conv3d(x, weight, padding=1))


def matmul_rate(dtype: torch.dtype, side: int = 3072) -> float:
    """GFLOP/s of a square matrix product."""
    a, b = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
    return 2e-9 * side**3 / _seconds(lambda: a @ b)


def _seconds(run) -> float:
    with torch.inference_mode():
        run()
        start = now()
        run()
        return now() - start


class ResidentPeak:
    """While entered, follows the process's resident set: `peak` in bytes; NaN on systems other than Linux."""

    def __init__(self, every_seconds: float = 0.02) -> None:
        self.peak = float("nan")
        self._every = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> ResidentPeak:
        if _STATM.exists():
            self.peak = 0.0
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._stop.wait(self._every):
            self.peak = max(self.peak, int(_STATM.read_text().split()[1]) * page)
