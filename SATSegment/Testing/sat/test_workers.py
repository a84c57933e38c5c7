"""Pieces of work side by side: their results come in order, their errors reach the caller, and nothing hangs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest
import torch

from SATSegmentLib.sat import workers
from SATSegmentLib.sat.workers import side_by_side


@pytest.fixture(autouse=True)
def two(monkeypatch):
    """Two threads on many cores."""
    before = torch.get_num_threads()
    monkeypatch.setattr(workers, "cores", lambda: 8)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[1, 2, 3, 8])
def threads(two, request):
    """So many threads."""
    torch.set_num_threads(request.param)
    return request.param


def test_results_come_in_the_order_of_the_items(threads):
    def work(item: int, space: list[int]) -> int:
        time.sleep(0.001 * (item % 3))
        space.append(item)
        return item * item

    spaces: list[list[int]] = []

    def space() -> list[int]:
        spaces.append([])
        return spaces[-1]

    assert side_by_side(iter(range(40)), work, space) == [item * item for item in range(40)]
    assert len(spaces) == threads
    assert sorted(item for each in spaces for item in each) == list(range(40))
    assert side_by_side([], work, space) == []


def test_items_are_made_one_at_a_time_and_in_order(threads):
    made: list[int] = []
    busy = threading.Lock()

    def items():
        for number in range(20):
            assert busy.acquire(blocking=False)
            made.append(number)
            time.sleep(0.0005)
            busy.release()
            yield number

    side_by_side(items(), lambda item, _: time.sleep(0.001))
    assert made == list(range(20))


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_operations_take_one_thread_each_and_the_callers_modes(threads, mode):
    def seen(*_) -> tuple[int, bool, bool]:
        return torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    with mode():
        assert set(side_by_side(range(20), seen)) == {(1, *seen()[1:])}
    assert torch.get_num_threads() == threads
    started_later: list[int] = []
    thread = threading.Thread(target=lambda: started_later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert started_later == [threads]


def test_a_late_core_holds_no_other_up():
    done: dict[str, int] = {}

    def work(item: int, _) -> None:
        name = threading.current_thread().name
        done[name] = done.get(name, 0) + 1
        time.sleep(0.2 if item == 0 else 0.005)

    side_by_side(range(21), work)
    assert sorted(done.values()) == [1, 20]


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt, SystemExit])
def test_an_error_in_a_worker_ends_all_and_reaches_the_caller(threads, error):
    done: list[int] = []

    def work(item: int, _) -> None:
        if item == 5:
            raise error("of the fifth")
        time.sleep(0.002)
        done.append(item)

    with pytest.raises(error, match="of the fifth"):
        side_by_side(range(1000), work)
    assert len(done) < 100
    assert side_by_side(range(3), lambda item, _: item) == [0, 1, 2]  # and the workers live on


def test_an_error_in_the_items_reaches_the_caller(threads):
    def items():
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        side_by_side(items(), lambda item, _: item)


def test_an_error_lets_go_of_what_the_worker_held(threads):
    gone = threading.Event()

    class Held:
        def __del__(self) -> None:
            gone.set()

    def work(item: int, held: Held) -> None:
        raise ValueError("held")

    with pytest.raises(ValueError, match="held"):
        side_by_side([1], work, Held)
    assert gone.wait(2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a process there")
def test_a_cancelled_caller_waits_for_the_items_that_are_computed_and_no_longer():
    running: list[int] = []
    ended: list[int] = []

    def work(item: int, _) -> None:
        running.append(item)
        if item == 3:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.02)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(range(1000), work)
    assert sorted(running) == sorted(ended)
    assert len(ended) < 100


def test_workers_do_not_wait_for_workers_of_their_own(threads):
    def outer(item: int, _) -> int:
        return sum(side_by_side(range(item), lambda inner, _: inner))

    assert side_by_side(range(30), outer) == [sum(range(item)) for item in range(30)]


def test_several_callers_share_the_workers(threads):
    results: list[list[int]] = []
    callers = [
        threading.Thread(target=lambda: results.append(side_by_side(range(50), lambda item, _: item))) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=10)
    assert results == [list(range(50))] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_workers_of_its_own():
    side_by_side(range(4), lambda item, _: item)
    child = os.fork()
    if not child:
        os._exit(0 if side_by_side(range(4), lambda item, _: item) == [0, 1, 2, 3] else 1)
    limit = time.monotonic() + 10
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < limit:
        time.sleep(0.01)
    if not found[0]:
        os.kill(child, signal.SIGKILL)
    assert found == (child, 0)


def test_there_are_no_more_workers_than_cores_or_threads(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert workers.count() == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert workers.count() == 1
