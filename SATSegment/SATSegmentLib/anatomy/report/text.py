"""A report's text as sections, sentences and tokens, all with their place in the original text.

Written for radiology reports: hard-wrapped lines, list items, "1.5 cm", "Lt. kidney", "FINDINGS:". The libraries that
were tried instead, and why none of them is used, are listed in Docs/report-reader.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.text.spelling import fold

Section = Literal["", "history", "comparison", "question", "technique", "findings"]

# A "sentence" without any stop is cut here, so that the work per sentence stays bounded.
MAX_SENTENCE_CHARACTERS = 800
# A line this much shorter than the longest one did not end because it was full.
_FULL_LINE = 0.7

_SECTIONS: dict[Section, str] = {
    "history": r"(?:(?:relevant|clinical|past|previous|patient|medical|surgical|social|family|oncologic|prior)\s+){0,3}"
    r"(?:history|hx|background|anamnesis)|pmh|pmhx|psh|previous\s+(?:operations?|surgery)|past\s+surgical\s+history",
    "comparison": r"comparisons?|prior\s+(?:studies|study|exams?|examinations?|imaging)|compared\s+(?:to|with)|"
    r"previous\s+(?:studies|study|exams?|examinations?|imaging)",
    "question": r"indications?|(?:clinical\s+)?(?:indication|question|information|details)s?|"
    r"reasons?(?:\s+for\s+(?:the\s+)?(?:exam|examination|study|scan|referral|request|test))?|"
    r"exam\s+reason|referral|clinical\s+(?:statement|data|concern)",
    "technique": r"techniques?|protocol|procedure|(?:type\s+of\s+)?exam(?:ination)?|study|contrast|sequences|scan",
    "findings": r"(?:(?:ct|mri?|pet|pet/ct|additional|other|incidental|imaging|main|key)\s+)?"
    r"(?:findings?|impressions?|conclusions?|results?|reports?|opinion|summary|interpretation|diagnosis|comments?|"
    r"assessment|observations?|narrative|description|recommendations?|addendum)",
}
_HEADING = re.compile(
    r"(?:(?<=\n)|(?<=[.;!?]\s)|(?<=[.;!?]\s\s)|\A)[ \t*#_>\-]{0,8}(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _SECTIONS.items())
    + r")(?:[ \t]{0,4}(?:[:*]{1,3}|[-–—](?=\s))|(?=[ \t]*(?:\r?\n|\Z)))",
    re.IGNORECASE,
)
# "Liver:" at the start of a line opens a finding.
_LINE_HEADING = re.compile(r"[ \t]*[^\W\d_][^:\n]{1,40}:")
_LIST_MARK = re.compile(r"[ \t]*(?:[-*•·‣▪–>]|\(?\d{1,2}[.)]|\(?[a-z][.)])[ \t]+")

_ABBREVIATIONS = words("abbreviations")
_SOFT_ABBREVIATIONS = words("soft_abbreviations")
_STOP = re.compile(r"[.!?]+[\"')\]]*|\n")
_LETTER = re.compile(r"[^\W_]")
_FREE_LINE = re.compile(r"\n[ \t\r]*\n")
_LAST_WORD = re.compile(r"(?:[^\W\d_]+\.)*[^\W\d_]+\Z")

_TOKEN = re.compile(
    r"\d{1,4}(?:st|nd|rd|th)(?![^\W_])"
    r"|\d+(?:[.,]\d+)*"
    r"|(?:th|[ctdls])[.\-]?\d{1,2}(?![^\W_])"
    r"|(?<![^\W_])[abe-km-qu-z]\d{1,2}(?![^\W_])"
    r"|[^\W\d_]+"
    r"|['’]s(?![^\W_])"
    r"|[^\s\w]"
)


class Token(NamedTuple):  # made by the thousand, and a tuple is made three times as fast as a frozen dataclass
    """A word, number, vertebral level or mark: its place in the report, and its text in small letters."""

    start: int
    end: int
    word: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or line.

    Attributes
    ----------
    start, end : int
        Characters of the report, end exclusive.
    section : Section
        The kind of section it stands in; "" where no heading says.
    """

    start: int
    end: int
    section: Section


