"""Memory that ran out: noticing it, and giving back what nobody holds any more."""

from __future__ import annotations

import errno
import gc

import torch

from SATSegmentLib.errors import OutOfMemory

# What PyTorch and the libraries below it say where memory runs out; they have no type of their own for most of it.
_SAYINGS = (
    "out of memory",  # CUDA, MPS, HIP
    "can't allocate memory",  # the CPU on Linux and macOS
    "cannot allocate memory",  # the system's own words, as of mmap
    "not enough memory",  # the CPU on Windows
    "unable to allocate",
    "failed to allocate",
    "std::bad_alloc",
    "bad allocation",  # the same on Windows
    "alloc_failed",  # cuDNN, cuBLAS: CUDNN_STATUS_ALLOC_FAILED
    "cudaerrormemoryallocation",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the computer or the GPU has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(saying in text for saying in _SAYINGS)


def cuda_free_bytes(device: torch.device) -> int:
    """What this process may still allocate on a GPU: what is free, up to its own share, and what its allocator holds.

    The share is `torch.cuda.set_per_process_memory_fraction`'s, as a department sets it where several use one GPU.
    """
    free, total = torch.cuda.mem_get_info(device)
    # PyTorch before 2.8 does not tell the fraction.
    fraction = getattr(torch.cuda, "get_per_process_memory_fraction", lambda _: 1.0)(device)
    reserved, allocated = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
    return max(min(free, int(total * fraction) - reserved), 0) + reserved - allocated


def free_memory() -> None:
    """Give back what nobody holds any more, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def out_of_memory(device: torch.device) -> OutOfMemory:
    """The error to raise where a device has no memory left."""
    place = "The computer" if device.type == "cpu" else f"The GPU ({device})"
    return OutOfMemory(
        f"{place} ran out of memory. Nothing was lost.",
        "Close other programs, use SAT-Nano instead of SAT-Pro, or segment on the CPU.",
        device=str(device),
    )
