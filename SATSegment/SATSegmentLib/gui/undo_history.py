"""The steps that can be taken back, and those that can be done again. No widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

MOST_STEPS = 20


class Undoable(Protocol):
    """What `mrml.undo.RunUndo` has."""

    segmentationNode: Any

    @property
    def possible(self) -> bool: ...
    def editedIds(self) -> set[str]: ...
    def editedSince(self) -> list[str]: ...
    def restamp(self, edited: set[str]) -> None: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Step:
    """One thing that a user did.

    Attributes
    ----------
    name : str
        What it was, to be read after "Undo": "threshold of right putamen".
    change : Undoable
        Takes it back.
    brief : str
        For a narrow button: "Undo threshold".
    """

    name: str
    change: Undoable
    brief: str = ""


class UndoHistory:
    """The last `MOST_STEPS` steps; a new step makes those that were taken back forgotten.

    Parameters
    ----------
    confirm : callable
        Gets the names of segments that a user has edited since a step; returns whether these edits may go.
    """

    def __init__(self, confirm: Callable[[list[str]], bool]) -> None:
        self._confirm = confirm
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._working = False

    @property
    def undoName(self) -> str:
        """The step that `undo` would take back; empty where there is none."""
        return self._done[-1].name if self._done else ""

    @property
    def undoBrief(self) -> str:
        """The button's short text for the step that `undo` would take back; may be empty."""
        return self._done[-1].brief if self._done else ""

    @property
    def redoName(self) -> str:
        """The step that `redo` would do again; empty where there is none."""
        return self._undone[-1].name if self._undone else ""

    def add(self, name: str, change: Any, brief: str = "") -> None:
        """Remember a step that was just done."""
        for step in self._done:
            if hasattr(change, "stampsBefore") and hasattr(step.change, "editedBefore"):
                step.change.restamp(step.change.editedBefore(change))
        self._done = [*self._done, Step(name, change, brief)][-MOST_STEPS:]
        self._undone = []

    def undo(self) -> Step | None:
        """Take the last step back; returns it, or None where there is none or the user says no."""
        return self._move(self._done, self._undone, lambda step: step.change.undo())

    def redo(self) -> Step | None:
        """Do the step again that was taken back last."""
        return self._move(self._undone, self._done, lambda step: step.change.redo())

    def nodeRemoved(self) -> None:
        """A node has left the scene: steps that changed it cannot be taken back any more."""
        if not self._working:
            self._done = [step for step in self._done if step.change.possible]
            self._undone = [step for step in self._undone if step.change.possible]

    def clear(self) -> None:
        self._done, self._undone = [], []

    def _move(self, source: list[Step], target: list[Step], act: Callable[[Step], None]) -> Step | None:
        if not source:
            return None
        step = source[-1]
        edited = step.change.editedSince()
        if edited and not self._confirm(edited):
            return None
        with self._unseen(step):
            act(step)
        source.remove(step)
        target.append(step)
        return step

    @contextmanager
    def _unseen(self, acting: Step) -> Iterator[None]:
        """What we do ourselves counts as no edit of the user's in the other steps."""
        others = [step for step in (*self._done, *self._undone) if step is not acting]
        edited = [(step, step.change.editedIds()) for step in others]
        self._working = True
        try:
            yield
        finally:
            self._working = False
        for step, ids in edited:
            step.change.restamp(ids)
