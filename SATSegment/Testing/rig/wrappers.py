"""What PythonQt's wrappers do that PySide6's do not: truth, kinds, attributes, destroyed objects, errors in overrides.

* an object asked for its truth answers what `isEmpty()`, `isNull()` or `isValid()` says, whichever its class has first;
* `isinstance` knows the object's own C++ class only: `isinstance(qt.QLabel(), qt.QWidget)` is False;
* an object of a C++ class takes no new attributes, and no object may overwrite what its C++ class has;
* an object whose C++ half is gone is False, and says so when it is used;
* an exception in a method that Qt calls is printed, and Qt gets the type's zero.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject

# In the order in which PythonQt's generator looks for them; only what takes no arguments counts.
_TRUTHS = ("isEmpty", "isNull", "isValid")
_ASKS_FOR_ARGUMENTS = {"QDir"}
_OF_THE_RIG = "rig."
_NATIVE_METHOD = type(QtCore.QTimer().start)
# What Qt gets from an override that failed.
_ZEROS: dict[str, Callable[[], Any]] = {
    "event": bool,
    "eventFilter": bool,
    "sizeHint": QtCore.QSize,
    "minimumSizeHint": QtCore.QSize,
}
# PySide6's own, before they are changed.
_NATIVE_SETATTR, _NATIVE_META = shiboken6.Object.__setattr__, QObject.metaObject


def adopt(classes: list[type]) -> None:
    """Change the classes; before anything else takes their methods away."""
    for cls in _withAll(classes):
        cls.__setattr__ = _setAttribute
        _addTruth(cls)
    type(QObject).__instancecheck__ = _isInstance
    QObject.__bool__ = lambda self: shiboken6.isValid(self)
    QObject.__init_subclass__ = classmethod(_guardOverrides)
    QtGui.QActionGroup.__init__ = _needsParent(QtGui.QActionGroup.__init__)


def isA(instance: Any, cls: type) -> bool:
    """What `isinstance` would say in C++; for the rig and for tests."""
    return issubclass(type(instance), cls)


def nativeClass(cls: type) -> type:
    """The C++ class that a Python class is made from; of a C++ class, or of one that the rig stands in for, itself."""
    return next(base for base in cls.__mro__ if _isNative(base))


def isGone(instance: Any) -> bool:
    """Whether the C++ half was destroyed."""
    return not shiboken6.isValid(instance)


def checkAlive(instance: Any, what: str) -> None:
    """ValueError as PythonQt words it, where the C++ half of an object is gone."""
    if isGone(instance):
        raise ValueError(f"Trying to {what} a destroyed {nativeClass(type(instance)).__name__} object")


def ofDestroyed(instance: Any, name: str, value: Any) -> Any:
    """What was looked up of a destroyed object: no property, and a method that says so when it is called."""
    if name.startswith("__"):
        return value
    if _isProperty(_owner(instance, name), name):
        checkAlive(instance, f"read property '{name}' from")
    if type(value) is not _NATIVE_METHOD:
        return value

    def gone(*_: Any, **__: Any) -> Any:
        checkAlive(instance, f"call '{name}' on")

    return gone


def printError() -> None:
    """Print the exception that is being handled, as PythonQt does; sys.excepthook is what tests listen to."""
    sys.excepthook(*sys.exc_info())


# --- truth


def _addTruth(cls: type) -> None:
    name = next((one for one in _TRUTHS if hasattr(cls, one)), None)
    if name is None or cls.__name__ in _ASKS_FOR_ARGUMENTS:
        if "__bool__" in cls.__dict__ or hasattr(cls, "__len__"):
            cls.__bool__ = lambda self: True
        return
    # Its own or inherited: taken now, because what was not recorded is removed from the class later.
    ask, wanted = getattr(cls, name), name == "isValid"
    cls.__bool__ = lambda self: shiboken6.isValid(self) and ask(self) == wanted


# --- kinds


def _isNative(cls: type) -> bool:
    return cls.__module__.startswith(("PySide6.", "Shiboken", _OF_THE_RIG))


def _isInstance(cls: type, instance: Any) -> bool:
    """PythonQt's classes do not inherit from each other."""
    if not issubclass(type(instance), cls):
        return False
    return not _isNative(cls) or nativeClass(type(instance)) is cls


