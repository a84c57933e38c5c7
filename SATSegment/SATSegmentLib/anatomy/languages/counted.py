"""Numbers of vertebrae, discs, ribs and liver segments, in the English that means what another language says."""

from __future__ import annotations

import re
from typing import NamedTuple

from SATSegmentLib.anatomy.text.bases import DISC

_MOST = {"c": 7, "t": 13, "l": 6, "s": 5}
_VERTEBRA = re.compile(r"(cervical|thoracic|lumbar|sacral) vertebra(?:e$| <n>)")
_REGION = {"cervical": "c", "thoracic": "t", "lumbar": "l", "sacral": "s"}
_RIBS, _SEGMENTS = 12, 8
ROMAN = {
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11, "xii": 12,
}  # fmt: skip

# Bases that a number may stand with.
COUNTED = ("rib <n>", "rib", "liver segment <n>", "vertebrae", DISC, "intervertebral discs")


class Count(NamedTuple):
    """One number of a text.

    Attributes
    ----------
    letter : str
        "c", "t", "l", "s" where the text says the region with it ("L4", "LWK 4"), else empty.
    number : int
        Int
    joint : str
        What stands between the number before and this one: "-" for a range, "/" for a level, "&" for "and".
    """

    letter: str
    number: int
    joint: str = ""


def is_counted(base: str) -> bool:
    return base in COUNTED or bool(_VERTEBRA.fullmatch(base))


def english_of(base: str, side: str, counts: tuple[Count, ...], of_body: bool = False) -> str:
    """What to ask the resolver for, in English; empty where the numbers do not fit the structure.

    Parameters
    ----------
    base : str
        Name without side and number, or empty where the text holds levels only ("LWK 4").
    side : str
        "", "left", "right" or "both".
    counts : tuple of Count
        At least one.
    of_body : bool
        Whether a word as "LWK" said that vertebrae are meant.
    """
    if base in ("rib", "rib <n>"):
        said = _plain(counts, _RIBS)
        return f"{side} rib{'s' if len(counts) > 1 else ''} {said}".strip() if said else ""
    if base == "liver segment <n>":
        counts = tuple(count._replace(letter="") if count.letter == "s" else count for count in counts)
        said = _plain(counts, _SEGMENTS)
        return f"{side} liver segment{'s' if len(counts) > 1 else ''} {said}".strip() if said else ""
    region = ""
    if match := _VERTEBRA.fullmatch(base):
        region = _REGION[match[1]]
    levels = _levels(counts, region)
    if not levels or len(levels) > 2:
        return ""
    if base in (DISC, "intervertebral discs"):
        said = f"{'/'.join(levels)} disc"
    elif len(levels) == 1:
        said = f"{levels[0]} vertebra"
    elif counts[1].joint == "&":
        said = f"{levels[0]} and {levels[1]}"
    elif counts[1].joint == "/" or (not base and not of_body):
        said = "/".join(levels)
    else:
        said = f"{levels[0]}-{levels[1]} vertebrae"
    return f"{side} {said}".strip()


def _plain(counts: tuple[Count, ...], most: int) -> str:
    """ "5", "5 to 7" or "5, 6 and 7"; empty where a number is none of these."""
    if any(count.letter or not 1 <= count.number <= most for count in counts):
        return ""
    numbers = [str(count.number) for count in counts]
    if len(counts) == 2 and counts[1].joint == "-":
        return f"{numbers[0]} to {numbers[1]}" if counts[0].number < counts[1].number else ""
    if any(count.joint not in ("&", "/") for count in counts[1:]):
        return ""
    return " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))


def _levels(counts: tuple[Count, ...], region: str) -> list[str]:
    """ "L4" for each number; empty where a letter is missing, contradicts the region, or does not count so far."""
    levels: list[str] = []
    before = region
    for count in counts:
        letter = count.letter or before
        if not letter or (region and count.letter not in ("", region)) or not 1 <= count.number <= _MOST[letter]:
            return []
        levels.append(f"{letter.upper()}{count.number}")
        before = letter
    return levels
