"""The image features of a scan's windows: computed when first asked for, kept while they are still needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from SATSegmentLib.sat.network import Features


class WindowFeatures:
    """Features by window number, with a bound on the memory they take.

    Features of prompts to come must be kept, and a whole-body scan's would fill any machine: what goes beyond
    the budget is written to a temporary folder and mapped back into memory when it is needed again.

    Parameters
    ----------
    encode: makes the features of a window.
    budget_bytes: how much may stay in memory.
    """

    def __init__(self, encode: Callable[[int], Features], budget_bytes: int) -> None:
        self._encode = encode
        self._budget = budget_bytes
        self._kept: dict[int, Features] = {}
        self._spilled: dict[int, tuple[Tensor, torch.Size, torch.dtype]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> WindowFeatures:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._kept.clear()
        self._spilled.clear()
        if self._folder is not None:
            self._folder.cleanup()

    def has(self, window: int) -> bool:
        """Whether `get` would answer without encoding."""
        return window in self._kept or window in self._spilled

    def get(self, window: int, keep: bool) -> Features:
        """The features of a window; `keep` says whether they will be asked for again."""
        if window in self._kept:
            return self._kept[window] if keep else self._kept.pop(window)
        if window in self._spilled:
            return self._read(window)
        features = self._encode(window)
        if keep:
            self._store(window, features)
        return features

    def _store(self, window: int, features: Features) -> None:
        size = features.voxels.nbytes
        if size <= self._budget:
            self._budget -= size
            self._kept[window] = features
        else:
            self._write(window, features)

    def _write(self, window: int, features: Features) -> None:
        voxels = features.voxels.contiguous().cpu()
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="satsegment-features-")
            # As bytes, because NumPy, which writes the file, knows no bfloat16.
            voxels.view(torch.uint8).numpy().tofile(Path(self._folder.name) / f"{window}.bin")
        except OSError:
            return  # No room: the window is encoded again when it is needed.
        self._spilled[window] = (features.tokens, voxels.shape, voxels.dtype)

    def _read(self, window: int) -> Features:
        tokens, shape, dtype = self._spilled[window]
        assert self._folder is not None
        path = str(Path(self._folder.name) / f"{window}.bin")
        voxels = torch.from_file(path, shared=False, size=shape.numel(), dtype=dtype).view(shape)
        return Features(tokens, voxels.to(tokens.device))
