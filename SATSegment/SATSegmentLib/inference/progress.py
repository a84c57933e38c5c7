"""How far a run has come, what it has found so far, and whether the user still wants it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from SATSegmentLib.errors import Cancelled
from SATSegmentLib.types import Progress, SegmentResult

ProgressCallback = Callable[[Progress], None]
CancelCallback = Callable[[], bool]
# Gets a prompt's place among those that were asked for, and its result, as soon as it is known.
ResultCallback = Callable[[int, SegmentResult], None]


def check_cancelled(is_cancelled: CancelCallback | None) -> None:
    """Raise `Cancelled` if the user no longer wants the result."""
    if is_cancelled is not None and is_cancelled():
        raise Cancelled


class Run:
    """Counts work done against work expected, holds what is found, tells callbacks, and stops when it is told to.

    Parameters
    ----------
    on_progress : ProgressCallback | None, optional
        Called with a `Progress` after each step; may be None.
    is_cancelled : CancelCallback | None, optional
        Asked before each step; may be None.
    on_result : ResultCallback | None, optional
        Called with each result as soon as it is known; may be None.

    Attributes
    ----------
    results : dict[int, SegmentResult]
        What is found so far, by its place among the prompts.
    of_caller : BaseException | None
        What a callback has raised: whatever its type, it is no error of the run.
    """

    def __init__(
        self,
        on_progress: ProgressCallback | None = None,
        is_cancelled: CancelCallback | None = None,
        on_result: ResultCallback | None = None,
    ) -> None:
        self.results: dict[int, SegmentResult] = {}
        self.of_caller: BaseException | None = None
        self._total = 1.0
        self._done = self._reached = 0.0
        self._started: float | None = None
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._on_result = on_result

    def expect(self, work: float) -> None:
        """Set the remaining work, in any unit (here: multiply-accumulate operations)."""
        self._started = self._started or time.monotonic()
        self._total = max(self._done + work, 1.0)

    def less(self, work: float) -> None:
        """So much of what was expected need not be done."""
        self._total = max(self._total - work, self._done, 1.0)

    def check(self) -> None:
        """Raise `Cancelled` if the user no longer wants the result."""
        with self._callers():
            check_cancelled(self._is_cancelled)

    def found(self, index: int, result: SegmentResult, count: int) -> None:
        """Keep the result of one of `count` prompts and tell of it; raises `Cancelled` like `check`."""
        self.results[index] = result
        if self._on_result is not None:
            with self._callers():
                self._on_result(index, result)
        self.advance(0.0, f"{len(self.results)} of {count} structures")

    def advance(self, work: float, stage: str) -> None:
        """Count `work` as done and report it; raises `Cancelled` like `check`."""
        self._done += work
        if self._on_progress is not None:
            # Where work has to be done again the bar waits, it does not jump back.
            self._reached = fraction = max(min(self._done / self._total, 1.0), self._reached)
            elapsed = time.monotonic() - (self._started or time.monotonic())
            left = elapsed * (1 - fraction) / fraction if fraction > 0 else None
            with self._callers():
                self._on_progress(Progress(fraction, stage, left))
        self.check()

    @contextlib.contextmanager
    def _callers(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.of_caller = error
            raise
