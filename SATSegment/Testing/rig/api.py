"""What a real Slicer said its `qt`, `ctk` and `slicer` offer to Python (Testing/Data/pythonqt_api.json.gz)."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parents[1] / "Data" / "pythonqt_api.json.gz"
_KINDS = ("properties", "methods", "signals")


@dataclass(frozen=True)
class ClassApi:
    """Names of one class, inherited ones included.

    Attributes
    ----------
    properties: read and set without a call.
    methods: everything else that `dir()` showed: methods, signals by bare name, enumerators.
    signals: signatures as `connect` takes them ("textEdited(QString)").
    """

    properties: frozenset[str]
    methods: frozenset[str]
    signals: frozenset[str]

    def offers(self, name: str) -> bool:
        return name in self.properties or name in self.methods


@cache
def moduleNames(module: str) -> frozenset[str]:
    """Names in `qt`, `ctk`, or the widgets in `slicer` ("slicer_widgets")."""
    return frozenset(_document()["modules"][module])


@cache
def classes() -> dict[str, ClassApi]:
    """Every class that was asked for, by name; QObject and QWidget are what all of them have."""
    document = _document()
    found = {"QObject": _api(document["QObject"]), "QWidget": _api(document["QObject"], document["QWidget"])}
    for name, own in document["classes"].items():
        bases = [document["QObject"], document["QWidget"]] if own["widget"] else [document["QObject"]]
        found[name] = _api(*bases, own)
    return found


@cache
def _document() -> dict:
    return json.loads(gzip.decompress(_FILE.read_bytes()))


def _api(*parts: dict) -> ClassApi:
    return ClassApi(*(frozenset(name for part in parts for name in part[kind]) for kind in _KINDS))
