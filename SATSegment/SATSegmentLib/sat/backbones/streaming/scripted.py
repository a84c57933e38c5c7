"""Many operations in one go: a worker that begins them one by one in Python waits for the other workers each time.

PyTorch computes without Python's lock, but takes it to begin an operation. Where operations take microseconds, workers
meet there. A function in TorchScript takes it once.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_compiling = threading.Lock()


def scripted(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function, compiled in its first call; where PyTorch cannot do that, as it is: the same bits, slower.

    PyTorch calls TorchScript deprecated. What it recommends instead takes a C++ compiler.
    """
    compiled: list[Callable[Arguments, Result]] = []

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        if not compiled:
            with _compiling:
                if not compiled:
                    compiled.append(_compiled(function))
        return compiled[0](*args, **kwargs)

    return call


def _compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated
        try:
            made: Callable[Arguments, Result] = torch.jit.script(function)
        except (AttributeError, NotImplementedError, OSError, RuntimeError):  # OSError: the source is not there
            return function
    return made
