"""Keys and waiting with what a real Slicer has: events are sent, and every wait has a deadline."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import qt
import slicer

_PAUSE_SECONDS = 0.01


def press(widget: Any, key: Any, modifiers: Any = None, text: str = "") -> None:
    """One key, pressed and let go."""
    modifiers = qt.Qt.NoModifier if modifiers is None else modifiers
    for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
        slicer.app.sendEvent(widget, qt.QKeyEvent(kind, key, modifiers, text))
    slicer.app.processEvents()


def typeText(widget: Any, text: str) -> None:
    """Letters one by one, to the widget itself.

    Not to the list that opens below it: QCompleter closes the list after a letter that came through it while its widget
    has no focus, and where no window manager makes a window active, nothing ever has.
    """
    for letter in text:
        press(widget, ord(letter.upper()), text=letter)


def settle(seconds: float = 0.1) -> None:
    """Let Slicer handle what waits, timers too."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        slicer.app.processEvents()
        time.sleep(_PAUSE_SECONDS)


def waitFor(condition: Callable[[], Any], seconds: float, what: str) -> None:
    """Let Slicer live until the condition holds.

    Raises
    ------
    AssertionError
        It did not hold within this time.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"Waited {seconds:.0f} s in vain for {what}.")
        slicer.app.processEvents()
        time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def printedErrors() -> Iterator[list[BaseException]]:
    """The exceptions in slots and overrides: PythonQt prints them, and nobody else hears of them."""
    errors: list[BaseException] = []
    before = sys.excepthook

    def note(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        errors.append(error)
        before(kind, error, trace)

    sys.excepthook = note
    try:
        yield errors
    finally:
        sys.excepthook = before
