"""Seconds of short work."""

from __future__ import annotations

import pytest
import torch

from SATSegmentLib.sat import timing


@pytest.mark.parametrize(
    ("runs", "seconds", "asked"),
    [
        ([9, 0.01, 0.03, 0.01], 0.01, 4),  # one that was disturbed does not count
        ([9, 0.06, 0.06], 0.06, 3),
        ([9, 2], 2, 2),  # a long one is not repeated
    ],
)
def test_seconds_are_the_median_of_short_runs_after_the_first(monkeypatch, runs, seconds, asked):
    clock, left = [0.0], list(runs)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def run() -> None:
        clock[0] += left.pop(0)

    assert timing.seconds_of(run, torch.device("cpu")) == pytest.approx(seconds)
    assert len(runs) - len(left) == asked
