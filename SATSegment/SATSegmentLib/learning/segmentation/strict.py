"""Plain data into frozen dataclasses; what is unknown, missing or of another type is told with its place and a hint."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.learning.segmentation.errors import ConfigError

T = TypeVar("T")


def build(cls: type[T], content: Any, base: Path, place: str = "") -> T:
    """An instance of the dataclass `cls`.

    Parameters
    ----------
    content : Any
        A mapping with the dataclass's fields as keys, as YAML gives it.
    base : Path
        Folder that relative paths start from.
    place : str, optional
        Where `content` stands, for messages.

    Raises
    ------
    ConfigError
        Names the place, and the key that was probably meant.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{place or 'The file'} must hold keys and values, not {_shown(content)}.")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    # A dataclass's own fields come first, what it inherits after them: as a reader of its documentation meets them.
    ordered = sorted(fields.items(), key=lambda item: item[0] not in cls.__annotations__)
    required = [name for name, field in ordered if field.default is field.default_factory is dataclasses.MISSING]
    _check_keys(content, list(fields), required, place)
    kinds = get_type_hints(cls)
    values = {key: _value(kinds[key], value, base, _at(place, key)) for key, value in content.items()}
    try:
        return cls(**values)
    except SATSegmentError as error:
        raise ConfigError(f"In {place}: {error.message}", error.remedy) from error


def _check_keys(content: Mapping[Any, Any], known: list[str], required: list[str], place: str) -> None:
    """Tell all keys that are unknown, and all that are missing, at once."""
    unknown = [key for key in content if key not in known]
    missing = [name for name in required if name not in content]
    if not unknown and not missing:
        return
    near = {key: difflib.get_close_matches(str(key), known, 1) for key in unknown}
    meant = [found[0] for found in near.values() if found]
    hints = [f"Did you mean {', '.join(meant)}?"] if meant else []
    if not all(near.values()):
        hints.append(f"There are: {', '.join(known)}.")
    if set(missing) - set(meant):
        hints.append("Add what is missing; Docs/training.md describes every key.")
    sentences = [
        f"{', '.join(_at(place, key) for key in keys)} {'is' if len(keys) == 1 else 'are'} {what}."
        for keys, what in ((unknown, "unknown"), (missing, "missing"))
        if keys
    ]
    raise ConfigError(" ".join(sentences), " ".join(hints))


def _value(kind: Any, value: Any, base: Path, place: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _either(arguments, value, base, place)
    if origin is Literal:
        return _choice(arguments, value, place)
    if origin is tuple:
        return _sequence(arguments, value, base, place)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(place, "keys and values", value)
        return {str(key): _value(arguments[1], one, base, _at(place, key)) for key, one in value.items()}
    if dataclasses.is_dataclass(kind):
        return build(kind, value, base, place)  # type: ignore[arg-type]
    return _plain(kind, value, base, place)


def _either(kinds: tuple[Any, ...], value: Any, base: Path, place: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    # Only a dataclass can be told by its look; each union here has one at the most, beside a word or nothing.
    fitting = [kind for kind in kinds if dataclasses.is_dataclass(kind) == isinstance(value, Mapping)]
    chosen = [kind for kind in fitting or kinds if kind is not type(None)]
    return _value(chosen[0], value, base, place)


def _choice(words: tuple[Any, ...], value: Any, place: str) -> Any:
    if value not in words:
        raise ConfigError(f"{place} is {_shown(value)}.", f"It can be {', '.join(map(str, words))}.")
    return value


def _sequence(kinds: tuple[Any, ...], value: Any, base: Path, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(place, "a list", value)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _wrong(place, f"{len(kinds)} values", value)
    return tuple(
        _value(kind, one, base, f"{place}[{n}]") for n, (kind, one) in enumerate(zip(kinds, value, strict=True))
    )


def _plain(kind: type, value: Any, base: Path, place: str) -> Any:
    if kind is Path and isinstance(value, str) and value.strip():
        return base / Path(value).expanduser()
    if kind is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)  # YAML takes 1e-4 for a word: it wants 1.0e-4.
        except ValueError:
            pass
    elif kind in (int, bool, str) and type(value) is kind:
        return value
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    raise _wrong(place, names[kind], value)


def _wrong(place: str, wanted: str, value: Any) -> ConfigError:
    return ConfigError(f"{place} must be {wanted}, not {_shown(value)}.")


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _at(place: str, key: Any) -> str:
    return f"{place}.{key}" if place else str(key)
