"""Lists and ranges of numbers, and the side they are on: "5th, 6th and right 7th", "3 through 5", "on the left"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.report.text import Token

ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
# Only behind "ribs" and within a list: "two ribs" is not the second one.
_CARDINALS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
JOINS = frozenset((",", "and", "&", "or", "/", "as", "well"))
RANGES = frozenset(("-", "–", "—", "‑", "through", "to", "thru", "until", "till"))
SIDES = {
    "left": "left", "lt": "left", "l": "left", "right": "right", "rt": "right", "r": "right", "both": "both",
    "bilateral": "both", "bilat": "both", "bilaterally": "both",
}  # fmt: skip
# Words of the longest list or range that is read.
LONGEST_LIST = 40
THORACIC = re.compile(r"(?:th|[td])[.\-]?0?(\d{1,2})\Z")
_DIGITS = re.compile(r"\d{1,2}(?=st\Z|nd\Z|rd\Z|th\Z|\Z)")
_BEFORE_SIDE = frozenset(("on", "to", "at", "(", ",", *SIDES))
_BEHIND_SIDE = words("behind_side")
# Behind a number: it is a measure and goes on with no list ("segment IVb, 5 cm").
MEASURES = words("measures")


class Counted(NamedTuple):
    """Tokens `first` to `last` (inclusive) that name counted structures; `labels` may be untrained in a modality."""

    first: int
    last: int
    labels: tuple[str, ...]
    side: str = ""


def number_of(word: str) -> int | None:
    """5 of "5", "5th" and "fifth"; None of other words."""
    if word in ORDINALS:
        return ORDINALS[word]
    digits = _DIGITS.match(word) if word[0].isdigit() else None
    return int(digits[0]) if digits else None


def number_list(
    tokens: Sequence[Token], index: int, side: str, highest: int, cardinals: bool = False, levels: bool = False
) -> tuple[list[tuple[str, int]], int]:
    """Numbers with the side each of them is on, ranges written out, and the index after the last one.

    "5th, 6th and right 7th" counts on with the side that was said last; `cardinals` takes "four" for 4, `levels` "T6"
    for the sixth rib.
    """
    items: list[tuple[str, int]] = []
    position, ranging, after = index, False, index
    while position < len(tokens) and position - index < LONGEST_LIST:
        word = tokens[position].word
        number = number_of(word)
        if number is None and cardinals:
            number = _CARDINALS.get(word)
        if number is None and levels and word[-1].isdigit() and (level := THORACIC.match(word)):
            number = int(level[1])
        if number is not None and 1 <= number <= highest:
            if items and is_measure(tokens, position + 1):
                break
            first = items[-1][1] + 1 if ranging and items and items[-1][1] < number else number
            items.extend((side, n) for n in range(first, number + 1))
            ranging, after = False, position + 1
        elif word in SIDES and _next_is_number(tokens, position + 1):
            side = SIDES[word]
        elif items and word in RANGES:
            ranging = True
        elif not (items and word in JOINS) and word != "the":
            break
        position += 1
    return items, after


def is_measure(tokens: Sequence[Token], index: int) -> bool:
    """Whether the number in front of a token is a measure, by the unit that the token is."""
    return index < len(tokens) and tokens[index].word in MEASURES


def _next_is_number(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and number_of(tokens[index].word) is not None


def side_behind(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """A side said right after something ("on the left", "(left)", ", right", "bilaterally"), and the index after it."""
    if index >= len(tokens) or tokens[index].word not in _BEFORE_SIDE:
        return "", index
    place = index
    if tokens[place].word not in SIDES:
        place += 1
        if place < len(tokens) and tokens[place].word == "the" and tokens[index].word in ("on", "to", "at"):
            place += 1
    side = SIDES.get(tokens[place].word) if place < len(tokens) else None
    if not side:
        return "", index
    after = place + 1
    behind = tokens[after].word if after < len(tokens) else "."
    if tokens[index].word == "(":
        return (side, after + 1) if behind == ")" else ("", index)
    # "on the left lung": the side is the next structure's.
    ends = not behind[0].isalnum() or behind in _BEHIND_SIDE
    return (side, after) if ends and behind not in ("-", "/", "(") else ("", index)
