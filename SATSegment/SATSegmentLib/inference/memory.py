"""Memory that ran out: noticing it, and giving back what nobody holds any more."""

from __future__ import annotations

import gc

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the computer or the graphics card has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("not enough memory", "out of memory")
    )


def free_memory() -> None:
    """Give back what nobody holds any more, on the graphics card too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
