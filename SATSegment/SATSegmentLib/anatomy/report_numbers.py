"""What is counted rather than named: ribs, vertebral levels and discs, segments of the liver, lobes of the lung.

Each reader looks at one place of a sentence and takes lists and ranges whole: "left 5th through 7th ribs",
"T12, L1 and L2", "L4/5 and L5/S1 discs", "segments V and VIII", "left lower and right middle lobes".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from SATSegmentLib.anatomy.report_rules import words
from SATSegmentLib.anatomy.report_text import Token

_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8}
_JOINS = frozenset((",", "and", "&", "or", "/", "as", "well"))
_RANGES = frozenset(("-", "–", "—", "‑", "through", "to", "thru", "until", "till"))
SIDES = {
    "left": "left", "lt": "left", "l": "left", "right": "right", "rt": "right", "r": "right", "both": "both",
    "bilateral": "both", "bilat": "both", "bilaterally": "both",
}  # fmt: skip
_RIB_ADJECTIVES = words("rib_adjectives")
_NEVER_FIRST = frozenset(("the", "old", "healed", "healing", "true", "false"))
_LEVEL = re.compile(r"(th|[ctdls])[.\-]?0?(\d{1,2})\Z")
_COUNTS = {"c": 7, "t": 12, "l": 6, "s": 5}
_SPINE_ORDER = [
    f"{letter}{number}" for letter, last in (("c", 7), ("t", 12), ("l", 5), ("s", 1)) for number in range(1, last + 1)
]
_REGIONS = {"c": "cervical", "t": "thoracic", "l": "lumbar", "s": "sacral"}
_REGION_WORDS = {"cervical": "c", "thoracic": "t", "dorsal": "t", "lumbar": "l"}
_VERTEBRA_WORDS = words("vertebra_words")
_VERTEBRA_CONTEXT = words("vertebra_context")
_DISC_WORDS = words("disc_words")
_DISC_CONTEXT = words("disc_context")
_BEFORE_LEVELS = _VERTEBRA_WORDS | _DISC_WORDS | frozenset(("intervertebral", *_REGION_WORDS))
_NOT_LEVELS_BEFORE = frozenset(("stage", "pt", "ct", "grade", "category"))
_ROOT = re.compile(r"nerve|root|radicul|dermatom|myotom")
_SEQUENCE = re.compile(
    r"weight|hyperint|hypoint|isoint|signal|flair|bright|dark|sequenc|prolong|relax|time|image|shorten|map|shine|w\Z|tse|"
    r"fse|fs\Z|stir|dixon|contrast|black|high|low|increas"
)
_STAGED = re.compile(r"n\d|m\d|tumor|tumour|stage|disease|lesion|carcinoma|cancer")
_DUODENUM = re.compile(r"duoden|diagonal|coronar|lad\Z|dimer")

_LIVER_SEGMENTS = {
    1: "caudate lobe", 2: "left lateral superior segment of liver", 3: "left lateral inferior segment of liver",
    4: "left medial segment of liver", 5: "right anterior inferior segment of liver",
    6: "right posterior inferior segment of liver", 7: "right posterior superior segment of liver",
    8: "right anterior superior segment of liver",
}  # fmt: skip
_SEGMENT_WORDS = frozenset(("segment", "segments", "seg", "segs", "segm"))
_LUNG = re.compile(r"lung|lobe|bronch|pulmon|lingul|airway|arter|vessel|kidney|renal|colon|bowel|ureter|spine")
_LIVER = re.compile(r"liver|hepat|couinaud")

_POSITIONS = {
    "upper": "upper", "superior": "upper", "middle": "middle", "mid": "middle", "lower": "lower", "inferior": "lower",
}  # fmt: skip


class _Levels(NamedTuple):
    """Levels said together: one, a pair next to each other ("L4/5"), or a range written out."""

    levels: tuple[str, ...]
    kind: Literal["single", "pair", "range"]


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens `first` to `last` (inclusive) that name counted structures; `labels` may be untrained in a modality."""

    first: int
    last: int
    labels: tuple[str, ...]
    side: str = ""


