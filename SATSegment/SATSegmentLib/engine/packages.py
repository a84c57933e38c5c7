"""Which Python packages are not installed here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

# What runs a model, and the extra "local" installs; a client of a server does without.
OF_MODELS = ("torch", "safetensors")


def missing(names: Iterable[str] = OF_MODELS) -> list[str]:
    """Those of the packages that cannot be imported, found out without importing them."""
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # somebody forbids it, or has imported half of it
        return False
