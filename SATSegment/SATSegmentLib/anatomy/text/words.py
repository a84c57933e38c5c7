"""Text to words: what a person typed, as the words of a structure's name, its side and its numbers.

"Kidney (L)", "lt kidneys", "Kidney_L" and "left kidney" become the same words and the same side, so that the same
look-up finds them. Order of words is kept for ranking and left out of `key`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from SATSegmentLib.anatomy.text.spelling import canonical_word, fold

Side = Literal["", "left", "right", "both", "conflict"]

# Longer text is no structure's name: the rest is not looked at.
MAX_CHARACTERS = 400
MAX_WORDS = 40

LEFT_WORDS = frozenset(
    ["left", "lt", "l", "lft", "lh", "lhs", "sin", "sinister", "sinistra", "sinistrum", "sinistri", "leftsided"]
)
RIGHT_WORDS = frozenset(
    ["right", "rt", "r", "rgt", "rh", "rhs", "dext", "dexter", "dextra", "dextrum", "dextri", "rightsided"]
)
BOTH_WORDS = frozenset(["both", "bilateral", "bilaterally", "bilat", "bilaterals", "bil", "bl"])
FILLERS = frozenset(
    [
        "the",
        "of",
        "a",
        "an",
        "in",
        "my",
        "our",
        "this",
        "that",
        "his",
        "her",
        "whole",
        "entire",
        "complete",
        "all",
        "structure",
        "sided",
        "side",
        "ctx",
        "please",
        "and",
        "or",
        "patient",
        "patients",
        "anatomy",
        "anatomical",
    ]
)
_ORDINALS = {
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7",
    "eighth": "8", "ninth": "9", "tenth": "10", "eleventh": "11", "twelfth": "12",
    "prima": "1", "secunda": "2", "tertia": "3", "quarta": "4", "quinta": "5", "sexta": "6", "septima": "7",
    "octava": "8", "nona": "9", "decima": "10", "undecima": "11", "duodecima": "12",
}  # fmt: skip
# "Rib no. 5"
_NUMBER_WORDS = frozenset(("number", "no", "nr", "num"))
_ROMAN = {
    "i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10",
    "xi": "11", "xii": "12",
}  # fmt: skip
_NUMERAL = "(viii|vii|vi|v|iv|ix|iii|ii|i|xii|xi|x)"
# "Segments V-VIII"
_ROMAN_RANGE = re.compile(
    rf"(?<![^\W_]){_NUMERAL}\s*(?:[-‐‑‒–—―−]|\bto\b|\bthrough\b|\bthru\b)\s*{_NUMERAL}(?![^\W_])", re.IGNORECASE
)
_COUNTED_WORD = re.compile(r"(?<![a-z])(?:seg|couinaud|rib|costa)", re.IGNORECASE)
# How many vertebrae each letter counts; L6 and T13 are variants, S6 to S8 are segments of the liver.
_LEVELS = {"c": 8, "t": 13, "d": 12, "l": 6, "s": 8}
_NEXT_REGION = {("c7", "t1"), ("t12", "l1"), ("l5", "s1"), ("t13", "l1"), ("t12", "l2"), ("l6", "s1")}

_TOKEN = re.compile(
    r"(?P<level>(?<![^\W_])(?P<letter>th|[ctdls])[.\s-]?0?(?P<first>\d{1,2})"
    r"(?:\s*(?P<join>[-/]|to(?=\W)|thr(?:ough|u)(?=\W))\s*(?P<letter2>th|[ctdls])?[.\s-]?0?(?P<last>\d{1,2}))?(?![^\W_]))"
    r"|(?P<numbers>\d{1,2}(?:st|nd|rd|th)?(?:\s*(?:-|/|to(?=\W)|thr(?:ough|u)(?=\W))\s*\d{1,2}(?:st|nd|rd|th)?)(?![^\W_]))"
    r"|(?P<bilateral>(?<![^\W_])b/l(?![^\W_]))"
    r"|(?P<segment>(?<![^\W_])\d[ab](?![^\W_]))"
    r"|(?P<code>(?<![^\W_])[abe-km-qu-z]\d{1,2}(?![^\W_]))"
    r"|(?P<number>\d{1,4}(?:st|nd|rd|th)?)"
    r"|(?P<word>[^\W\d_]+)"
)
_CAMEL = re.compile(r"(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_PREFIX = re.compile(r"^(A|V|Bone|VB|Musc|Glnd)_")
_PREFIX_WORDS = {"A": "artery ", "V": "vein ", "Bone": "", "VB": "vertebra body ", "Musc": "muscle ", "Glnd": "gland "}
_VERB = re.compile(
    r"^\s*(?:please\s+)?(?:(?:segment|show|find|outline|contour|delineate|highlight|mask|label)\s+(?:me\s+)?(?:the|my|both|all)\s)",
    re.IGNORECASE,
)
# "L spine" is the lumbar spine, not the left one.
_SPINE = re.compile(r"\b(?:([ctdl])|l\s*/?\s*s)[\s.-]*spine\b")
_RIB = re.compile(r"(?<![a-z])ribs?(?![a-z])")
# Words that start no order ("segment the liver") and hold nothing else that needs care.
_PLAIN = re.compile(
    r"(?!segment |show |find |outline |contour |delineate |highlight |mask |label |please )"
    r"(?!.* on the |.*spine)[a-z][a-z -]*"
)
_DASHES = str.maketrans(
    {c: "-" for c in "‐‑‒–—―−﹘﹣-"} | {"_": " ", "’": "'", "∕": "/", "⁄": "/", "\u200b": "", "\u00ad": ""}
)
_JOINED_SIDES = re.compile(
    r"(?<=\b[lr])\s*[/&+]\s*(?=[lr]\b)"
    r"|(?<=\bleft)\s*[/&+]\s*(?=right\b)|(?<=\bright)\s*[/&+]\s*(?=left\b)"
)
_POSSESSIVE = re.compile(r"'s\b")


class Words(NamedTuple):
    """A text as words.

    Attributes
    ----------
    tokens : tuple[str, ...]
        The words in one spelling and in order, without the side and without fillers.
    side : Side
        What the text says of the side; "conflict" where it names left and right apart from each other.
    plural : bool
        Whether one of the words was a plural.
    """

    tokens: tuple[str, ...]
    side: Side = ""
    plural: bool = False

    @property
    def name_something(self) -> bool:
        """Whether there is more than sides and fillers: "the left" names nothing."""
        return any(token not in _NOT_NAMES for token in self.tokens)

    @property
    def key(self) -> str:
        """The words in alphabetical order, each once: the same for every order of words."""
        return " ".join(sorted(set(self.tokens)))


def read_words(text: str) -> Words:
    """Split a text into words; any text at all, never an error."""
    raw = text[:MAX_CHARACTERS].strip()
    if _COUNTED_WORD.search(raw):
        raw = _ROMAN_RANGE.sub(lambda match: f"{_ROMAN[match[1].lower()]}-{_ROMAN[match[2].lower()]}", raw)
    if _PLAIN.fullmatch(raw):
        # Most names are nothing but lower-case words; the tables hold thousands of them.
        return _assemble(raw.replace("-", " ").split()[:MAX_WORDS])
    raw = _VERB.sub("", raw, count=1)
    raw = _PREFIX.sub(lambda match: _PREFIX_WORDS[match[1]], raw)
    raw = _CAMEL.sub(" ", raw)
    folded = fold(raw).translate(_DASHES)
    folded = _POSSESSIVE.sub("", folded)
    folded = _JOINED_SIDES.sub(" and ", folded)
    folded = folded.replace(" on the ", " ")
    folded = _SPINE.sub(lambda match: f"{match[1] or 'ls'}spine", folded)
    return _assemble(_tokens(folded))


def _tokens(folded: str) -> list[str]:
    """Raw tokens: words, numbers without leading zeros, "l4", "l4l5" for a level between, "l1..l5" for a range."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(folded):
        kind = match.lastgroup
        if match["level"]:
            tokens.extend(_level(match, folded))
        elif match["numbers"]:
            first, last = map(int, re.findall(r"\d+", match["numbers"]))
            # "Ribs 3/5" are two ribs; "4/5" is a level between two.
            ranged = first < last and ("/" not in match["numbers"] or last == first + 1)
            tokens.extend([f"{first}..{last}"] if ranged else [str(first), str(last)])
        elif kind == "bilateral":
            tokens.append("both")
        elif kind in ("segment", "code"):
            # "V2", "M1": the letter counts, and the number alone would be another thing.
            tokens.append(match[kind])
        elif kind == "number":
            tokens.append(str(int(re.match(r"\d+", match["number"])[0])))  # type: ignore[index]
        else:
            tokens.append(match["word"])
        if len(tokens) >= MAX_WORDS:
            break
    return tokens


