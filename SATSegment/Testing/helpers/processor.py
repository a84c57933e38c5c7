"""How much slower this machine's processor works now than a quiet one: others share its caches and its cores."""

from __future__ import annotations

import time

# What the fixed work takes on one quiet core of the machine that the tests' limits were written on.
_QUIET_SECONDS = 0.016


def slowdown() -> float:
    """At least 1; a limit on processor work is multiplied by it."""
    return max(1.0, sorted(_fixedWork() for _ in range(5))[2] / _QUIET_SECONDS)


def _fixedWork() -> float:
    began = time.thread_time()
    sum(range(1_000_000))
    return time.thread_time() - began