def read_counted(tokens: Sequence[Token], index: int, modality: str) -> Counted | None:
    """The counted structures that begin at a token, or None. Empty `labels`: read, but nothing SAT knows."""
    word = tokens[index].word
    if word in _NEVER_FIRST:
        return None
    may_count = word in SIDES or word in _ORDINALS or word in _RIB_ADJECTIVES or word[0].isdigit()
    if (may_count or word in ("rib", "ribs")) and (found := _ribs(tokens, index) or _ordinal_vertebrae(tokens, index)):
        return found
    if word in SIDES or word in _POSITIONS:
        return _lung_lobes(tokens, index)
    if word in _SEGMENT_WORDS or word in ("hepatic", "liver", "couinaud"):
        return _liver_segments(tokens, index)
    if _LEVEL.match(word) or word in _BEFORE_LEVELS:
        return _levels(tokens, index, modality)
    return None


# -- lists of numbers ---------------------------------------------------------------------------------------------


def _number(word: str) -> int | None:
    if word in _ORDINALS:
        return _ORDINALS[word]
    digits = re.match(r"\d{1,2}(?=st\Z|nd\Z|rd\Z|th\Z|\Z)", word)
    return int(digits[0]) if digits else None


def _number_list(tokens: Sequence[Token], index: int, side: str, highest: int) -> tuple[list[tuple[str, int]], int]:
    """Numbers with the side each of them is on, ranges written out, and the index after the last one.

    "5th, 6th and right 7th" counts on with the side that was said last.
    """
    items: list[tuple[str, int]] = []
    position, ranging, after = index, False, index
    while position < len(tokens):
        word = tokens[position].word
        number = _number(word)
        if number is not None and 1 <= number <= highest:
            first = items[-1][1] + 1 if ranging and items and items[-1][1] < number else number
            items.extend((side, n) for n in range(first, number + 1))
            ranging, after = False, position + 1
        elif word in SIDES and _next_is_number(tokens, position + 1):
            side = SIDES[word]
        elif items and word in _RANGES:
            ranging = True
        elif not (items and word in _JOINS) and word != "the":
            break
        position += 1
    return items, after


