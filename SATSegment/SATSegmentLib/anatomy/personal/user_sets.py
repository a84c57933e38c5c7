"""A user's own sets of structures, and what was asked for lately: one plain JSON file.

The caller says where the file lies. It is written as a whole or not at all, and a file that cannot be read is never
written over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.types import MODALITIES, Prompt

HISTORY_LENGTH = 200
_FORMAT = "satsegment-sets"
_VERSION = 1


class UserSetsError(SATSegmentError):
    """The file of the user's sets is damaged, or is something else."""


class UserSets:
    """The sets and the history in one file; every change is written at once.

    Parameters
    ----------
    path : Path
        The file; it need not exist yet.

    Raises
    ------
    UserSetsError
        The file is there and cannot be understood. It is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._sets: dict[str, tuple[Prompt, ...]] = {}
        self._history: list[Prompt] = []
        if self.path.exists():
            self._sets, self._history = _read(self.path)

    @property
    def sets(self) -> dict[str, tuple[Prompt, ...]]:
        """Name -> prompts, in the order they were made."""
        return dict(self._sets)

    @property
    def history(self) -> tuple[Prompt, ...]:
        """What was asked for, the latest first, each once."""
        return tuple(self._history)

    def save(self, name: str, prompts: Iterable[Prompt]) -> None:
        """Keep prompts under a name; a set of this name is replaced."""
        chosen = tuple(dict.fromkeys(prompts))
        if not name.strip():
            raise UserSetsError("The set has no name.", "Give it one.")
        if not chosen:
            raise UserSetsError(f'The set "{name}" is empty.', "Choose structures first.")
        self._write({**self._sets, name.strip(): chosen}, self._history)

    def remove(self, name: str) -> None:
        """Forget a set.

        Raises
        ------
        KeyError
            There is none of this name.
        """
        rest = dict(self._sets)
        del rest[name]
        self._write(rest, self._history)

    def remember(self, prompts: Iterable[Prompt]) -> None:
        """Put prompts at the front of the history."""
        self._write(self._sets, list(dict.fromkeys([*prompts, *self._history]))[:HISTORY_LENGTH])

    def clear_history(self) -> None:
        """Forget what was asked for."""
        self._write(self._sets, [])

    def export_sets(self, path: Path, names: Iterable[str] | None = None) -> None:
        """Write sets, without the history, to a file for others; all of them where no names are given."""
        chosen = self._sets if names is None else {name: self._sets[name] for name in names}
        _write_file(Path(path), _document(chosen, []))

    def import_sets(self, path: Path) -> tuple[str, ...]:
        """Add the sets of an exported file; a name that is taken gets a number. Returns the names.

        Raises
        ------
        UserSetsError
            The file cannot be read or understood; nothing is changed.
        """
        found, _ = _read(Path(path))
        merged, names = dict(self._sets), []
        for name, prompts in found.items():
            if merged.get(name) == prompts:
                names.append(name)
                continue
            free, number = name, 2
            while free in merged:
                free, number = f"{name} ({number})", number + 1
            merged[free] = prompts
            names.append(free)
        self._write(merged, self._history)
        return tuple(names)

    def _write(self, sets: dict[str, tuple[Prompt, ...]], history: list[Prompt]) -> None:
        _write_file(self.path, _document(sets, history))
        self._sets, self._history = sets, history


def _document(sets: dict[str, tuple[Prompt, ...]], history: list[Prompt]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "sets": {name: [asdict(prompt) for prompt in prompts] for name, prompts in sets.items()},
        "history": [asdict(prompt) for prompt in history],
    }


def _read(path: Path) -> tuple[dict[str, tuple[Prompt, ...]], list[Prompt]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT or document["version"] != _VERSION:
            raise ValueError("another format")
        sets = {str(name): tuple(map(_prompt, prompts)) for name, prompts in document["sets"].items()}
        return sets, [_prompt(prompt) for prompt in document["history"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserSetsError(
            f"The file of saved sets cannot be read: {path}.",
            "It was left as it is. Repair it, or move it away to start with an empty list.",
        ) from error


def _prompt(data: dict[str, Any]) -> Prompt:
    prompt = Prompt(**data)
    if prompt.modality not in MODALITIES or not isinstance(prompt.text, str) or not isinstance(prompt.trained, bool):
        raise ValueError(f"not a prompt: {data}")
    return prompt


def _write_file(path: Path, document: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        # Where the folder cannot be made, writing says why.
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
