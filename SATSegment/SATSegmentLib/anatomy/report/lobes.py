"""Lobes of the lung and segments of the liver: "right upper and middle lobes", "segments V and VIII"."""

from __future__ import annotations

from collections.abc import Sequence

from SATSegmentLib.anatomy.report.numbers import (
    JOINS,
    LONGEST_LIST,
    RANGES,
    SIDES,
    Counted,
    is_measure,
    number_of,
    side_behind,
)
from SATSegmentLib.anatomy.report.text import Token
from SATSegmentLib.anatomy.text.counting import segments_beside
from SATSegmentLib.anatomy.vocabulary.families import LIVER_SEGMENTS

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8}
LIVER_WORDS = frozenset(("hepatic", "liver", "couinaud"))
SEGMENT_WORDS = frozenset(("segment", "segments", "seg", "segs", "segm"))
POSITIONS = {
    "upper": "upper", "superior": "upper", "middle": "middle", "mid": "middle", "lower": "lower", "inferior": "lower",
}  # fmt: skip


def read_liver_segments(tokens: Sequence[Token], index: int, words: Sequence[str]) -> Counted | None:
    """The segments of the liver that are counted from a token on, or None: other organs have segments too."""
    start = index
    while start < len(tokens) and tokens[start].word in LIVER_WORDS:
        start += 1
    if start >= len(tokens) or (tokens[start].word not in SEGMENT_WORDS and start == index):
        return None
    if tokens[start].word in SEGMENT_WORDS:
        start += 1
    numbers: list[int] = []
    position, ranging, after = start, False, start
    while position < len(tokens) and position - start < LONGEST_LIST:
        word = tokens[position].word
        number = _segment_number(word)
        if number and numbers and is_measure(tokens, position + 1):
            break
        if number:
            first = numbers[-1] + 1 if ranging and numbers and numbers[-1] < number else number
            numbers.extend(range(first, number + 1))
            ranging, after = False, position + 1
            if after < len(tokens) and tokens[after].word in ("a", "b") and tokens[after].start == tokens[position].end:
                after = position = after + 1
                continue
        elif numbers and word in RANGES:
            ranging = True
        elif numbers and number_of(word) is not None:
            ranging, after = False, position + 1  # "segments 8-10": there is no tenth
        elif not (numbers and (word in JOINS or word in SEGMENT_WORDS)) and word not in (".", "-"):
            break
        position += 1
    if not numbers:
        return None
    if segments_beside(words, index, after - 1) is False:
        return Counted(index, after - 1, ())
    for tail in (("of", "the", "liver"), ("of", "liver"), ("liver",), ("hepatic",)):
        if tuple(token.word for token in tokens[after : after + len(tail)]) == tail:
            after += len(tail)
            break
    return Counted(index, after - 1, tuple(dict.fromkeys(LIVER_SEGMENTS[number] for number in numbers)))


def read_short_segment(index: int, words: Sequence[str]) -> Counted | None:
    """ "S8" beside words of the liver, or None: the lung and the sacrum count with an S as well."""
    number = _segment_number(words[index][1:]) if words[index][0] == "s" and len(words[index]) == 2 else 0
    if number < 2 or segments_beside(words, index, index) is not True:
        return None
    return Counted(index, index, (LIVER_SEGMENTS[number],))


def _segment_number(word: str) -> int:
    plain = word[:-1] if len(word) > 1 and word[-1] in "ab" else word
    number = _ROMAN.get(plain) or (int(plain) if plain.isdecimal() and len(plain) == 1 else 0)
    return number if 1 <= number <= 8 else 0


def read_lung_lobes(tokens: Sequence[Token], index: int) -> Counted | None:
    """The lobes of the lung that are named from a token on ("left lower and right middle lobes"), or None."""
    items: list[tuple[str, str]] = []
    position, side = index, ""
    while position < len(tokens) and position - index < 12:
        word = tokens[position].word
        if word in SIDES:
            side = SIDES[word]
        elif word in POSITIONS:
            items.append((side, POSITIONS[word]))
        elif word in ("lobe", "lobes") and items:
            break
        elif (
            word in ("lung", "lungs", "pulmonary")
            and items
            and position + 1 < len(tokens)
            and tokens[position + 1].word in ("lobe", "lobes")
        ):
            pass
        elif not (word in JOINS or word in ("-", "sided", "lung", "lungs")) or position == index:
            return None
        position += 1
    else:
        return None
    plural = tokens[position].word == "lobes"
    after = position + 1
    if not any(item_side for item_side, _ in items):
        side, after = _of_lung(tokens, after)
        items = [(side or ("both" if plural and len(items) == 1 else ""), place) for _, place in items]
    elif (tail := _of_lung(tokens, after))[1] > after:
        after = tail[1]
    sides = {item_side for item_side, _ in items}
    labels = [label for item in items for label in _lobe_labels(*item)]
    return Counted(index, after - 1, tuple(dict.fromkeys(labels)), sides.pop() if len(sides) == 1 else "both")


def _of_lung(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    words = [token.word for token in tokens[index : index + 4]]
    for size in (4, 3, 2):
        tail = words[:size]
        if len(tail) == size and tail[0] in ("of", "in") and tail[-1] in ("lung", "lungs"):
            side = next((SIDES[word] for word in tail if word in SIDES), "both" if tail[-1] == "lungs" else "")
            if all(word in SIDES or word in ("the", "of", "in", "lung", "lungs") for word in tail):
                return side, index + size
    return side_behind(tokens, index)


def _lobe_labels(side: str, place: str) -> list[str]:
    if place == "middle":
        return [] if side == "left" else ["right lung middle lobe"]
    if side == "both":
        return [f"left lung {place} lobe", f"right lung {place} lobe"]
    return [f"{side} lung {place} lobe".strip()]
