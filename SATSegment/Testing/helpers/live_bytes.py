"""Counts the bytes of tensors that are alive, operation by operation."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from SATSegmentLib.sat import workers


class LiveBytes(TorchDispatchMode):
    """While entered, `peak` grows to the most bytes of tensors alive at the end of any operation.

    Storages are counted, once each: views are free. What an operation allocates and frees within itself (a reordered
    copy of a convolution's input, say) is not seen; the resident set is.

    Parameters
    ----------
    held: tensors that exist already and count, such as weights and the input.
    threads: how many strips are computed at a time, and seen.
    """

    def __init__(self, held: Iterable[torch.Tensor] = (), threads: int = 1) -> None:
        super().__init__()
        self._wanted = threads
        self._seeing = threading.Lock()
        self._patch = pytest.MonkeyPatch()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._total = 0
        self.peak = 0
        self._threads = torch.get_num_threads()
        self._see(held)

    def __enter__(self) -> LiveBytes:
        torch.set_num_threads(self._wanted)
        if self._wanted > 1:
            pool = ThreadPoolExecutor(self._wanted, initializer=torch.set_num_threads, initargs=(1,))
            work_off, counter = workers._Queue.work_off, self

            def seen(queue: Any, space: Any) -> None:
                with _Worker(counter):
                    work_off(queue, space)

            self._patch.setattr(workers, "cores", lambda: self._wanted)
            self._patch.setattr(workers, "_pool", lambda _: pool)
            self._patch.setattr(workers._Queue, "work_off", seen)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._patch.undo()
        torch.set_num_threads(self._threads)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.see(result)
        return result

    def see(self, result: Any) -> None:
        """Count what an operation gave."""
        with self._seeing:
            self._see(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))

    def _see(self, tensors: Iterable[torch.Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            reference = StorageWeakRef(storage)
            known = self._alive.get(reference.cdata)
            self._total += storage.nbytes() - (known[1] if known else 0)
            self._alive[reference.cdata] = (reference, storage.nbytes())
        # The sum still counts what has died since: only where it would be a new peak it has to be exact.
        if self._total > self.peak:
            self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
            self._total = sum(size for _, size in self._alive.values())
            self.peak = max(self.peak, self._total)


class _Worker(TorchDispatchMode):
    """What another thread's operations give is counted, too."""

    def __init__(self, counter: LiveBytes) -> None:
        super().__init__()
        self._counter = counter

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._counter.see(result)
        return result