def _level(match: re.Match[str], folded: str) -> list[str]:
    """A vertebral level, or what looks like one: "rib L4" and "rib R 4" are ribs with a side."""
    letter, first = match["letter"].replace("th", "t"), int(match["first"])
    start = f"{letter}{first}"
    if letter in "tdl" and _RIB.search(folded) and not (start == "l1" and "l1 rib" in folded):
        numbers = [str(first)]
        if match["last"]:
            last = int(match["last"])
            numbers = [f"{first}..{last}"] if first < last else [str(first), str(last)]
        # In "rib L4-L6" the letter is the side; "T5 rib" is the rib of that level. "L1 rib" may be a lumbar rib.
        return [*([letter] if letter == "l" else []), *numbers]
    if not 1 <= first <= _LEVELS[letter]:
        return [start, *([match["last"]] if match["last"] else [])]
    if not match["last"]:
        return [start]
    letter2 = (match["letter2"] or letter).replace("th", "t")
    last = int(match["last"])
    end = f"{letter2}{last}"
    if not 1 <= last <= _LEVELS[letter2]:
        return [start, end]
    adjacent = (letter == letter2 and last == first + 1) or (start.replace("d", "t"), end) in _NEXT_REGION
    if not match["letter2"] and not last > first:
        # "T12/1" and "L5/1": the second number counts in the next region.
        following = {"c7": "t1", "t12": "l1", "d12": "l1", "l5": "s1"}.get(start)
        return [start + following] if following and last == 1 else [start, end]
    if adjacent and match["join"] in "-/":
        return [(start + end).replace("d", "t")]
    if match["join"] == "/":
        return [start.replace("d", "t"), end.replace("d", "t")]  # "T5/T7" leaves out what lies between
    return [f"{start}..{end}".replace("d", "t")]


