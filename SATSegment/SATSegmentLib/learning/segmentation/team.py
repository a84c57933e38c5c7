"""The processes that train together, as PyTorch's own launcher (torchrun) starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from SATSegmentLib.learning.segmentation.errors import TrainingError


@dataclass(frozen=True)
class Team:
    """Who trains: `rank` of `size` processes, on `device`."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags.item())

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over all processes."""
        if self.size == 1:
            return values
        values = values.to(self.device)
        dist.all_reduce(values)
        return values / self.size

    def gather(self, mine: Any) -> list[Any]:
        """What each process has, by rank."""
        if self.size == 1:
            return [mine]
        everyone: list[Any] = [None] * self.size
        dist.all_gather_object(everyone, mine)
        return everyone


@contextlib.contextmanager
def joined(device: str = "auto") -> Iterator[Team]:
    """The team that torchrun's environment names, or this process alone.

    Parameters
    ----------
    device : str, optional
        "cpu", "cuda", or "auto": a GPU where there is one, and each process its own; "cuda:1" for a process alone.

    Raises
    ------
    TrainingError
        Several processes were given one GPU.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(device=torch.device(device))
        return
    if device.startswith("cuda:"):
        raise TrainingError(
            f"{size} processes cannot share the device {device}.",
            "Leave the device out, or say cuda: each takes its own.",
        )
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Team(dist.get_rank(), size, torch.device(device))
    finally:
        dist.destroy_process_group()
