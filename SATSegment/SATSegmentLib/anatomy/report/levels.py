"""Vertebrae and the discs between them: "T12, L1 and L2", "L4/5 disc", "first and second lumbar vertebrae"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import Literal, NamedTuple

from SATSegmentLib.anatomy.report.numbers import (
    JOINS,
    LONGEST_LIST,
    RANGES,
    SIDES,
    Counted,
    is_measure,
    number_list,
    number_of,
)
from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.report.text import Token
from SATSegmentLib.anatomy.text.counting import is_no_vertebra
from SATSegmentLib.anatomy.text.numbering import SPINE

LEVEL = re.compile(r"(th|[ctdls])[.\-]?0?(\d{1,2})\Z")
_COUNTS = {"c": 7, "t": 12, "l": 6, "s": 5}
_REGIONS = {"c": "cervical", "t": "thoracic", "l": "lumbar", "s": "sacral"}
_REGION_WORDS = {"cervical": "c", "thoracic": "t", "dorsal": "t", "lumbar": "l"}
_VERTEBRA_WORDS = words("vertebra_words")
_VERTEBRA_CONTEXT = words("vertebra_context")
_DISC_WORDS = words("disc_words")
_DISC_CONTEXT = words("disc_context")
BEFORE_LEVELS = _VERTEBRA_WORDS | _DISC_WORDS | frozenset(("intervertebral", *_REGION_WORDS))
_BETWEEN_LEVELS = frozenset(("and", "the", "(", ")", "of"))


_LEVEL_JOINS = frozenset(("-", "–", "/", "to", "through", "and", "thru", "&", ","))
_PLACES = {level: place for place, level in enumerate(SPINE)}


class _Levels(NamedTuple):
    """Levels said together: one, a pair next to each other ("L4/5"), a range written out, a range of pairs."""

    levels: tuple[str, ...]
    kind: Literal["single", "pair", "range", "discs"]


def read_ordinal_vertebrae(tokens: Sequence[Token], index: int) -> Counted | None:
    """Vertebrae counted by words from a token on ("first and second lumbar vertebrae"), or None."""
    if tokens[index].word in SIDES:
        return None
    items, after = number_list(tokens, index, "", 12)
    if not items or after + 1 >= len(tokens):
        return None
    letter = _REGION_WORDS.get(tokens[after].word)
    if not letter or not tokens[after + 1].word.startswith("vertebra"):
        return None
    last = _last_of(tokens, after + 1, _VERTEBRA_WORDS)
    return Counted(index, last, tuple(vertebra(letter, number) for _, number in items))


def read_levels(
    tokens: Sequence[Token], index: int, modality: str, words: Sequence[str], around: Set[str]
) -> Counted | None:
    """Vertebrae or discs that are named by levels from a token on.

    `words` are the tokens' words in one spelling (`plain_level`), `around` the same as a set.
    """
    start = index
    while (
        start < len(tokens)
        and start - index < 4
        and (tokens[start].word in BEFORE_LEVELS or tokens[start].word in ("of", "at", "space", "spaces"))
    ):
        start += 1
    if start >= len(tokens) or not LEVEL.match(tokens[start].word):
        return None
    groups, after = _level_groups(tokens, start)
    if not groups:
        return None
    if is_no_vertebra(words, start, after - 1):
        return Counted(start, after - 1, ())
    last = _last_of(tokens, after, _VERTEBRA_WORDS | _DISC_WORDS | {"intervertebral"}, after - 1)
    named = {token.word for token in (*tokens[index:start], *tokens[after : last + 1])}
    labels = _labels_of_levels(groups, named, around, modality)
    return Counted(index if index < start and named else start, last, tuple(dict.fromkeys(labels)))


def read_disc_between(tokens: Sequence[Token], index: int) -> Counted | None:
    """ "disc between L3 and L4", also as SAT's labels spell it, from the word "disc" on; or None."""
    start = index + 1 if tokens[index].word == "intervertebral" else index
    if start + 1 >= len(tokens) or tokens[start].word not in _DISC_WORDS or tokens[start + 1].word != "between":
        return None
    levels: list[str] = []
    for position in range(start + 2, min(start + 18, len(tokens))):
        word = tokens[position].word
        if (level := named_level(word)) is not None:
            levels.append(level)
        elif word == "sacrum":
            levels.append("s1")
        elif not (word in _BETWEEN_LEVELS or word in BEFORE_LEVELS or word.isdigit()):
            return None
        if len(levels) == 2:
            closed = position + 1 < len(tokens) and tokens[position + 1].word == ")"
            labels = (disc(*levels),) if _are_next(*levels) else ()
            return Counted(index, position + 1 if closed else position, labels)
    return None


