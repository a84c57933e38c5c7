"""A training's log: one JSON object a line, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import OutputError, SATSegmentWarning
from SATSegmentLib.files import atomic_path

LOG_FILE = "log.jsonl"
_TENSORBOARD_FOLDER = "tensorboard"
_FLUSH_EVERY = 10


class Log:
    """Entries by step. Lines that go beyond the checkpoint a training goes on from are taken out.

    Parameters
    ----------
    folder : Path
        Of the training.
    first : int
        The step that comes next; later entries are of a run that was lost.

    Raises
    ------
    OutputError
        The log cannot be written.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self._path = folder / LOG_FILE
        _drop_from(self._path, first)
        self._board = _board(folder / _TENSORBOARD_FOLDER, first)
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise _failed(self._path, error) from error
        self._waiting = 0

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add an entry; numbers go to TensorBoard as well."""
        try:
            self._file.write(json.dumps(entry) + "\n")
            self._waiting += 1
            if self._waiting >= _FLUSH_EVERY:
                self.flush()
            for name, value in entry.items():
                if self._board is not None and name != "step" and isinstance(value, int | float):
                    self._board.add_scalar(name, value, entry["step"])
        except OSError as error:
            raise _failed(self._path, error) from error

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            self._file.flush()
        except OSError as error:
            raise _failed(self._path, error) from error
        self._waiting = 0

    def close(self) -> None:
        """Write what is waiting and close the files."""
        try:
            self._file.close()
            if self._board is not None:
                self._board.close()
        except OSError as error:
            raise _failed(self._path, error) from error


def _entries(path: Path) -> list[dict[str, Any]]:
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return entries


def _drop_from(path: Path, first: int) -> None:
    if not path.exists():
        return
    kept = [json.dumps(entry) + "\n" for entry in _entries(path) if entry["step"] < first]
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def _board(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        warnings.warn(
            f"TensorBoard is not installed: the training is logged to {LOG_FILE} only. "
            "For curves: pip install 'satsegment[training]'",
            SATSegmentWarning,
            stacklevel=2,
        )
        return None
    return SummaryWriter(str(folder), purge_step=first)


def _failed(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path.name} could not be written: {error.strerror or error}.",
        "Free some space and resume; the last checkpoint is whole.",
    )
