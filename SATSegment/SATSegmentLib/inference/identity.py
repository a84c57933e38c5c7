"""What tells features apart: the scan, the window, and the very weights that made them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from SATSegmentLib.types import FeatureStorage

# Of each tensor, how many values are looked at to notice that it was changed behind PyTorch's back.
_SAMPLE = 1024
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class FeatureKey:
    """One window's features.

    Attributes
    ----------
    weights : str
        Digest of the network's weights.
    device : str
        That they were computed on, and are used on.
    precision : str
        That they were computed in.
    storage : {"native", "uint8"}
        How they are kept.
    window : tuple of int
        Voxels of a window.
    scan : str
        Name of the prepared scan.
    corner : tuple of int
        The window's first voxel; scans that are covered with another overlap share windows in the same place.
    """

    weights: str
    device: str
    precision: str
    storage: FeatureStorage
    window: tuple[int, int, int]
    scan: str
    corner: tuple[int, int, int]


class Weights:
    """The weights of a network, by their content: two networks with the same weights share features, others never do.

    The digest is made once, and again where the weights were changed in place. PyTorch counts changes of a tensor; what
    went around that count (`.data`) is noticed by a sample of each tensor's values.

    Parameters
    ----------
    network : nn.Module
        On the device, and in the precision, that it runs in.
    known : str
        Digest of the file that the network has just been read from, so that none needs to be made; may be empty.
    """

    def __init__(self, network: nn.Module, known: str = "") -> None:
        self._network = network
        self._digest = known
        self._state = self._look() if known else None

    @property
    def digest(self) -> str:
        """SHA-256 that stands for all weights as they are now."""
        state = self._look()
        if state != self._state:
            self._state, self._digest = state, _digest(self._tensors())
        return self._digest

    def _tensors(self) -> list[Tensor]:
        return list(self._network.state_dict(keep_vars=True).values())

    def _look(self) -> tuple[tuple[tuple[int, int], ...], bytes]:
        tensors = self._tensors()
        return tuple(map(_stamp, tensors)), _sampled(tensors)


def _stamp(tensor: Tensor) -> tuple[int, int]:
    # A tensor that was made in inference mode has no count.
    return tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version


def _sampled(tensors: list[Tensor]) -> bytes:
    rows = []
    for tensor in tensors:
        flat = tensor.reshape(-1)
        rows.append(flat.detach()[:: max(flat.numel() // _SAMPLE, 1)].to(torch.float32))
    # All at once: each tensor by itself would wait for a GPU some hundred times.
    return torch.cat(rows).cpu().numpy().tobytes() if rows else b""


def _digest(tensors: list[Tensor]) -> str:
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        for start in range(0, data.numel(), _BLOCK_BYTES):
            content.update(data[start : start + _BLOCK_BYTES].cpu().numpy().data)
    return content.hexdigest()
