"""A label's name without its side and number: what tables that say something once for many labels are keyed by."""

from __future__ import annotations

import re
from typing import NamedTuple

DISC = "intervertebral disc between <vertebra> and <vertebra>"

_SIDE = re.compile(r"\b(left|right) ")
_VERTEBRA = re.compile(r"(cervical|thoracic|lumbar|sacral) vertebrae (\d+) \([ctls]\d+\)")
_RIB = re.compile(r"rib (\d+)")
_LEVELS = re.compile(r"\(([tl]\d+)\)")


class Base(NamedTuple):
    """A label taken apart.

    Attributes
    ----------
    name : str
        The trained string without side and number: "kidney", "rib <n>", "lumbar vertebra <n>".
    side : str
        "left", "right", or empty.
    number : str
        "5", or "L4/L5" for a disc; empty where the label has none.
    """

    name: str
    side: str
    number: str


def base_of(label: str) -> Base:
    """The trained string `label` taken apart into name, side and number."""
    side = match[1] if (match := _SIDE.search(label)) else ""
    unsided = _SIDE.sub("", label, count=1)
    if match := _VERTEBRA.fullmatch(unsided):
        return Base(f"{match[1]} vertebra <n>", side, match[2])
    if match := _RIB.fullmatch(unsided):
        return Base("rib <n>", side, match[1])
    if unsided.startswith("intervertebral disc between"):
        levels = [level.upper() for level in _LEVELS.findall(unsided)]
        return Base(DISC, side, "/".join(levels if len(levels) == 2 else [*levels, "S1"]))
    return Base(unsided, side, "")