# --- attributes


def _setAttribute(self: Any, name: str, value: Any) -> None:
    owner = _owner(self, name)
    if owner is not None and type(owner.__dict__[name]) is QtCore.Property:
        _write(self, name, value)
        return
    if not _isProperty(owner, name) and not _isSetByRig():
        kind = type(self).__name__
        if owner is not None and owner is not object:
            raise AttributeError(f"'{name}' can not be overwritten on {kind} object")
        if _isNative(type(self)):
            raise AttributeError(
                f"{kind} has no attribute named '{name}'; creating new attributes on C++ objects is not allowed"
            )
    _NATIVE_SETATTR(self, name, value)


def _write(self: Any, name: str, value: Any) -> None:
    """Set a property that a stand-in declares; PySide6 would make an attribute of its own, of which Qt knows nothing.

    The errors are those of PythonQt, from PythonQtInstanceWrapper.cpp.
    """
    kind = nativeClass(type(self)).__name__
    if isGone(self):
        raise AttributeError(f"Trying to set property '{name}' on a destroyed {kind} object")
    meta = _NATIVE_META(self)
    known = meta.property(meta.indexOfProperty(name))
    if not known.isWritable():
        raise AttributeError(f"Property '{name}' of {kind} object is not writable")
    wanted = str(known.typeName())
    # Numbers are not read from words, as Qt itself would.
    refused = value is None or (isinstance(value, str) and wanted in ("bool", "int", "double"))
    if refused or not known.write(self, value):
        given = type(value).__name__
        raise AttributeError(
            f"Property '{name}' of type '{wanted}' does not accept an object of type {given} ({value})"
        )


def _owner(instance: Any, name: str) -> type | None:
    """The C++ class that has the attribute."""
    return next((base for base in nativeClass(type(instance)).__mro__ if name in base.__dict__), None)


def _isProperty(owner: type | None, name: str) -> bool:
    value = None if owner is None else owner.__dict__[name]
    return type(value) is QtCore.Property or hasattr(value, "__set__")


def _isSetByRig() -> bool:
    """Where a stand-in keeps its own state; the frame above is _setAttribute's."""
    return sys._getframe(2).f_globals.get("__name__", "").startswith(_OF_THE_RIG)


def _needsParent(build: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **names: Any) -> None:
        if not arguments and not names:
            raise ValueError(f"Could not find matching overload for given arguments: {type(self).__name__}()")
        build(self, *arguments, **names)

    return init


# --- overrides


def _guardOverrides(cls: type, **_: Any) -> None:
    """Methods of a Python class that stand in for C++ ones: Qt calls them, and cannot take an exception."""
    native = nativeClass(cls)
    if native is cls:
        return
    for name, method in list(vars(cls).items()):
        own = getattr(native, name, None)
        if isA(method, types.FunctionType) and not name.startswith("_") and _isMethod(own):
            setattr(cls, name, _guarded(name, method))


def _isMethod(value: Any) -> bool:
    # A sizeHint is a property here, and a virtual method all the same.
    return callable(value) or hasattr(value, "__set__")


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded(*arguments: Any, **names: Any) -> Any:
        try:
            return method(*arguments, **names)
        except BaseException:
            printError()
            return _ZEROS.get(name, lambda: None)()

    return guarded


def _withAll(classes: list[type]) -> Iterator[type]:
    """These, and the classes of values, items, events and layouts, which are no QObjects."""
    found = dict.fromkeys(classes)
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            value = getattr(module, name, None)
            if isinstance(value, type) and issubclass(value, shiboken6.Object):
                found[value] = None
    return iter(sorted(found, key=lambda cls: len(cls.__mro__)))
