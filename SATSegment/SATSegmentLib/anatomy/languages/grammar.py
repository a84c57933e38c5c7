"""What each language has instead of lists: side words, articles, joining words, ordinals, short forms."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from SATSegmentLib.anatomy.languages.stems import STEMMERS
from SATSegmentLib.anatomy.text.spelling import fold
from SATSegmentLib.resources import resource_path

GRAMMAR_FILE = "Anatomy/languages/grammar.json"

# Languages that are written with spaces between words, and those that are not.
WORDY = ("de", "fr", "es", "it", "pt")
UNSPACED = ("zh", "ja")
LANGUAGES = WORDY + UNSPACED

_DIGRAPH = re.compile("ae|oe|ue")
_ELISION = re.compile(r"\b[a-z]{1,5}['’]")


@dataclass(frozen=True)
class Grammar:
    """The small words of one language; all are folded as `folded` folds a text.

    Attributes
    ----------
    language : str
        ISO 639-1 code.
    sides : dict
        Word -> "left", "right" or "both".
    after : dict
        Short side words that count only behind the noun.
    joints, ranges, fillers, counters : frozenset of str
        Words for "and" and for "to", words without a meaning of their own, and words behind a number.
    between, around : frozenset of str
        Words for "between" in front of two levels, and for tissue and region: a name beside these is only asked.
    letters : dict
        Abbreviated word before a dot -> the word.
    numbers : dict
        Stem of an ordinal or cardinal -> its number.
    phrases : tuple
        (phrase, word) for ordinals and sides of several words.
    levels : dict
        Word that makes a number a vertebra -> "c", "t", "l" or "s".
    side_forms, short_side_forms : dict
        "left" and "right" -> how a name is shown with that side, where its gender is known and where not.
    to_simplified : dict
        Traditional character -> simplified one, as `str.translate` takes it; Chinese only.
    """

    language: str
    sides: dict[str, str]
    after: dict[str, str]
    joints: frozenset[str]
    ranges: frozenset[str]
    fillers: frozenset[str]
    counters: frozenset[str]
    between: frozenset[str]
    around: frozenset[str]
    letters: dict[str, str]
    numbers: dict[str, int]
    phrases: tuple[tuple[str, str], ...]
    levels: dict[str, str]
    side_forms: dict[str, str]
    short_side_forms: dict[str, str]
    to_simplified: dict[int, str]

    def folded(self, text: str) -> str:
        """A text in the one spelling of this language: without accents, and without articles that are elided."""
        if self.language in UNSPACED:
            return unicodedata.normalize("NFKC", text).casefold().translate(self.to_simplified)
        return self.refold(fold(text))

    def refold(self, text: str) -> str:
        """As `folded`, of a text that `fold` has folded already."""
        if self.language == "de":
            return _DIGRAPH.sub(lambda match: match[0][0], text)
        return _ELISION.sub(" ", text) if self.language in ("fr", "it") else text

    def stem(self, word: str) -> str:
        return STEMMERS[self.language](word)


@cache
def load_grammars() -> dict[str, Grammar]:
    """The grammar of each language; read once and kept."""
    tables = json.loads(resource_path(GRAMMAR_FILE).read_text(encoding="utf-8"))
    return {language: _grammar(language, tables[language]) for language in LANGUAGES}


def _grammar(language: str, table: dict[str, Any]) -> Grammar:
    stem = STEMMERS.get(language, lambda word: word)
    numbers: dict[str, int] = {}
    phrases: list[tuple[str, str]] = list(table.get("phrases", {}).items())
    for kind in ("cardinals", "ordinals"):
        for number, word in enumerate(table.get(kind, ()), 1):
            if " " in word:
                phrases.append((word, str(number)))
            elif word:
                numbers[stem(word)] = number
    pairs = table.get("traditional", "")
    return Grammar(
        language=language,
        sides={word: side for side in ("left", "right", "both") for word in table[side]},
        after=table.get("after", {}),
        joints=frozenset(table["joints"]),
        ranges=frozenset(table["ranges"]),
        fillers=frozenset(table["fillers"]),
        counters=frozenset(table.get("counters", ())),
        between=frozenset(table.get("between", ())),
        around=frozenset(table.get("around", ())),
        letters=table.get("letters", {}),
        numbers=numbers,
        phrases=tuple(phrases),
        levels=table["levels"],
        side_forms=table["side"],
        short_side_forms=table.get("side_short", table["side"]),
        to_simplified=str.maketrans(dict(zip(pairs[::2], pairs[1::2], strict=True))),
    )
