"""How far a run has come, and whether the user still wants it."""

from __future__ import annotations

import time
from collections.abc import Callable

from SATSegmentLib.errors import Cancelled
from SATSegmentLib.types import Progress

ProgressCallback = Callable[[Progress], None]
CancelCallback = Callable[[], bool]


class Run:
    """Counts work done against work planned, tells a callback, and stops when it is told to.

    Parameters
    ----------
    total: work planned, in any unit (here: multiply-accumulate operations).
    on_progress: called with a `Progress` after each step; may be None.
    is_cancelled: asked before each step; may be None.
    """

    def __init__(self, total: float, on_progress: ProgressCallback | None, is_cancelled: CancelCallback | None) -> None:
        self._total = max(total, 1.0)
        self._done = 0.0
        self._started = time.monotonic()
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled

    def check(self) -> None:
        """Raise `Cancelled` if the user no longer wants the result."""
        if self._is_cancelled is not None and self._is_cancelled():
            raise Cancelled

    def advance(self, work: float, stage: str) -> None:
        """Count `work` as done and report it; raises `Cancelled` like `check`."""
        self._done += work
        if self._on_progress is not None:
            fraction = min(self._done / self._total, 1.0)
            elapsed = time.monotonic() - self._started
            left = elapsed * (1 - fraction) / fraction if fraction > 0 else None
            self._on_progress(Progress(fraction, stage, left))
        self.check()
