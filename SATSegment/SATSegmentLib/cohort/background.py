"""One call in a thread of its own that a program which ends does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def in_background(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Begin a call, and return what will hold its result.

    Threads of a `ThreadPoolExecutor` are waited for at the end of a program: after Ctrl+C, for a scan on a slow disk.
    """
    future: Future[R] = Future()

    def answer() -> None:
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=answer, name=f"cohort {call.__name__}", daemon=True).start()
    return future
