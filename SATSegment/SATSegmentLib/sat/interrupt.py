"""Ending a long computation between its pieces, however deep below the caller they are computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# How often a caller is asked at most.
_SECONDS = 0.05
_asked: ContextVar[Callable[[], None] | None] = ContextVar("asked", default=None)


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Within it, `check` is called between pieces of work; what it raises ends the work.

    It is called in this thread only, some times a second and not at the end.
    """
    last = time.monotonic()

    def often() -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            check()
            last = time.monotonic()

    token = _asked.set(often)
    try:
        yield
    finally:
        _asked.reset(token)


def check_interrupt() -> None:
    """Between two pieces of work: raise what the caller wants to end it with, if there is such a caller."""
    if (asked := _asked.get()) is not None:
        asked()
