"""Hands on the widgets: keys, clicks, waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtTest, QtWidgets
from PySide6.QtCore import Qt

_NO = Qt.NoModifier


def press(widget: Any, key: Any, modifiers: Any = _NO, text: str = "") -> None:
    """One key, to the popup that is open, else to the widget, as the keyboard would send it."""
    target = QtWidgets.QApplication.activePopupWidget() or widget
    QtTest.QTest.keyClick(target, key, modifiers)
    settle()


def typeText(widget: Any, text: str) -> None:
    """Letters one by one."""
    for letter in text:
        QtTest.QTest.keyClick(QtWidgets.QApplication.activePopupWidget() or widget, letter)
    settle()


def click(widget: Any, modifiers: Any = _NO) -> None:
    """The left mouse button in the middle of the widget."""
    QtTest.QTest.mouseClick(widget, Qt.LeftButton, modifiers)
    settle()


def settle() -> None:
    """Let the events that wait be handled, deletions too."""
    for _ in range(3):
        QtCore.QCoreApplication.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


def waitFor(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> None:
    """Run the event loop until the condition holds; AssertionError after that many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what or condition}")
        QtCore.QCoreApplication.processEvents(QtCore.QEventLoop.AllEvents, 20)
        time.sleep(0.005)
