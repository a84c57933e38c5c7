"""PySide6's classes made to speak as PythonQt does, and no more than PythonQt does.

* a Qt property is an attribute: `edit.text` reads, `edit.text = "x"` writes, `edit.text()` is an error;
* `object.connect("textEdited(QString)", slot)` and `disconnect`, beside `object.textEdited.connect(slot)`;
* a slot gets as many arguments as it takes, of those that the named signature has;
* a class that the recorded API covers has no other names than it had there.

The classes themselves are changed, not subclassed, so that what Qt makes by itself (a completer's popup) behaves alike.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from rig.api import ClassApi, classes

_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
# What Shiboken itself looks up by name, and what the rig needs of PySide6 under its own name.
_KEPT = {
    "staticMetaObject", "connectNotify", "disconnectNotify", "receivers", "connect", "disconnect",
    "name", "className", "property", "setProperty", "metaObject",
}  # fmt: skip
# The recorder could make no QShortcut, and so saw its names but not which of them are properties or signals.
_NOT_RECORDED = {"QShortcut"}
_connections: dict[tuple[int, str], list[tuple[Any, Any, Any]]] = {}
_raw: dict[tuple[type, str], Any] = {}
_adopted = False


def adopt() -> None:
    """Change PySide6's classes; once per process."""
    global _adopted
    if _adopted:
        return
    _adopted = True
    objects = sorted(_objectClasses(), key=lambda cls: len(cls.__mro__))
    for cls in objects:
        _addProperties(cls)
    base = QtCore.QObject
    for cls in objects:
        if "__getattribute__" in cls.__dict__:
            _addConnect(cls)
    base.name = _Property("name", lambda self: self.objectName, None)
    base.className = lambda self: raw(QtCore.QObject, "metaObject")(self).className()
    for cls in objects:
        _removeWhatIsNotThere(cls)


def _addConnect(base: type) -> None:
    """Shiboken answers `connect` and `disconnect` itself, before it looks into the class."""
    lookUp = base.__getattribute__
    own = {"connect": _connect, "disconnect": _disconnect}

    def getAttribute(self: QtCore.QObject, name: str) -> Any:
        return types.MethodType(own[name], self) if name in own else lookUp(self, name)

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
        return self if instance is None else self.read(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        if self.write is None:
            raise AttributeError(f"{type(instance).__name__}.{self.name} is read-only")
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
    if cls.__name__ in _NOT_RECORDED:
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


# --- connections


def _connect(self: QtCore.QObject, signature: str, slot: Any) -> bool:
    """PythonQt's connect: the signal by its signature, the slot any callable."""
    signal, kinds = _signal(self, signature)
    takes = min(len(kinds), _arguments(slot))

    def trampoline(*arguments: Any) -> None:
        slot(*arguments[:takes])

    key = (shiboken6.getCppPointer(self)[0], _normal(signature))
    if key not in _connections:
        _connections[key] = []
    connection = signal.connect(trampoline)
    _connections[key].append((slot, trampoline, connection))
    return True


def _disconnect(self: QtCore.QObject, signature: str, slot: Any) -> bool:
    signal, _ = _signal(self, signature)
    kept = _connections.get((shiboken6.getCppPointer(self)[0], _normal(signature)), [])
    for entry in kept:
        if entry[0] == slot:
            kept.remove(entry)
            signal.disconnect(entry[1])
            return True
    return False


def _signal(self: QtCore.QObject, signature: str) -> tuple[Any, list[str]]:
    meta = raw(QtCore.QObject, "metaObject")(self)
    normal = _normal(signature)
    index = meta.indexOfSignal(normal)
    name, _, rest = normal.partition("(")
    if index < 0 and not _isPythonSignal(self, name):
        raise ValueError(f"{meta.className()} has no signal {signature}")
    api = classes().get(meta.className())
    if api is not None and normal not in api.signals and meta.className() not in _NOT_RECORDED:
        raise ValueError(f"PythonQt has no signal {meta.className()}.{signature}")
    kinds = [kind for kind in rest.rstrip(")").split(",") if kind]
    signal = getattr(self, name)
    try:
        return signal[",".join(kinds)] if kinds and _isOverloaded(meta, name) else signal, kinds
    except (KeyError, IndexError, TypeError):
        return signal, kinds


def _isPythonSignal(self: QtCore.QObject, name: str) -> bool:
    return any(isinstance(base.__dict__.get(name), QtCore.Signal) for base in type(self).__mro__)


def _isOverloaded(meta: QtCore.QMetaObject, name: str) -> bool:
    names = [bytes(meta.method(i).name().data()).decode() for i in range(meta.methodCount())]
    return names.count(name) > 1


def _normal(signature: str) -> str:
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()


def _arguments(slot: Any) -> int:
    """How many arguments PythonQt hands over: all that the code object names, defaults too; any number with *args."""
    function = inspect.unwrap(getattr(slot, "__func__", slot))
    code = getattr(function, "__code__", None)
    if code is None:
        return 99
    if code.co_flags & inspect.CO_VARARGS:
        return 99
    return code.co_argcount - (1 if inspect.ismethod(slot) else 0)