def _next_is_number(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and _number(tokens[index].word) is not None


# -- ribs ---------------------------------------------------------------------------------------------------------


def _ribs(tokens: Sequence[Token], index: int) -> Counted | None:
    position, side = index, ""
    while position < len(tokens) and (tokens[position].word in SIDES or tokens[position].word in _RIB_ADJECTIVES):
        side = SIDES.get(tokens[position].word, side)
        position += 1
    if position >= len(tokens) or (position == index + 1 and tokens[index].word == "and"):
        return None
    if tokens[position].word in ("rib", "ribs"):  # "left ribs 8-10", "rib 5 on the left"
        start = position + 1
        while start < len(tokens) and tokens[start].word in ("number", "numbers", "no", "nos", "nr", "#", ".", "("):
            start += 1
        items, after = _number_list(tokens, start, side, 12)
        if not items or (after < len(tokens) and tokens[after].word in ("mm", "cm")):
            return None
    else:  # "left 5th through 7th ribs"
        items, after = _number_list(tokens, position, side, 12)
        while items and after < len(tokens) and tokens[after].word in _RIB_ADJECTIVES:
            after += 1
        if not items or after >= len(tokens) or tokens[after].word not in ("rib", "ribs"):
            return None
        after += 1
    if not any(item_side for item_side, _ in items):
        side_after, after = side_behind(tokens, after)
        items = [(side_after, number) for _, number in items]
    sides = {item_side for item_side, _ in items}
    labels = [label for item in items for label in _rib_labels(*item)]
    return Counted(index, after - 1, tuple(dict.fromkeys(labels)), sides.pop() if len(sides) == 1 else "both")


def _rib_labels(side: str, number: int) -> list[str]:
    if side == "both":
        return [f"left rib {number}", f"right rib {number}"]
    return [f"{side} rib {number}".strip()]


def side_behind(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """A side said right after something ("on the left", "(left)", "bilaterally"), and the index after it."""
    words = [token.word for token in tokens[index : index + 4]]
    for pattern in (
        ("on", "the", "?"),
        ("to", "the", "?"),
        ("at", "the", "?"),
        ("(", "?", ")"),
        ("on", "?"),
        (",", "?"),
        ("?",),
    ):
        size = len(pattern)
        if len(words) < size or any(want not in ("?", word) for want, word in zip(pattern, words, strict=False)):
            continue
        side = SIDES.get(words[pattern.index("?")], "")
        behind = tokens[index + size].word if index + size < len(tokens) else "."
        ends = (
            pattern[0] == "("
            or not behind[0].isalnum()
            or behind in ("and", "or", "with", "is", "are", "side", "without")
        )
        if side and ends and behind not in ("-", "/"):
            return side, index + size
    return "", index


# -- vertebrae and discs ------------------------------------------------------------------------------------------


def _ordinal_vertebrae(tokens: Sequence[Token], index: int) -> Counted | None:
    """ "first and second lumbar vertebrae", "7th cervical vertebral body"."""
    if tokens[index].word in SIDES:
        return None
    items, after = _number_list(tokens, index, "", 12)
    if not items or after + 1 >= len(tokens):
        return None
    letter = _REGION_WORDS.get(tokens[after].word)
    if not letter or not tokens[after + 1].word.startswith("vertebra"):
        return None
    last = _last_of(tokens, after + 1, _VERTEBRA_WORDS)
    return Counted(index, last, tuple(vertebra(letter, number) for _, number in items))


def _levels(tokens: Sequence[Token], index: int, modality: str) -> Counted | None:
    start = index
    while (
        start < len(tokens)
        and start - index < 4
        and (tokens[start].word in _BEFORE_LEVELS or tokens[start].word in ("of", "at", "space", "spaces"))
    ):
        start += 1
    if start >= len(tokens) or not _LEVEL.match(tokens[start].word):
        return None
    groups, after = _level_groups(tokens, start)
    if not groups:
        return None
    if _are_no_levels(tokens, start, after, groups):
        return Counted(start, after - 1, ())
    last = _last_of(tokens, after, _VERTEBRA_WORDS | _DISC_WORDS | {"intervertebral"}, after - 1)
    named = {token.word for token in (*tokens[index:start], *tokens[after : last + 1])}
    labels = _labels_of_levels(groups, named, {token.word for token in tokens}, modality)
    return Counted(index if index < start and named else start, last, tuple(dict.fromkeys(labels)))


def _are_no_levels(tokens: Sequence[Token], start: int, after: int, groups: Sequence[_Levels]) -> bool:
    """Whether "T2", "S1", "D2" mean something else here: a sequence, a stage, a nerve root, a part of the bowel."""
    if start > 0 and tokens[start - 1].word in _NOT_LEVELS_BEFORE:
        return True
    following = [token.word for token in tokens[after : after + 2]]
    if following[:1] == ["-"]:
        following = following[1:]
    if following and _ROOT.match(following[0]):
        return True
    if groups[0].levels[0] in ("t1", "t2") and following and _SEQUENCE.match(following[0]):
        return True
    if groups[0].levels[0] in ("t1", "t2", "t3", "t4") and following and _STAGED.match(following[0]):
        return True
    letter = tokens[start].word[0]
    return letter == "d" and any(_DUODENUM.match(token.word) for token in tokens)


def _last_of(tokens: Sequence[Token], index: int, words: frozenset[str] | set[str], default: int | None = None) -> int:
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
    while position < len(tokens):
        word = tokens[position].word
        match = _LEVEL.match(word)
        number = _number(word) if groups and not match else None
        if match or (number is not None and join in ("-", "–", "/", "to", "through", "and", "thru", "&", ",")):
            level = _level_name(match) if match else _same_region(groups[-1].levels[-1], number or 0)
            if not level or (not match and _is_measure(tokens, position + 1)):
                break
            _add_level(groups, level, join)
            join, after = "", position + 1
        elif groups and (word in _RANGES or word in _JOINS):
            join = word if word in _RANGES else join or word
        elif not groups or word not in ("the", "level", "levels", "of"):
            break
        position += 1
    return groups, after


def _is_measure(tokens: Sequence[Token], index: int) -> bool:
    return index < len(tokens) and tokens[index].word in ("mm", "cm", "ml", "x", "years", "months", "%")


def _level_name(match: re.Match[str]) -> str:
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
    previous = groups[-1].levels if groups else ()
    if previous and previous[-1] in _SPINE_ORDER and level in _SPINE_ORDER:
        first, last = _SPINE_ORDER.index(previous[-1]), _SPINE_ORDER.index(level)
        if last == first + 1 and join in ("/", "-", "–", "—", "‑") and len(previous) == 1:
            groups[-1] = _Levels((*previous, level), "pair")
            return
        if first < last and join in _RANGES:
            groups[-1] = _Levels((*previous, *_SPINE_ORDER[first + 1 : last + 1]), "range")
            return
    groups.append(_Levels((level,), "single"))


def _labels_of_levels(groups: Sequence[_Levels], named: set[str], around: set[str], modality: str) -> Iterator[str]:
    """Vertebrae or the discs between them: "L4/5" is a disc unless the sentence is about bone."""
    names_vertebra = bool(named & {"vertebra", "vertebrae", "vertebral", "body", "bodies"})
    for levels, kind in groups:
        if kind == "single" or names_vertebra:
            is_disc = False
        elif kind == "pair":
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


# -- liver segments -----------------------------------------------------------------------------------------------


def _liver_segments(tokens: Sequence[Token], index: int) -> Counted | None:
    start = index
    while start < len(tokens) and tokens[start].word in ("hepatic", "liver", "couinaud"):
        start += 1
    if start >= len(tokens) or (tokens[start].word not in _SEGMENT_WORDS and start == index):
        return None
    if tokens[start].word in _SEGMENT_WORDS:
        start += 1
    words = " ".join(token.word for token in tokens)
    if not _LIVER.search(words) and _LUNG.search(words):
        return None
    numbers: list[int] = []
    position, ranging, after = start, False, start
    while position < len(tokens):
        word = tokens[position].word
        number = _segment_number(word)
        if number:
            first = numbers[-1] + 1 if ranging and numbers and numbers[-1] < number else number
            numbers.extend(range(first, number + 1))
            ranging, after = False, position + 1
            if after < len(tokens) and tokens[after].word in ("a", "b") and tokens[after].start == tokens[position].end:
                after = position = after + 1
                continue
        elif numbers and word in _RANGES:
            ranging = True
        elif not (numbers and (word in _JOINS or word in _SEGMENT_WORDS)) and word not in (".", "-"):
            break
        position += 1
    if not numbers:
        return None
    for tail in (("of", "the", "liver"), ("of", "liver"), ("liver",), ("hepatic",)):
        if tuple(token.word for token in tokens[after : after + len(tail)]) == tail:
            after += len(tail)
            break
    return Counted(index, after - 1, tuple(dict.fromkeys(_LIVER_SEGMENTS[number] for number in numbers)))


def _segment_number(word: str) -> int:
    plain = word[:-1] if len(word) > 1 and word[-1] in "ab" else word
    number = _ROMAN.get(plain) or (int(plain) if plain.isdecimal() and len(plain) == 1 else 0)
    return number if 1 <= number <= 8 else 0


# -- lobes of the lung --------------------------------------------------------------------------------------------


def _lung_lobes(tokens: Sequence[Token], index: int) -> Counted | None:
    """ "right upper and middle lobes", "left lower and right middle lobes", "lower lobes of both lungs"."""
    items: list[tuple[str, str]] = []
    position, side = index, ""
    while position < len(tokens) and position - index < 12:
        word = tokens[position].word
        if word in SIDES:
            side = SIDES[word]
        elif word in _POSITIONS:
            items.append((side, _POSITIONS[word]))
        elif word in ("lobe", "lobes") and items:
            break
        elif (
            word in ("lung", "lungs", "pulmonary")
            and items
            and position + 1 < len(tokens)
            and tokens[position + 1].word in ("lobe", "lobes")
        ):
            pass
        elif not (word in _JOINS or word in ("-", "sided", "lung", "lungs")) or position == index:
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
