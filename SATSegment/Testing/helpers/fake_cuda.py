"""Tensors on a GPU that is not there, without data: what is on which device, in which layout, and how many bytes live.

PyTorch's fake tensors know devices, shapes, precisions and strides, and refuse to mix devices as a GPU does. A few of
their operations ask the CUDA runtime all the same where PyTorch was built without it; those are asked for by their
operators instead, which do not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from SATSegmentLib.sat.network import SATNetwork

GPU = torch.device("cuda:0")
_aten = torch.ops.aten


@contextlib.contextmanager
def fake_cuda() -> Iterator[None]:
    """While entered, `GPU` is a device whose tensors hold no data."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode(), _WithoutRuntime():
        yield


def without_data(network: SATNetwork, dtype: torch.dtype) -> SATNetwork:
    """A network's weights as `SATNetwork.settle` leaves them on `GPU`, without data; within `fake_cuda`."""
    for path, module in network.named_modules():
        # Mamba layers stay in float32.
        stored = dtype if path.startswith("backbone.") and "mamba_layers" not in path else torch.float32
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=stored, device=GPU), False))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=GPU))
    network.eval().backbone.arrange()
    return network


class _WithoutRuntime(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (way := _WAYS.get(func)) is not None:
            return way(*args, **kwargs)
        return func(*args, **kwargs)


def _copy(into: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return _aten.copy_.default(into, source, non_blocking)


def _contiguous(tensor: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    if tensor.is_contiguous(memory_format=memory_format):
        return tensor
    return _aten.clone.default(tensor, memory_format=memory_format)


def _item(tensor: Tensor, index: Any) -> Tensor:
    """Slices, integers, None, an ellipsis, and one tensor of places."""
    index = index if isinstance(index, tuple) else (index,)
    taken = sum(one is not None and one is not ... for one in index)
    axis = 0
    for one in index:
        if one is ...:
            axis += tensor.dim() - taken - axis
        elif one is None:
            tensor, axis, taken = _aten.unsqueeze.default(tensor, axis), axis + 1, taken + 1
        elif isinstance(one, slice):
            start, stop, step = one.indices(tensor.shape[axis])
            tensor, axis = _aten.slice.Tensor(tensor, axis, start, stop, step), axis + 1
        elif isinstance(one, Tensor):
            tensor, axis = _aten.index.Tensor(tensor, [None] * axis + [one.to(tensor.device)]), axis + 1
        else:
            tensor, taken = _aten.select.int(tensor, axis, one), taken - 1
    return tensor


def _set_item(tensor: Tensor, index: Any, value: Tensor) -> None:
    _aten.copy_.default(_item(tensor, index), value)


def _conv3d(
    voxels: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, *_: Any
) -> Tensor:
    """Channels last where the input or the weights are, as cuDNN's; PyTorch's fake asks this build's own backends."""
    kinds = {(one.device, one.dtype) for one in (voxels, weight, bias) if one is not None}
    assert len(kinds) == 1, kinds
    stride, padding = (one if isinstance(one, tuple) else (one,) * 3 for one in (stride, padding))
    sides = [
        (side + 2 * pad - taps) // step + 1
        for side, taps, step, pad in zip(voxels.shape[2:], weight.shape[2:], stride, padding, strict=True)
    ]
    last = any(
        one.stride(1) == 1 and one.is_contiguous(memory_format=torch.channels_last_3d) for one in (voxels, weight)
    )
    layout = torch.channels_last_3d if last else torch.contiguous_format
    shape = (len(voxels), len(weight), *sides)
    return torch.empty(shape, dtype=voxels.dtype, device=voxels.device, memory_format=layout)


def _without_numbers(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Numbers that are known would need a real device to be moved."""

    def made(*args: Any, **kwargs: Any) -> Tensor:
        real = make(*args, **kwargs)
        return torch.empty(real.shape, dtype=real.dtype)

    return made


def _statistics(voxels: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    """Of a batch norm: two numbers per channel, in float32, for which PyTorch has no fake."""
    return torch.empty(voxels.shape[1], device=voxels.device), torch.empty(voxels.shape[1], device=voxels.device)


_WAYS: dict[Any, Callable[..., Any]] = {
    Tensor.copy_: _copy,
    Tensor.contiguous: _contiguous,
    Tensor.__getitem__: _item,
    Tensor.__setitem__: _set_item,
    torch.tensor: _without_numbers(torch.tensor),
    torch.from_numpy: _without_numbers(torch.from_numpy),
    torch.batch_norm_update_stats: _statistics,
    torch.nn.functional.conv3d: _conv3d,
}
