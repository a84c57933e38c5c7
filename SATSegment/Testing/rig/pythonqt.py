"""PySide6's classes made to speak as PythonQt does, and no more than PythonQt does.

* a Qt property is an attribute: `edit.text` reads, `edit.text = "x"` writes, `edit.text()` is an error;
* a class that the recorded API covers has no other names than it had there;
* connections are those of `connections.py`, and what an object is by itself that of `wrappers.py`.

The classes themselves are changed, not subclassed, so that what Qt makes by itself (a completer's popup) behaves alike.
"""

from __future__ import annotations

import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from rig import connections, wrappers
from rig.api import ClassApi, classes
from shiboken6 import isValid

_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
# What Shiboken itself looks up by name, and what the rig needs of PySide6 under its own name.
_KEPT = {
    "staticMetaObject", "connectNotify", "disconnectNotify", "receivers", "connect", "disconnect",
    "name", "className", "property", "setProperty", "metaObject",
}  # fmt: skip
_raw: dict[tuple[type, str], Any] = {}
_adopted = False


def adopt() -> None:
    """Change PySide6's classes; once per process."""
    global _adopted
    if _adopted:
        return
    _adopted = True
    objects = sorted(_objectClasses(), key=lambda cls: len(cls.__mro__))
    wrappers.adopt(objects)
    for cls in objects:
        _addProperties(cls)
    base = QtCore.QObject
    for cls in objects:
        if "__getattribute__" in cls.__dict__:
            _addLookUp(cls)
    base.name = _Property("name", lambda self: self.objectName, None)
    base.className = lambda self: raw(QtCore.QObject, "metaObject")(self).className()
    for cls in objects:
        _removeWhatIsNotThere(cls)


def _addLookUp(base: type) -> None:
    """Shiboken answers `connect` and `disconnect` itself, before it looks into the class."""
    lookUp = base.__getattribute__
    own = {"connect": connections.connect, "disconnect": connections.disconnect}

    def getAttribute(self: QtCore.QObject, name: str) -> Any:
        if name in own:
            return types.MethodType(own[name], self)
        value = lookUp(self, name)
        if type(value) is QtCore.SignalInstance:
            return connections.BoundSignal(self, name)
        return value if isValid(self) else wrappers.ofDestroyed(self, name, value)

    base.__getattribute__ = getAttribute


def raw(cls: type, name: str) -> Any:
    """PySide6's own attribute, before it was changed."""
    return _raw.get((cls, name)) or cls.__dict__[name]


def _objectClasses() -> list[type]:
    found = {}
    for module in _MODULES:
        for name in dir(module):
            value = getattr(module, name, None)
            if isinstance(value, type) and issubclass(value, QtCore.QObject):
                found[value] = None
    return list(found)


class _Property:
    """A Qt property as a Python attribute."""

    def __init__(self, name: str, read: Any, write: Any) -> None:
        self.name, self.read, self.write = name, read, write

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            # `QTimer.singleShot(0, f)` is a static method, and `timer.singleShot` a property.
            static = _raw.get((owner, self.name))
            return static.__get__(None, owner) if isinstance(static, staticmethod) else self
        wrappers.checkAlive(instance, f"read property '{self.name}' from")
        return self.read(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        if self.write is None:
            raise AttributeError(f"{type(instance).__name__}.{self.name} is read-only")
        if wrappers.isGone(instance):
            kind = wrappers.nativeClass(type(instance)).__name__
            raise AttributeError(f"Trying to set property '{self.name}' on a destroyed {kind} object")
        self.write(instance, value)


def _addProperties(cls: type) -> None:
    meta = cls.staticMetaObject
    own = range(meta.propertyOffset(), meta.propertyCount())
    for index in range(meta.propertyCount()):
        prop = meta.property(index)
        name = prop.name()
        # A subclass that has the getter anew (sizeHint) has the property anew.
        if index in own or name in cls.__dict__:
            _replace(cls, name, _Property(name, _reader(cls, name), _writer(cls, name) if prop.isWritable() else None))


def _reader(cls: type, name: str) -> Any:
    capital = name[0].upper() + name[1:]
    for candidate in (name, f"is{capital}", f"has{capital}"):
        method = _find(cls, candidate)
        if callable(method):
            return lambda self: _bound(method, self)()
    return lambda self: raw(QtCore.QObject, "property")(self, name)


def _writer(cls: type, name: str) -> Any:
    method = _find(cls, f"set{name[0].upper()}{name[1:]}")
    if callable(method):
        return lambda self, value: _bound(method, self)(value)
    return lambda self, value: raw(QtCore.QObject, "setProperty")(self, name, value)


def _bound(method: Any, self: QtCore.QObject) -> Any:
    """A static method (setApplicationName) takes no self."""
    return method.__get__(self, type(self)) if hasattr(method, "__get__") else method


def _find(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if (base, name) in _raw:
            return _raw[base, name]
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def _replace(cls: type, name: str, value: Any) -> None:
    if name in cls.__dict__:
        _raw[cls, name] = cls.__dict__[name]
    setattr(cls, name, value)


# --- only what was recorded


class _Absent:
    """Stands where PySide6 has a method and PythonQt has none: a call is an error.

    Reading it is none, because Shiboken reads the names of virtual methods to look for an override, and does not expect
    an exception.
    """

    def __init__(self, owner: str, name: str) -> None:
        self.owner, self.name = owner, name

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise AttributeError(f"PythonQt has no {self.owner}.{self.name}")


def _removeWhatIsNotThere(cls: type) -> None:
    allowed = _allowed(cls)
    if allowed is None:
        return
    for name in list(cls.__dict__):
        if name.startswith("_") or name in _KEPT or name in allowed:
            continue
        _replace(cls, name, _Absent(cls.__name__, name))


def _allowed(cls: type) -> set[str] | None:
    """Names that may stay: of the class where it was recorded, of all recorded classes below it where it was not."""
    known = classes()
    if cls.__name__ in connections.NOT_RECORDED:
        return None
    if cls.__name__ in known and cls.__name__ not in ("QObject", "QWidget"):
        return _names(known[cls.__name__])
    below = [known[sub.__name__] for sub in _subclasses(cls) if sub.__name__ in known and sub is not cls]
    return set().union(*map(_names, below)) if below else None


def _names(api: ClassApi) -> set[str]:
    return set(api.properties | api.methods) | {signature.partition("(")[0] for signature in api.signals}


def _subclasses(cls: type) -> set[type]:
    found = {cls}
    for sub in cls.__subclasses__():
        found |= _subclasses(sub)
    return found
