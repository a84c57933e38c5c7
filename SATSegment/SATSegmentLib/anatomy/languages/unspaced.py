"""Reading of Chinese and Japanese, which have no spaces between words: side and numbers are cut out of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from SATSegmentLib.anatomy.languages.counted import Count, english_of, is_counted
from SATSegmentLib.anatomy.languages.names import Name, Names, without_marks
from SATSegmentLib.anatomy.text.bases import DISC

# English, certain, name, side: what `reading.Reading` adds the language to.
Found = tuple[str, bool, str, str]

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_DIGITS = {digit: str(number) for number, digit in enumerate("〇一二三四五六七八九")}
_ROMAN = {"ⅰ": "1", "ⅱ": "2", "ⅲ": "3", "ⅳ": "4", "ⅴ": "5", "ⅵ": "6", "ⅶ": "7", "ⅷ": "8"}
_LATIN_ROMAN = re.compile(r"(?<![a-z])(viii|vii|vi|iv|v|iii|ii|i)(?![a-z])")
_ROMAN_VALUES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8}
_REGIONS = "颈頸頚胸腰骶仙"
_NUMERAL = "[一二三四五六七八九十]"
# A numeral is a number only where one can stand: 十二指肠 is no twelve.
_COUNTED_NUMERAL = re.compile(
    rf"(?<=第){_NUMERAL}{{1,3}}|(?<=[{_REGIONS}]){_NUMERAL}{{1,3}}(?!指)|(?<=椎){_NUMERAL}{{1,3}}"
    rf"|{_NUMERAL}{{1,3}}(?=肋|段|番|号|节|区)"
)
_LEVEL = re.compile(r"第?(?P<letter>th|[ctlds])?(?P<number>\d{1,2})")
_DISC_OF = re.compile(r"^([颈頸胸腰])(?=椎间盘$|椎間板$|间盘$|椎間円板$)")
_RANGE = "-~〜–—至到から"
_LISTING = (",", "、", "・")


def is_unspaced(text: str) -> bool:
    """Whether a text holds Chinese or Japanese characters."""
    return bool(_UNSPACED.search(text))


def read(text: str, names: Names) -> list[Found]:
    """What the text says in one of the two languages."""
    grammar = names.grammar
    folded = grammar.folded(text)
    readings: list[Found] = []
    for rest, side in _sides(folded, names):
        if readings := [*_by_name(rest, side, names)]:
            break
        if readings := [*_by_count(rest, side, names)]:
            break
    if not readings and (inside := next((end for end in names.grammar.around if folded.endswith(end)), "")):
        # 肝组织: what is named in it, never for certain.
        return [(english, False, name, side) for english, _, name, side in read(folded.removesuffix(inside), names)]
    return readings


def _sides(folded: str, names: Names) -> Iterator[tuple[str, str]]:
    """The text without its side word, and the side: first the shortest word, as 左侧脑室 is 左 and 侧脑室."""
    said = {side for word, side in names.grammar.sides.items() if word in folded and len(word) == 1}
    if said == {"left", "right"} and not any(word in folded for word in names.grammar.sides if word.startswith("左右")):
        return
    if not said and not any(word in folded for word in names.grammar.sides):
        yield folded, ""
        return
    words = sorted(names.grammar.sides, key=len)
    if any(word.startswith("左右") and word in folded for word in words):
        words = [word for word in words if word.startswith("左右")]
    for word in words:
        if folded.count(word) == 1:
            yield folded.replace(word, ""), names.grammar.sides[word]
        elif folded.count(word) > 1 and len(word) == 1:
            # 左肺（左）
            yield folded.replace(word, ""), names.grammar.sides[word]


def _plain(text: str, names: Names) -> str:
    """Without marks and words that carry no meaning."""
    text = without_marks(text)
    for filler in sorted(names.grammar.fillers, key=len, reverse=True):
        text = text.replace(filler, "")
    return text


def _by_name(rest: str, side: str, names: Names) -> Iterator[Found]:
    found = names.find_unspaced(without_marks(rest)) or names.find_unspaced(_plain(rest, names))
    for name in found:
        base = "intervertebral discs" if name.base == DISC else name.base
        if "<n>" not in base:
            yield f"{side} {base.removeprefix('=')}".strip(), name.certain, name.text, side


def _by_count(rest: str, side: str, names: Names) -> Iterator[Found]:
    text = _with_digits(rest)
    for word, letter in sorted(names.grammar.levels.items(), key=lambda item: -len(item[0])):
        # 腰4, 腰椎4番 and 第4腰椎 are one; the first two are read here, the third by its name.
        text = re.sub(rf"{word}(?=第?\d)", letter, text)
    matches = list(_LEVEL.finditer(text))
    if not matches:
        return
    counts: list[Count] = []
    for before, match in zip((None, *matches), matches, strict=False):
        letter = (match["letter"] or "").replace("th", "t").replace("d", "t")
        between = text[before.end() : match.start()] if before else ""
        joint = ""
        if before:
            joint = "/" if between in ("", "/") else "-" if between.strip() and between.strip() in _RANGE else "&"
            if joint == "&" and between not in (*_LISTING, *names.grammar.joints):
                return
        counts.append(Count(letter, int(match["number"]), joint))
    left = _LEVEL.sub("", text)
    for mark in ("/", *_LISTING, *_RANGE, *names.grammar.ranges, *names.grammar.joints):
        left = left.replace(mark, "") if len(counts) > 1 else left
    for counter in sorted(names.grammar.counters, key=len, reverse=True):
        left = left.replace(counter, "")
    left = _plain(left, names)
    region = ""
    if (match_disc := _DISC_OF.match(left)) and match_disc[1] in names.grammar.levels:
        region = names.grammar.levels[match_disc[1]]
        left = left[1:]
    if region and not counts[0].letter:
        counts[0] = counts[0]._replace(letter=region)
    yield from _counted(left, side, tuple(counts), names)


def _counted(left: str, side: str, counts: tuple[Count, ...], names: Names) -> Iterator[Found]:
    if not left:
        # 腰4; and "L1からL3", which English does not read. "L4/5" is the same in English.
        joined = len(counts) == 1 or any(count.joint in ("-", "&") for count in counts[1:])
        if counts[0].letter and joined and (english := english_of("", side, counts, True)):
            yield english, True, english, side
        return
    found: tuple[Name, ...] = names.find_unspaced(left)
    for name in found:
        if is_counted(name.base) and name.certain and (english := english_of(name.base, side, counts, True)):
            yield english, True, name.text, side


def _with_digits(text: str) -> str:
    """Chinese and Roman numerals as digits, where a number can stand."""
    text = "".join(_ROMAN.get(c, c) for c in text)
    text = _COUNTED_NUMERAL.sub(lambda match: str(_value(match[0])), text)
    return _LATIN_ROMAN.sub(lambda match: str(_ROMAN_VALUES[match[1]]), text)


def _value(numeral: str) -> int:
    tens, ten, ones = numeral.rpartition("十")
    if not ten:
        return int("".join(_DIGITS[c] for c in numeral))
    return int(_DIGITS.get(tens, "1") or 1) * 10 + int(_DIGITS.get(ones, "0"))
