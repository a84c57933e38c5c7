"""The same structure in other words: what people write around a name, and how they say its side.

Training takes `paraphrases`; `held_out_paraphrases` are wordings that training never sees, kept for measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.learning.sides import sides_in, without_side

Side = Literal["left", "right", ""]

# {s} is the side, {b} the structure, {a} the side's short forms, {latin} its Latin ones.
_SIDED = (
    "{s} {b}", "{b} {s}", "{b}, {s}", "{b} ({s})", "the {s} {b}", "{b} on the {s} side", "{b} on the {s}",
    "the {b} on the {s} side", "{s} side {b}", "{b} of the {s} side", "{b} {a}", "{a} {b}", "{b} ({a})", "{b}_{a}",
    "{a}. {b}", "{b} {latin}", "{s} sided {b}", "segment the {s} {b}", "the {b} of the {s} side", "a {s} {b}",
    "the {b}, {s} one", "the {s} one of the {b}",
)  # fmt: skip
_HELD_OUT_SIDED = (
    "the {b} on the {s}", "{s}-sided {b}", "the {b} at the {s}", "{b} - {s}", "{b} [{s}]", "the patient's {s} {b}",
    "please show me the {s} {b}", "{b}, {s} side", "{b}-{a}", "{s} {b} in this scan", "{s}-hand {b}",
    "only the {b} that lies {s}",
)  # fmt: skip
_WHOLE = (
    "{b}", "the {b}", "whole {b}", "entire {b}", "the entire {b}", "{b} structure", "segment the {b}", "all of the {b}",
    "{b} (whole)", "a {b}",
)  # fmt: skip
_HELD_OUT_WHOLE = ("the whole {b}", "{b} in this scan", "please show me the {b}", "the patient's {b}", "complete {b}")
_BOTH = ("both {b}", "bilateral {b}", "{b} on both sides", "left and right {b}", "{b} left and right", "{b} (both)")
_HELD_OUT_BOTH = ("the {b} of both sides", "{b} bilaterally", "right and left {b}")

_SHORT = {"left": ("l", "lt"), "right": ("r", "rt")}
_LATIN = {"left": ("sinister", "sinistra", "sinistrum"), "right": ("dexter", "dextra", "dextrum")}
_SAYS_SIDE = frozenset(["left", "right", "l", "r", "lt", "rt", "both", "bilateral"])
_SPELLINGS = (("grey", "gray"), ("gray", "grey"), ("oesoph", "esoph"), ("caecum", "cecum"))


def split_side(name: str) -> tuple[Side, str]:
    """A name as its side and the rest: "left kidney" is ("left", "kidney"). A name with both words has no side."""
    sides = sides_in(name)
    return (sides[0], without_side(name)) if len(sides) == 1 else ("", name)


def paraphrases(name: str) -> list[str]:
    """Wordings of a structure's name to train with, the name itself first, in lower case, without repeats.

    A sided name is said with its side in many ways; the name of a structure that SAT has on both sides also as "both";
    and each with the structure's other names, so far as these are curated (Resources/Anatomy/aliases.tsv).
    """
    return _worded(name, _SIDED, _WHOLE, _BOTH, bases(name))


def held_out_paraphrases(name: str) -> list[str]:
    """Wordings that `paraphrases` never gives, whatever the name, for measuring."""
    return _worded(name, _HELD_OUT_SIDED, _HELD_OUT_WHOLE, _HELD_OUT_BOTH, bases(name)[:1])


def reworded(name: str, paired: bool = False) -> list[str]:
    """`paraphrases` of any name, without its curated other names; `paired` where both sides have the structure."""
    side, base = split_side(name.lower())
    whole = _WHOLE if len(base.split()) < 5 else _WHOLE[:2]
    return list(dict.fromkeys(_fill(_SIDED if side else (*whole, *(_BOTH if paired else ())), base, side)))


def bases(name: str) -> list[str]:
    """A structure's names without a side, the given one first: curated synonyms and Latin names come after."""
    _, base = split_side(name.lower())
    names = [base, *_curated().get(base, ()), *(split_side(found)[1] for found in _curated().get(name.lower(), ()))]
    names += [found.replace(a, b) for found in names for a, b in _SPELLINGS if a in found]
    return list(dict.fromkeys(found for found in names if found and not _SAYS_SIDE.intersection(found.split())))


def _worded(
    name: str, sided: Sequence[str], whole: Sequence[str], both: Sequence[str], names: Sequence[str]
) -> list[str]:
    side, base = split_side(name.lower())
    if side:
        patterns: tuple[str, ...] = tuple(sided)
    else:
        patterns = (*whole, *(both if is_paired(base) else ()))
    worded = [text for found in names for text in _fill(patterns, found, side)]
    return list(dict.fromkeys(worded))


def _fill(patterns: Sequence[str], base: str, side: Side) -> list[str]:
    filled = []
    for pattern in patterns:
        if "{a}" in pattern:
            filled += [pattern.format(a=short, b=base, s=side) for short in _SHORT[side]]
        elif "{latin}" in pattern:
            filled += [pattern.format(latin=latin, b=base) for latin in _LATIN[side]]
        else:
            filled.append(pattern.format(b=base, s=side))
    return filled


def is_paired(base: str) -> bool:
    """Whether SAT has the structure on the left and on the right."""
    sides = load_lexicon().sides_of(base)
    return "left" in sides and "right" in sides


@cache
def _curated() -> dict[str, tuple[str, ...]]:
    """Trained name -> its curated synonyms and Latin names."""
    found: dict[str, dict[str, None]] = {}
    for entry in load_lexicon().entries:
        if entry.structure.what == "label" and entry.kind in ("synonym", "latin"):
            found.setdefault(entry.structure.name, {})[entry.text.lower()] = None
    return {name: tuple(texts) for name, texts in found.items()}
