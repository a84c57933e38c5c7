"""A signal for Python objects: `qt.Signal` in a Python class crashes PythonQt."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any


class Signal:
    """Calls what is connected to it, in the order of connecting.

    Connecting twice calls once; a slot may disconnect itself or others while it is called.
    """

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Nothing happens where it is not connected."""
        if slot in self._slots:
            self._slots.remove(slot)

    def disconnectAll(self) -> None:
        self._slots.clear()

    def emit(self, *arguments: Any) -> None:
        for slot in list(self._slots):
            if slot in self._slots:
                slot(*arguments)


class Connections:
    """Qt connections that are let go of together, so that a panel can be reloaded.

    PythonQt holds a strong reference to every connected method: what is not disconnected lives on after a reload.
    """

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Callable[..., Any]]] = []
        self._filters: list[tuple[Any, Any]] = []

    def connect(self, source: Any, signature: str, slot: Callable[..., Any]) -> None:
        """`source.connect("clicked()", slot)`, remembered."""
        source.connect(signature, slot)
        self._made.append((source, signature, slot))

    def filterEvents(self, target: Any, eventFilter: Any) -> None:
        """`target.installEventFilter(eventFilter)`, remembered with the filter itself."""
        target.installEventFilter(eventFilter)
        self._filters.append((target, eventFilter))

    def release(self) -> None:
        for source, signature, slot in self._made:
            with contextlib.suppress(ValueError):  # PythonQt's for an object that is destroyed, connections and all
                source.disconnect(signature, slot)
        for target, eventFilter in self._filters:
            with contextlib.suppress(ValueError):
                target.removeEventFilter(eventFilter)
        self._made, self._filters = [], []