def sentences(text: str) -> list[Sentence]:
    """The report's sentences in order; headings of sections are no part of them."""
    result: list[Sentence] = []
    position, section = 0, ""
    for heading in [*_HEADING.finditer(text), None]:
        end = heading.start() if heading else len(text)
        result.extend(_block(text, position, end, section))  # type: ignore[arg-type]
        if heading:
            position, section = heading.end(), str(heading.lastgroup)
    return result


def _block(text: str, start: int, end: int, section: Section) -> Iterator[Sentence]:
    """Sentences of one section; a free line ends what is said under a heading."""
    lines = text[start:end].split("\n")
    longest = max(map(len, lines))
    said = 0
    for first, last in _pieces(text, start, end, longest):
        if said and section not in ("", "findings") and _FREE_LINE.search(text, said, first):
            section = ""
        said = last
        yield Sentence(first, last, section)


def _pieces(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """Places of the sentences between two headings, without the space around them; nothing that has no letter."""
    first = start
    for stop in _STOP.finditer(text, start, end):
        ends = (
            _line_ends_sentence(text, first, stop.start(), end, longest)
            if stop[0] == "\n"
            else _stops(text, first, stop, end)
        )
        if ends:
            yield from _cut(text, first, stop.end())
            first = stop.end()
    yield from _cut(text, first, end)


def _cut(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    while last - first > MAX_SENTENCE_CHARACTERS:
        space = max(text.rfind(mark, first + 1, first + MAX_SENTENCE_CHARACTERS) for mark in " \n,;")
        middle = space + 1 if space > first else first + MAX_SENTENCE_CHARACTERS
        yield from _trim(text, first, middle)
        first = middle
    yield from _trim(text, first, last)


def _trim(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    piece = text[first:last]
    if (stripped := piece.strip()) and _LETTER.search(stripped):
        first += len(piece) - len(piece.lstrip())
        yield first, first + len(stripped)


def _stops(text: str, first: int, stop: re.Match[str], end: int) -> bool:
    """Whether a full stop, question or exclamation mark ends the sentence."""
    following = text[stop.end() : min(stop.end() + 3, end)]
    before = None
    if stop.start() and text[stop.start() - 1].isalpha():
        before = _LAST_WORD.search(text, max(0, stop.start() - 24), stop.start())
    word = before[0].lower() if before else ""
    if following and not following[0].isspace():
        # "normal.The spleen": a missing space; "1.5", "e.g." and "L.kidney" go on.
        return stop[0] == "." and len(word) > 2 and following[0].isupper() and following[1:2].islower()
    if stop[0].strip("\"')]") != ".":
        return not text[first : stop.start()].isspace() and first != stop.start()  # "? embolism" asks for it
    if not before and stop.start() and text[stop.start() - 1].isdigit():
        line_start = text.rfind("\n", 0, stop.start()) + 1
        if _LIST_MARK.match(text[line_start : stop.end() + 1]):
            return False  # "2." in front of an item
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return False
    after = text[stop.end() : min(stop.end() + 12, end)].lstrip()
    return not (word in _SOFT_ABBREVIATIONS and after and (after[0].islower() or after[0].isdigit()))


def _line_ends_sentence(text: str, first: int, newline: int, end: int, longest: int) -> bool:
    """Whether a line's end is a sentence's end, rather than a long line that was wrapped."""
    following = text[newline + 1 : min(newline + 61, end)]
    if not following.strip() or not following.split("\n", 1)[0].strip():
        return True
    if _LIST_MARK.match(following) or _LINE_HEADING.match(following):
        return True
    line = text[max(first, text.rfind("\n", 0, newline) + 1) : newline].rstrip()
    if line.endswith((",", "-", "/", "(")) or line.endswith((" and", " or", " of", " the", " with", " in", " no")):
        return False
    return following.lstrip()[:1].isupper() and len(line) < _FULL_LINE * longest


def tokens(lowered: str, sentence: Sentence) -> list[Token]:
    """The words, numbers, levels and marks of a sentence; `lowered` is the report in small letters, place by place."""
    found = [(match.start(), match.end(), match[0]) for match in _TOKEN.finditer(lowered, sentence.start, sentence.end)]
    return [Token(start, end, word if word.isascii() else fold(word) or word) for start, end, word in found]
