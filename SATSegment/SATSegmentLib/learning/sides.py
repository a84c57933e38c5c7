"""Left and right in names."""

from __future__ import annotations

import re
from typing import Literal

_SIDE = re.compile(r"\b(left|right)\b")


def other_side(name: str) -> str:
    """A name with left and right changed for each other; as it is where it says neither."""
    return _SIDE.sub(lambda side: "right" if side[0] == "left" else "left", name)


def sides_in(name: str) -> list[Literal["left", "right"]]:
    """The words "left" and "right" in a name, in their order."""
    return _SIDE.findall(name)


def without_side(name: str) -> str:
    """A name without its "left" or "right": "head of left femur" becomes "head of femur"."""
    return " ".join(_SIDE.sub("", name).split())
