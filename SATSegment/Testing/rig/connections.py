"""`connect`, `disconnect` and slots as PythonQt has them.

* `object.connect("textEdited(QString)", slot)` and `object.textEdited.connect(slot)`; by the bare name, it is the first
  signal of that name in the class, with all its arguments (`clicked.connect(f)` calls `f(False)`);
* a slot that is a function or method gets as many arguments as it names, defaults too; every other callable gets all;
* an exception in a slot is printed, and whoever emitted goes on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore
from PySide6.QtCore import QObject, SignalInstance
from rig.api import classes
from rig.wrappers import checkAlive, printError

_ALL = 99
# (slot, what is connected in its place), by address of the emitter and normalized signature.
_Made = list[tuple[Callable[..., Any], Callable[..., Any]]]
_made: dict[int, dict[str, _Made]] = {}
# The recorder could make no QShortcut, and so saw its names but not which of them are properties or signals.
NOT_RECORDED = {"QShortcut"}
# PySide6's own, before they are changed.
_NATIVE_META, _NATIVE_LOOKUP = QObject.metaObject, QObject.__getattribute__


def connect(self: QObject, signature: str, slot: Callable[..., Any]) -> bool:
    """Connect by signature.

    Raises
    ------
    ValueError: there is no such signal. PythonQt would print a line and return False.
    """
    _check(self, signature)
    return _attach(self, signature, slot)


def _attach(self: QObject, signature: str, slot: Callable[..., Any]) -> bool:
    checkAlive(self, "call 'connect' on")
    takes = min(len(_kinds(signature)), _arguments(slot))

    def trampoline(*arguments: Any) -> None:
        try:
            slot(*arguments[:takes])
        except BaseException:
            printError()

    _connectionsOf(self, signature).append((slot, trampoline))
    _signal(self, signature).connect(trampoline)
    return True


def disconnect(self: QObject, signature: str, slot: Callable[..., Any]) -> bool:
    """Whether it was connected."""
    _check(self, signature)
    return _detach(self, signature, slot)


def _detach(self: QObject, signature: str, slot: Callable[..., Any]) -> bool:
    checkAlive(self, "call 'disconnect' on")
    made = _connectionsOf(self, signature)
    for entry in made:
        if entry[0] == slot:
            made.remove(entry)
            _signal(self, signature).disconnect(entry[1])
            return True
    return False


class BoundSignal:
    """`button.clicked`."""

    def __init__(self, owner: QObject, name: str) -> None:
        self._owner, self._name = owner, name

    def connect(self, slot: Callable[..., Any]) -> bool:
        return _attach(self._owner, self._signature(), slot)

    def disconnect(self, slot: Callable[..., Any]) -> bool:
        return _detach(self._owner, self._signature(), slot)

    def emit(self, *arguments: Any) -> None:
        _signal(self._owner, self._signature(len(arguments))).emit(*arguments)

    # A signal is a slot, too.
    __call__ = emit

    def _signature(self, count: int | None = None) -> str:
        """The first of this name in the class's own table, with so many arguments where that is given."""
        meta = _NATIVE_META(self._owner)
        methods = (meta.method(index) for index in range(meta.methodCount()))
        found = [_text(one.methodSignature()) for one in methods if _text(one.name()) == self._name]
        return next((one for one in found if count is None or len(_kinds(one)) == count), found[0])


def _connectionsOf(emitter: QObject, signature: str) -> _Made:
    address = shiboken6.getCppPointer(emitter)[0]
    if address not in _made:
        # Another object may have this address one day.
        _NATIVE_LOOKUP(emitter, "destroyed").connect(lambda *_: _made.pop(address, None))
    return _made.setdefault(address, {}).setdefault(_normal(signature), [])


def _check(self: QObject, signature: str) -> None:
    """ValueError for a signal that the class has not, or that was not recorded of it."""
    checkAlive(self, "connect")
    meta = _NATIVE_META(self)
    normal = _normal(signature)
    if meta.indexOfSignal(normal) < 0 and not _isPythonSignal(self, normal.partition("(")[0]):
        raise ValueError(f"{meta.className()} has no signal {signature}")
    api = classes().get(meta.className())
    if api is not None and normal not in api.signals and meta.className() not in NOT_RECORDED:
        raise ValueError(f"PythonQt has no signal {meta.className()}.{signature}")


def _signal(self: QObject, signature: str) -> SignalInstance:
    name, kinds = signature.partition("(")[0], _kinds(_normal(signature))
    signal = _NATIVE_LOOKUP(self, name)
    if not _isOverloaded(_NATIVE_META(self), name):
        return signal
    try:
        return signal[",".join(kinds)]
    except (KeyError, IndexError, TypeError):
        return signal


def _kinds(signature: str) -> list[str]:
    return [kind for kind in signature.partition("(")[2].rstrip(")").split(",") if kind]


def _isPythonSignal(self: QObject, name: str) -> bool:
    return any(type(base.__dict__.get(name)) is QtCore.Signal for base in type(self).__mro__)


def _isOverloaded(meta: QtCore.QMetaObject, name: str) -> bool:
    return [_text(meta.method(index).name()) for index in range(meta.methodCount())].count(name) > 1


def _normal(signature: str) -> str:
    return _text(QtCore.QMetaObject.normalizedSignature(signature))


def _text(array: QtCore.QByteArray) -> str:
    return bytes(array.data()).decode()


def _arguments(slot: Callable[..., Any]) -> int:
    """How many arguments a slot gets at most."""
    function = getattr(slot, "__func__", slot) if inspect.ismethod(slot) else slot
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return _ALL
    return function.__code__.co_argcount - (1 if inspect.ismethod(slot) else 0)
