"""PyTorch's files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from SATSegmentLib.files import atomic_path


def save_atomically(content: Mapping[str, Any], path: Path) -> None:
    """`torch.save`, whole or not at all, over an older file of that name.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with atomic_path(path, overwrite=True) as temporary, temporary.open("wb") as file:
        sink = _Sink(file)
        try:
            torch.save(content, sink)  # type: ignore[arg-type]
        except RuntimeError:
            # PyTorch says only that writing failed; the operating system's reason decides what to tell.
            if sink.reason is not None:
                raise sink.reason from None
            raise


class _Sink:
    """A file that remembers why writing failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.reason: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.reason = self.reason or error
            raise

    def flush(self) -> None:
        self._file.flush()
