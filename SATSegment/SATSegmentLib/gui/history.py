"""The user's own sets and what was asked for lately, in one file beside Slicer's settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import qt

from SATSegmentLib.anatomy import UserSets
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.gui.popup_rows import ROWS, Row, rowOfPrompt
from SATSegmentLib.types import Modality, Prompt

FILE_NAME = "SATSegment-sets.json"


class History:
    """Reads and writes the user's sets; a damaged file is left alone, and `problem` says so.

    Parameters
    ----------
    path : Path | None, optional
        The file; beside Slicer's settings where none is given.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else Path(qt.QSettings().fileName()).parent / FILE_NAME
        self.problem = ""
        self._sets: UserSets | None = None
        try:
            self._sets = UserSets(self.path)
        except SATSegmentError as error:
            self.problem = str(error)

    @property
    def sets(self) -> dict[str, tuple[Prompt, ...]]:
        return self._sets.sets if self._sets is not None else {}

    def recent(self, modality: Modality, limit: int = ROWS) -> tuple[Row, ...]:
        """What was asked for lately in a modality, the latest first."""
        if self._sets is None:
            return ()
        prompts = [prompt for prompt in self._sets.history if prompt.modality == modality]
        return tuple(rowOfPrompt(prompt) for prompt in prompts[:limit])

    def remember(self, prompts: Iterable[Prompt]) -> None:
        """Put what is run to the front. A file that cannot be written is no reason to stop a run."""
        if self._sets is None:
            return
        try:
            self._sets.remember(prompts)
        except (SATSegmentError, OSError):
            logging.warning("SATSegment: the history of prompts could not be written to %s.", self.path)

    def save(self, name: str, prompts: Iterable[Prompt]) -> None:
        """Keep prompts as a set of the user's.

        Raises
        ------
        SATSegmentError
            The file cannot be read or written.
        """
        self._readable().save(name, prompts)

    def remove(self, name: str) -> None:
        """Forget a set; SATSegmentError as in `save`, KeyError where there is none of this name."""
        self._readable().remove(name)

    def clear(self) -> None:
        """Forget what was asked for."""
        self._readable().clear_history()

    def _readable(self) -> UserSets:
        if self._sets is None:
            raise SATSegmentError(self.problem)
        return self._sets
