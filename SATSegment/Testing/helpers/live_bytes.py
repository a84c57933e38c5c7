"""Counts the bytes of tensors that are alive, operation by operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """While entered, `peak` grows to the most bytes of tensors alive at the end of any operation.

    Storages are counted, once each: views are free. What an operation allocates and frees within itself (a reordered
    copy of a convolution's input, say) is not seen; the resident set is. Only this thread is seen, so there is but one.

    Parameters
    ----------
    held: tensors that exist already and count, such as weights and the input.
    """

    def __init__(self, held: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._total = 0
        self.peak = 0
        self._threads = torch.get_num_threads()
        self._see(held)

    def __enter__(self) -> LiveBytes:
        torch.set_num_threads(1)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        torch.set_num_threads(self._threads)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._see(leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))
        return result

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
