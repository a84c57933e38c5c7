"""What is computed in pieces ends between two of them where its caller says so."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from SATSegmentLib.sat.interrupt import check_interrupt, interruptible
from SATSegmentLib.sat.workers import side_by_side


class Ended(Exception):
    pass


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    monkeypatch.setattr("SATSegmentLib.sat.workers.cores", lambda: 3)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def ends_after(seconds: float):
    """A check that ends what it is asked by once so many seconds have gone, and only from this thread."""
    started, thread = time.monotonic(), threading.get_ident()

    def check() -> None:
        assert threading.get_ident() == thread
        if time.monotonic() > started + seconds:
            raise Ended

    return check


def test_many_pieces_end_before_the_next_one(threads):
    done: list[int] = []
    with pytest.raises(Ended), interruptible(ends_after(0.1)):
        side_by_side(range(1000), lambda item, _: done.append(item) or time.sleep(0.01))
    assert 0 < len(done) < 300


def test_one_long_piece_ends_where_it_looks(threads):
    looked: list[int] = []

    def long(item: int, _) -> None:
        for _turn in range(1000):
            check_interrupt()
            looked.append(item)
            time.sleep(0.01)

    with pytest.raises(Ended), interruptible(ends_after(0.1)):
        side_by_side([1, 2], long)
    assert 0 < len(looked) < 300
    assert side_by_side([3, 4], lambda item, _: item) == [3, 4]  # and the workers live on


def test_many_short_calls_end_as_well(threads):
    calls: list[int] = []

    def many() -> None:
        for call in range(100_000):
            side_by_side([call], lambda item, _: calls.append(item))

    with pytest.raises(Ended), interruptible(ends_after(0.1)):
        many()
    assert 0 < len(calls) < 100_000


def test_the_caller_is_asked_some_times_a_second_and_not_again_outside():
    asked: list[float] = []
    with interruptible(lambda: asked.append(time.monotonic())):
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            check_interrupt()
    assert 1 <= len(asked) <= 6
    count = len(asked)
    check_interrupt()
    assert len(asked) == count
