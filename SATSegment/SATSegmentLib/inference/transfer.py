"""Copies between the computer's memory and a GPU, through two pinned buffers and on a stream of their own.

A GPU copies at full speed, and while it computes, only from and to memory that the system has pinned. Features are not
kept in such memory: it would be gigabytes that no other program can have, in pieces that PyTorch rounds up to powers of
two. They pass through two buffers instead: while one is on its way, the processor fills or empties the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

BUFFER_BYTES = 32 << 20


class Mark(Protocol):
    """A place in a stream's work."""

    def synchronize(self) -> None:
        """Wait until all work before it is done."""


class Lane(Protocol):
    """A stream for copies beside the stream that computes."""

    def pinned(self, count: int) -> Tensor:
        """(count,) bytes of pinned memory."""

    def allocate(self, count: int) -> Tensor:
        """(count,) bytes on the device that this lane may write to at once."""

    def copy(self, into: Tensor, source: Tensor) -> None:
        """Copy after what this lane was asked for before; returns at once."""

    def mark(self) -> Mark:
        """The place in this lane behind all that it was asked for."""

    def mark_computing(self) -> Mark:
        """The same of the stream that computes."""

    def follow(self) -> None:
        """Let this lane wait for what the computing stream was asked for so far."""

    def hand_over(self, tensor: Tensor, arrived: Mark) -> None:
        """Let the computing stream wait until `tensor` has arrived; its memory stays taken while it is used there."""


class CudaLane:
    """A stream of one CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def pinned(self, count: int) -> Tensor:
        """As in `Lane`."""
        return torch.empty(count, dtype=torch.uint8, pin_memory=True)

    def allocate(self, count: int) -> Tensor:
        """As in `Lane`: memory that the allocator keeps for this stream, so that no other has work left in it."""
        with torch.cuda.stream(self._stream):
            return torch.empty(count, dtype=torch.uint8, device=self._device)

    def copy(self, into: Tensor, source: Tensor) -> None:
        """As in `Lane`."""
        with torch.cuda.stream(self._stream):
            into.copy_(source, non_blocking=True)

    def mark(self) -> torch.cuda.Event:
        """As in `Lane`."""
        return self._stream.record_event()

    def mark_computing(self) -> torch.cuda.Event:
        """As in `Lane`."""
        return torch.cuda.current_stream(self._device).record_event()

    def follow(self) -> None:
        """As in `Lane`."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def hand_over(self, tensor: Tensor, arrived: Mark) -> None:
        """As in `Lane`."""
        computing = torch.cuda.current_stream(self._device)
        computing.wait_event(arrived)  # type: ignore[arg-type]
        tensor.record_stream(computing)


@dataclass(frozen=True, eq=False)
class Arriving:
    """A tensor on its way to the device."""

    tensor: Tensor
    bytes_: Tensor
    arrived: Mark
    lane: Lane

    def take(self) -> Tensor:
        """The tensor, for the stream that computes."""
        self.lane.hand_over(self.bytes_, self.arrived)
        return self.tensor


class Transfer:
    """Both ways between memory and one device.

    Parameters
    ----------
    lane : Lane
        Of the device.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._buffers = [lane.pinned(BUFFER_BYTES) for _ in range(2)]
        self._busy: list[Mark | None] = [None, None]
        self._turn = 0
        self._before: Mark | None = None

    def upload(self, source: Tensor) -> Arriving:
        """Begin to copy a tensor to the device.

        Returns when all of it has been read, and waits until the work that was asked for before the upload before this
        one is done: so at most two uploads' memory is held by tensors that were used in turn.
        """
        if self._before is not None:
            self._before.synchronize()
        self._before = self._lane.mark_computing()
        source = _dense(source)
        content = _content(source)
        target = self._lane.allocate(len(content))
        for piece in _pieces(len(content)):
            slot = self._next_slot()
            buffer = self._buffers[slot][: piece.stop - piece.start]
            buffer.copy_(content[piece])
            self._lane.copy(target[piece], buffer)
            self._busy[slot] = self._lane.mark()
        arrived = self._lane.mark()
        return Arriving(
            target.view(source.dtype).as_strided(source.shape, source.stride()), target, arrived, self._lane
        )

    def download(self, source: Tensor) -> Tensor:
        """A copy of a device's tensor in memory, in the same layout."""
        source = _dense(source)
        content = _content(source)
        target = torch.empty(len(content), dtype=torch.uint8)
        self._lane.follow()
        waiting: list[tuple[int, slice, Mark]] = []
        for piece in _pieces(len(content)):
            if len(waiting) == 2:
                self._empty(target, *waiting.pop(0))
            slot = self._next_slot()
            self._lane.copy(self._buffers[slot][: piece.stop - piece.start], content[piece])
            waiting.append((slot, piece, self._lane.mark()))
        for one in waiting:
            self._empty(target, *one)
        return target.view(source.dtype).as_strided(source.shape, source.stride())

    def _next_slot(self) -> int:
        """The buffer whose turn it is, once nothing reads it any more."""
        slot, self._turn = self._turn, 1 - self._turn
        if (busy := self._busy[slot]) is not None:
            busy.synchronize()
            self._busy[slot] = None
        return slot

    def _empty(self, target: Tensor, slot: int, piece: slice, arrived: Mark) -> None:
        arrived.synchronize()
        target[piece].copy_(self._buffers[slot][: piece.stop - piece.start])


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, BUFFER_BYTES):
        yield slice(start, min(start + BUFFER_BYTES, count))


def _dense(tensor: Tensor) -> Tensor:
    """The tensor, or a copy where it leaves gaps in memory."""
    if tensor.is_contiguous() or (tensor.dim() == 5 and tensor.is_contiguous(memory_format=torch.channels_last_3d)):
        return tensor
    return tensor.contiguous()


def _content(tensor: Tensor) -> Tensor:
    """(nbytes,) of a dense tensor, in the order of memory."""
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8)
