"""What crosses to another process: the types of `engine.api` as JSON and named arrays, with a version.

A message is one line of JSON; where it has arrays, their bytes follow in the order in which the line names them. Pipe
and HTTP carry the same bytes.

To the engine      {"type": "segment", "plan", "teach", "export", "forget" or "task", "run": n, "content": ...}
                   {"type": "cancel", "run": n}
From the engine    {"type": "hello", "content": Hello}, then for a run "accepted", any number of "progress", "warning",
                   "plan" and "result", and one "done" or "failed"
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np

import SATSegmentLib
from SATSegmentLib.engine.api import EngineError, EngineReason

# Raised whenever an older program could not understand a newer one; `CHANGES` says what came with it.
PROTOCOL = 6
CHANGES = {
    1: "requests as typed messages; taught words travel with them",
    2: "engines on a server; features may be kept off the disk",
    3: "a model can be loaded ahead of the first run",
    4: "each structure's result comes as soon as it is known",
    5: "a run's windows can be chosen, and results say which were looked at",
    6: "a request may bring several pieces of a scan, which the engine checks by its name; arrays keep their order",
}

# Arrays up to this many values stand in the line itself.
_INLINE = 32
_MOST_LINE_BYTES = 1 << 26
# What may cross: numbers and truth values, never objects.
_KINDS = "biuf"

T = TypeVar("T")


class VersionMismatch(EngineError):
    """The two programs do not speak the same version of the protocol."""


@dataclass(frozen=True)
class Hello:
    """The first message of an engine: which version of the protocol it speaks.

    Attributes
    ----------
    protocol : int
        The version.
    satsegment : str
        Version of the program.
    changes : dict of str to str
        What each version of the protocol brought, so that an older program can say what it lacks.
    """

    protocol: int = PROTOCOL
    satsegment: str = SATSegmentLib.__version__
    changes: dict[str, str] = field(default_factory=lambda: {str(number): text for number, text in CHANGES.items()})


def check_hello(hello: Hello, who: str) -> None:
    """Refuse an engine that speaks another version.

    Parameters
    ----------
    hello : Hello
        What it said.
    who : str
        What to call it: "The server".

    Raises
    ------
    VersionMismatch
        Says which of the two is older, and what it lacks.
    """
    if hello.protocol == PROTOCOL:
        return
    newer = hello.protocol > PROTOCOL
    known: Mapping[Any, str] = hello.changes if newer else {str(number): text for number, text in CHANGES.items()}
    low, high = sorted((hello.protocol, PROTOCOL))
    lacking = "; ".join(known[str(number)] for number in range(low + 1, high + 1) if str(number) in known)
    raise VersionMismatch(
        f"{who} (SATSegment {hello.satsegment}) speaks version {hello.protocol} of the engine's protocol, this program "
        f"(SATSegment {SATSegmentLib.__version__}) version {PROTOCOL}" + (f": new is {lacking}." if lacking else "."),
        "Update this program, and restart it." if newer else f"Update {who[0].lower()}{who[1:]}, and restart it.",
        EngineReason.VERSION,
    )


@dataclass(frozen=True, eq=False)
class Message:
    """One message.

    Attributes
    ----------
    type : str
        What it is.
    run : int
        Which run it belongs to; 0 where none.
    content : object
        JSON values, in which `{"$array": name}` stands for an array.
    arrays : dict of str to np.ndarray
        The arrays by name.
    """

    type: str
    run: int = 0
    content: Any = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def pack(type_: str, run: int, value: Any) -> Message:
    """A message whose content is `value`: JSON values, dataclasses, arrays and bytes, nested as one likes."""
    arrays: dict[str, np.ndarray] = {}
    return Message(type_, run, _plain(value, "content", arrays), arrays)


def unpack(message: Message, kind: type[T]) -> T:
    """The content of a message as a value of a type: a dataclass, or a container of such.

    Raises
    ------
    EngineError
        The content is not of that type.
    """
    try:
        return _build(kind, message.content, message.arrays, kind.__name__)
    except (TypeError, ValueError, KeyError) as error:
        raise EngineError(
            f"A message of the type {message.type!r} cannot be understood: {error}.",
            "",
            EngineReason.MESSAGE,
            str(error),
        ) from error


def frame(message: Message) -> Iterator[bytes | memoryview]:
    """The bytes of a message, piece by piece; arrays are not copied where they lie in C order."""
    listed = [[name, one.dtype.str, list(one.shape)] for name, one in message.arrays.items()]
    head = {"type": message.type, "run": message.run, "content": message.content}
    yield json.dumps({**head, "arrays": listed} if listed else head).encode() + b"\n"
    for one in message.arrays.values():
        if one.size:
            yield _bytes_of(np.ascontiguousarray(one))


def read_head(line: bytes) -> tuple[Message, list[tuple[str, np.dtype[Any], tuple[int, ...]]]]:
    """The message of one line, and which arrays follow it.

    Raises
    ------
    EngineError
        The line is not a message.
    """
    try:
        head = json.loads(line)
        kind, run = head["type"], head.get("run", 0)
        if not isinstance(kind, str) or not isinstance(run, int):
            raise TypeError("no type")
        listed = [(str(name), np.dtype(dtype), tuple(map(int, shape))) for name, dtype, shape in head.get("arrays", [])]
        if any(dtype.kind not in _KINDS or min(shape, default=0) < 0 for _, dtype, shape in listed):
            raise TypeError("no array of numbers")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EngineError("Something arrived that is not a message.", "Run it again.", EngineReason.MESSAGE) from error
    return Message(kind, run, head.get("content")), listed


def read_frame(stream: BinaryIO, on_head: Callable[[Message], None] | None = None) -> Message | None:
    """The next message of a stream; None at its end.

    Parameters
    ----------
    stream : binary stream
        With messages.
    on_head : callable, optional
        Gets the message without its arrays, which may take a while to arrive.

    Raises
    ------
    EngineError
        The stream holds something else, or ends within a message.
    """
    line = stream.readline(_MOST_LINE_BYTES)
    if not line:
        return None
    message, listed = read_head(line)
    if on_head is not None:
        on_head(message)
    arrays = {}
    for name, dtype, shape in listed:
        array = np.empty(shape, dtype)
        if array.size and not _fill(stream, _bytes_of(array)):
            raise EngineError("A message ended before it was complete.", "Run it again.", EngineReason.MESSAGE)
        arrays[name] = array
    return dataclasses.replace(message, arrays=arrays)


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _fill(stream: BinaryIO, buffer: memoryview) -> bool:
    while buffer:
        count = stream.readinto(buffer)  # type: ignore[attr-defined]
        if not count:
            return False
        buffer = buffer[count:]
    return True


def _plain(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A value as JSON takes it; arrays that are not small go into `arrays` under the path that leads to them."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.ndarray):
        if value.size <= _INLINE:
            return {"$values": value.tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
        # In the order in which it lies in memory: it is part of a scan's name, and another would be a slow copy.
        transposed = value.flags.f_contiguous and not value.flags.c_contiguous
        arrays[name] = value.T if transposed else value
        return {"$array": name, "transposed": True} if transposed else {"$array": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        arrays[name] = np.frombuffer(value, np.uint8)
        return {"$array": name}
    if dataclasses.is_dataclass(value):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return {key: _plain(one, f"{name}.{key}", arrays) for key, one in fields.items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(one, f"{name}.{key}", arrays) for key, one in value.items()}
    if isinstance(value, Iterable):
        return [_plain(one, f"{name}.{number}", arrays) for number, one in enumerate(value)]
    raise TypeError(f"{type(value).__name__} cannot be sent")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, value: Any, arrays: Mapping[str, np.ndarray], where: str) -> Any:
    """A value of the type `kind` from JSON values; whatever is of another type is refused."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if kind in (np.ndarray, bytes) or origin is np.ndarray:
        array = _array(value, arrays, where)
        return array.tobytes() if kind is bytes else array
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(kind, value, arrays, where)
    if origin in (typing.Union, types.UnionType):
        return _build_union(inner, value, arrays, where)
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{where} is none of {', '.join(map(repr, inner))}")
        return value
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise TypeError(f"{where} is not a list")
        each = inner * len(value) if origin is list else inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        built = [_build(*one, arrays, f"{where}[{n}]") for n, one in enumerate(zip(each, value, strict=True))]
        return origin(built)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError(f"{where} is not an object")
        return {str(key): _build(inner[1], one, arrays, f"{where}[{key!r}]") for key, one in value.items()}
    return _scalar(kind, value, where)


