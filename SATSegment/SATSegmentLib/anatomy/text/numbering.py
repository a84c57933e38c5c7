"""Counted structures: "L1-L5", "ribs 5 to 7", "segments 2 and 3" taken apart into their members."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from SATSegmentLib.anatomy.text.words import Words

# From the head down.
SPINE = [*(f"c{n}" for n in range(1, 8)), *(f"t{n}" for n in range(1, 13)), *(f"l{n}" for n in range(1, 6)), "s1"]
_LEVEL = re.compile(r"[ctls]\d{1,2}")
_NUMBER = re.compile(r"\d{1,2}")
_RANGE = re.compile(r"([ctls]?\d{1,2})\.\.([ctls]?\d{1,2})")
_PAIR = re.compile(r"([ctls]\d{1,2})([ctls]\d{1,2})")
_MAX_MEMBERS = 30


def numbered_parts(words: Words) -> Iterator[tuple[str, list[str]]]:
    """The members of a counted text as (what to call them together, their names); nothing where nothing is counted."""
    members: list[str] = []
    rest: list[str] = []
    for token in words.tokens:
        expanded = _expand(token)
        members += expanded
        if not expanded:
            rest.append(token)
    if not 2 <= len(members) <= _MAX_MEMBERS or words.side == "conflict":
        return
    levels = all(_LEVEL.fullmatch(member) for member in members)
    if not levels and any(_LEVEL.fullmatch(member) for member in members):
        # "Thoracic vertebra 9 (t9)" says one number twice.
        return
    if not levels and not (set(rest) & {"rib", "segment", "couinaud", "vertebra"}):
        return
    kinds = [word for word in rest if not levels or word not in ("vertebra", "body", "spine")]
    side = "" if words.side == "both" else words.side
    if levels and "disc" in kinds:
        pairs = [token for token in words.tokens if _PAIR.fullmatch(token) or ".." in token]
        members = _discs(members) if len(pairs) == 1 else []
    if not members:
        return
    sides = ("left", "right") if words.side == "both" else (side,)
    parts = [" ".join(filter(None, (one, *kinds, member))) for one in sides for member in members]
    between = "to" if len(members) > 2 else "and"
    yield " ".join([*kinds, members[0], between, members[-1]]), parts


def _expand(token: str) -> list[str]:
    if _LEVEL.fullmatch(token) or _NUMBER.fullmatch(token):
        return [token]
    if (match := _RANGE.fullmatch(token)) is None:
        return []
    first, last = match.groups()
    if first.isdigit() and last.isdigit():
        return [str(number) for number in range(int(first), int(last) + 1)]
    if first in SPINE and last in SPINE and SPINE.index(first) < SPINE.index(last):
        return SPINE[SPINE.index(first) : SPINE.index(last) + 1]
    return []


def _discs(levels: list[str]) -> list[str]:
    """The discs between successive vertebrae."""
    return [f"{above}-{below}" for above, below in itertools.pairwise(levels)]