def _assemble(raw: list[str]) -> Words:
    if not _COUNTED.isdisjoint(raw):
        raw = _without_roman(raw)
    names_something = any(token not in _NOT_NAMES for token in raw)
    tokens: list[str] = []
    sides: list[tuple[int, str]] = []
    plural = False
    for position, token in enumerate(raw):
        side = _SIDES.get(token) if names_something else None
        if side:
            sides.append((position, side))
        elif token in FILLERS and names_something:
            plural |= token == "all"
        elif token in _NUMBER_WORDS and raw[position + 1 : position + 2] and raw[position + 1][0].isdigit():
            continue
        elif token in _ORDINALS:
            tokens.append(_ORDINALS[token])
        elif len(token) == 1 and names_something and token in _LETTERS:
            tokens.append(_LETTERS[token])
        else:
            word, was_plural = canonical_word(token)
            tokens.append(word)
            plural |= was_plural
    return Words(tuple(tokens), _side_of(sides, raw), plural)


_SIDES = dict.fromkeys(LEFT_WORDS, "left") | dict.fromkeys(RIGHT_WORDS, "right") | dict.fromkeys(BOTH_WORDS, "both")
_NOT_NAMES = frozenset(_SIDES) | FILLERS
# Beside these words a Roman numeral is a number; elsewhere "v" is a vein and "i" a word.
_COUNTED = frozenset(
    ("segment", "segments", "seg", "segs", "segm", "couinaud", "rib", "ribs", "costa", "costae", "cn", "nerve")
)  # fmt: skip
_LETTERS = {"v": "vein", "n": "nerve", "m": "muscle"}


def _side_of(sides: list[tuple[int, str]], raw: list[str]) -> Side:
    named = {side for _, side in sides}
    if not named:
        return ""
    if len(named) == 1 or len(named) == 3:
        return "both" if "both" in named else "left" if "left" in named else "right"
    if "both" in named:
        return "conflict"  # "both left kidney"
    # "left and right kidney": nothing but a joining word between the two; "left kidney, right lung" is no pair.
    positions = [position for position, _ in sides]
    between = raw[min(positions) + 1 : max(positions)]
    return "both" if len(sides) == 2 and between == ["and"] else "conflict"


def _without_roman(raw: list[str]) -> list[str]:
    """Roman numerals as numbers, also in ranges; only called where the text counts ribs or segments."""
    result: list[str] = []
    for token in raw:
        base = token[:-1] if len(token) > 1 and token[-1] in "ab" and token[:-1] in _ROMAN else token
        if base in _ROMAN:
            result.append(_ROMAN[base] + token[len(base) :])
        else:
            result.append(token)
    return result
