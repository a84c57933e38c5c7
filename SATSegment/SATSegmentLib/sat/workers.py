"""Several cores side by side: each takes the next piece of work from a queue, and computes it with one thread.

PyTorch's own threads meet at the end of every operation. A strip of a map takes thousands of small ones, so they mostly
wait for each other, and one core that is busy with something else holds all others up. Here a core that is late takes
fewer pieces. As each piece is computed by one thread, whoever it is, results are the same bits for any number of them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, Generic, TypeVar

import torch

from SATSegmentLib.sat.interrupt import check_interrupt, interruptible

Item = TypeVar("Item")
Result = TypeVar("Result")

_NAP_SECONDS = 0.1
_starting = threading.Lock()


def count() -> int:
    """How many pieces are computed at a time: as many as PyTorch has threads here, but no more than there are cores."""
    return min(torch.get_num_threads(), cores())


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(
    items: Iterable[Item], work: Callable[[Item, Any], Result], space: Callable[[], Any] = lambda: None
) -> list[Result]:
    """Compute all items, several at a time, and return their results in the order of the items.

    Cut a map by its own shape only, never by the number of workers: then results are the same bits for any number. Do
    not meet the other workers within `work`; what depends on several items is put together from the results afterwards.
    Operations within `work` take one thread each, so everything that costs time belongs into it, products of weights
    included: what is computed between two calls waits on one core or meets at every operation. With one thread, and
    within `work` itself, items are computed one after the other in the calling thread.

    Parameters
    ----------
    items : Iterable
        Taken one at a time and in order, in the worker that is to compute it, while no other takes one. So an iterator
        may keep what the next item is going to overwrite.
    work : callable
        Takes an item and the worker's space; grad and inference mode are the caller's. An error, a KeyboardInterrupt
        in the caller, or what `sat.interrupt` ends it with, ends all workers after the items that they are at, or
        where `work` calls `check_interrupt`, and is raised here.
    space : callable, optional
        Makes what each worker keeps from one item to the next. Called here, once for each of `count()` workers at most.

    Returns
    -------
    list
        One result for each item.
    """
    check_interrupt()
    workers = count()
    if torch.get_num_threads() == 1:
        own, results = space(), []
        for item in items:
            check_interrupt()
            results.append(work(item, own))
        return results
    queue = _Queue(items, work)
    pool, futures = _pool(os.getpid()), []
    try:
        futures = [pool.submit(queue.work_off, space()) for _ in range(workers)]
        _wait(futures, check_interrupt)
    except BaseException:
        queue.stop()
        _wait(futures)  # they write into the caller's maps
        raise
    return queue.results()


def with_one_thread(work: Callable[[], Result]) -> Result:
    """Compute one piece as `side_by_side` computes each of several, so that its bits are those of any number."""
    return side_by_side([work], lambda one, _: one())[0]


def on_cores(parts: Sequence[Item], work: Callable[[Item, None], Result], device: torch.device) -> list[Result]:
    """Side by side on a CPU's cores; with gradients, and on a GPU, one after the other."""
    if torch.is_grad_enabled() or device.type != "cpu":
        return [work(part, None) for part in parts]
    return side_by_side(parts, work)


class _Stopped(BaseException):
    """An item was left because nobody wants its result any more."""


class _Queue(Generic[Item, Result]):
    """Items that several workers take, one at a time, and what became of them."""

    def __init__(self, items: Iterable[Item], work: Callable[[Item, Any], Result]) -> None:
        self._items: Iterator[tuple[int, Item]] = enumerate(items)
        self._work = work
        self._modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        self._taking = threading.Lock()
        self._results: dict[int, Result] = {}
        self._error: BaseException | None = None
        self._ended = False

    def work_off(self, space: Any) -> None:
        """Take items until there are none."""
        grad, inference = self._modes
        with torch.inference_mode(inference), torch.set_grad_enabled(grad), interruptible(self._check):
            try:
                while (taken := self._take()) is not None:
                    number, item = taken
                    self._results[number] = self._work(item, space)
                    del taken, item
            except _Stopped:
                pass
            except BaseException as error:  # whatever it is, the caller has to see it
                self._error = self._error or error
                self.stop()

    def _take(self) -> tuple[int, Item] | None:
        with self._taking:
            return None if self._ended else next(self._items, None)

    def stop(self) -> None:
        """Let no more items be taken, and those that are computed be left where they look for that."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            raise _Stopped

    def results(self) -> list[Result]:
        """Of all items; raises what a worker has raised."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # the frames that it knows hold maps
        return [self._results[number] for number in range(len(self._results))]


def _wait(futures: list[Future[None]], meanwhile: Callable[[], None] = lambda: None) -> None:
    """In short naps: a wait without an end is not interrupted on every system."""
    while wait(futures, _NAP_SECONDS).not_done:
        meanwhile()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads that last as long as the process: a fork has to make its own."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="strips", initializer=_take_one_thread)


def _take_one_thread() -> None:
    """Let operations in this thread be computed by it alone.

    The number is kept per thread, but what is set last is also what threads that start later begin with: that is put
    back, by a thread made for it.
    """
    with _starting:
        inherited = torch.get_num_threads()
        torch.set_num_threads(1)
        again = threading.Thread(target=torch.set_num_threads, args=(inherited,))
        again.start()
        again.join()
