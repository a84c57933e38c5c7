"""Counts the bytes that operations read and write, whether or not they are in a cache."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_FREE = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "set", "detach", "_unsafe_view"}
_WRITE_ONLY = {"copy", "zero", "fill"}


class MemoryTraffic(TorchDispatchMode):
    """While entered, adds up `bytes` by place, which may be set, and by kind of operation.

    Views and allocations count nothing. What an operation copies within itself is only seen where it is known: numbers
    that are added to wider ones are widened first.

    Parameters
    ----------
    kind_of : callable
        The kind of an operation by its name, such as "leaky_relu_"; None for those that do not count.
    """

    def __init__(self, kind_of: Callable[[str], str | None]) -> None:
        super().__init__()
        self.place = ""
        self.bytes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._kind_of = kind_of

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        kind = self._kind_of(name)
        if kind is not None and name.rstrip("_") not in _FREE and not name.startswith("prim::"):
            self.bytes[self.place][kind] += sum(_bytes(func._schema, name, args, kwargs or {}, result))
        return result


def _bytes(schema: Any, name: str, args: Any, kwargs: Any, result: Any) -> Iterator[int]:
    aliases = [one.alias_info for one in schema.returns if one.alias_info is not None]
    if aliases and not any(alias.is_write for alias in aliases):
        return  # a view
    given = dict(zip((one.name for one in schema.arguments), args, strict=False)) | kwargs
    written = [
        given[one.name]
        for one in schema.arguments
        if one.alias_info is not None and one.alias_info.is_write and given.get(one.name) is not None
    ]
    keywords = {one.name for one in schema.arguments if one.kwarg_only}
    wide = max((one.itemsize for one in tree_leaves(result) if isinstance(one, Tensor)), default=0)
    for argument, value in given.items():
        for tensor in tree_leaves(value):
            if not isinstance(tensor, Tensor):
                continue
            is_written = any(tensor is one for one in written)
            if is_written:
                yield _size(tensor)
            if not is_written or (argument not in keywords and name.rstrip("_") not in _WRITE_ONLY):
                yield _size(tensor)
                if name.startswith("add") and tensor.itemsize < wide and tensor.dim() > 1:
                    yield 2 * _size(tensor) * wide // tensor.itemsize
    if not aliases:
        yield from (_size(one) for one in tree_leaves(result) if isinstance(one, Tensor))


def _size(tensor: Tensor) -> int:
    """Bytes, those once that are repeated by a stride of 0."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return math.prod(side for side, stride in sides if stride) * tensor.itemsize