def _build_dataclass(kind: type, value: Any, arrays: Mapping[str, np.ndarray], where: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{where} is not an object")
    hints = _hints(kind)
    if unknown := set(value) - set(hints):
        raise TypeError(f"{where} has no field {min(unknown)!r}")
    fields = {name: _build(hints[name], one, arrays, f"{where}.{name}") for name, one in value.items()}
    return kind(**fields)


def _build_union(kinds: tuple[Any, ...], value: Any, arrays: Mapping[str, np.ndarray], where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    (other,) = (kind for kind in kinds if kind is not type(None))
    return _build(other, value, arrays, where)


def _array(value: Any, arrays: Mapping[str, np.ndarray], where: str) -> np.ndarray:
    if isinstance(value, dict) and isinstance(value.get("$array"), str):
        found = arrays[value["$array"]]
        return found.T if value.get("transposed") is True else found
    if isinstance(value, dict) and "$values" in value:
        dtype, shape = np.dtype(value["dtype"]), tuple(map(int, value["shape"]))
        if dtype.kind not in _KINDS or math.prod(shape) > _INLINE:
            raise TypeError(f"{where} is not an array of numbers")
        return np.array(value["$values"], dtype).reshape(shape)
    raise TypeError(f"{where} is not an array")


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if not isinstance(kind, type) or not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{where} is not of the type {getattr(kind, '__name__', kind)}")
    return value