def _are_next(upper: str, lower: str) -> bool:
    if upper not in SPINE or lower not in SPINE:
        return False
    return SPINE.index(lower) == SPINE.index(upper) + 1


@lru_cache(maxsize=4096)
def plain_level(word: str) -> str:
    """ "t.3" and "th3" as "t3"; other words as they are."""
    if word[1:2].isdigit() and word[1] != "0":
        return word  # most are written so
    match = LEVEL.match(word)
    return f"{match[1][0]}{int(match[2])}" if match else word


def _last_of(tokens: Sequence[Token], index: int, words: Set[str], default: int | None = None) -> int:
    """Index of the last of the words that follow each other from an index on."""
    last = index if default is None else default
    while index < len(tokens) and tokens[index].word in words:
        last = index
        index += 1
    return last


def _level_groups(tokens: Sequence[Token], index: int) -> tuple[list[_Levels], int]:
    """Levels as they are said, and the index after the last one."""
    groups: list[_Levels] = []
    position, join, after = index, "", index
    while position < len(tokens) and position - index < LONGEST_LIST:
        word = tokens[position].word
        named = named_level(word)
        number = number_of(word) if groups and named is None else None
        if named is not None or (number is not None and join in _LEVEL_JOINS):
            level = named if named is not None else _same_region(groups[-1].levels[-1], number or 0)
            if not level or (named is None and is_measure(tokens, position + 1)):
                break
            _add_level(groups, level, join)
            join, after = "", position + 1
        elif groups and (word in RANGES or word in JOINS):
            join = word if word in RANGES else join or word
        elif not groups or word not in ("the", "level", "levels", "of"):
            break
        position += 1
    return groups, after


@lru_cache(maxsize=4096)
def named_level(word: str) -> str | None:
    """ "t3" of "th.3"; empty where the spine does not count so far, None where the word is no level."""
    match = LEVEL.match(word)
    if match is None:
        return None
    letter = {"th": "t", "d": "t"}.get(match[1], match[1])
    return f"{letter}{int(match[2])}" if 1 <= int(match[2]) <= _COUNTS[letter] else ""


def _same_region(previous: str, number: int) -> str:
    """The level a bare number means after another level: "L4/5" stays lumbar, "T12/1" and "L5/1" go on below."""
    letter, last = previous[0], int(previous[1:])
    if number > last and number <= _COUNTS[letter]:
        return f"{letter}{number}"
    following = {"c7": "t1", "t12": "l1", "l5": "s1"}.get(previous, "")
    return following if number == 1 else ""


def _add_level(groups: list[_Levels], level: str, join: str) -> None:
    previous = groups[-1] if groups else _Levels((), "single")
    first, last = _PLACES.get(previous.levels[-1] if previous.levels else "", -1), _PLACES.get(level, -1)
    if first >= 0 and last >= 0:
        between = (*previous.levels, *SPINE[first + 1 : last + 1])
        is_pair = last == first + 1 and join in ("/", "-", "–", "—", "‑")
        if is_pair and (len(previous.levels) == 1 or previous.kind == "discs"):
            groups[-1] = _Levels(between, "pair" if len(previous.levels) == 1 else "discs")
            return
        if first <= last and join in RANGES:  # "L1-L3", and from pair to pair: "L1/2 to L4/5"
            groups[-1] = _Levels(between, "discs" if previous.kind == "pair" else "range")
            return
    groups.append(_Levels((level,), "single"))


def _labels_of_levels(groups: Sequence[_Levels], named: Set[str], around: Set[str], modality: str) -> Iterator[str]:
    """Vertebrae or the discs between them: "L4/5" is a disc unless the sentence is about bone."""
    names_vertebra = bool(named & {"vertebra", "vertebrae", "vertebral", "body", "bodies"})
    for levels, kind in groups:
        if kind == "single" or names_vertebra:
            is_disc = False
        elif kind in ("pair", "discs"):
            is_disc = bool(around & _DISC_CONTEXT) or (modality == "mri" and not around & _VERTEBRA_CONTEXT)
        else:
            is_disc = bool((named or around) & _DISC_WORDS)
        if is_disc:
            yield from (disc(upper, lower) for upper, lower in itertools.pairwise(levels))
        else:
            yield from (vertebra(level[0], int(level[1:])) for level in levels)


def vertebra(letter: str, number: int) -> str:
    """The trained string of a vertebra: "lumbar vertebrae 4 (l4)"."""
    return f"{_REGIONS[letter]} vertebrae {number} ({letter}{number})"


def disc(upper: str, lower: str) -> str:
    """The trained string of the disc between two levels."""
    below = "sacrum" if lower == "s1" else vertebra(lower[0], int(lower[1:]))
    return f"intervertebral disc between {vertebra(upper[0], int(upper[1:]))} and {below}"
