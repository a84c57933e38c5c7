"""What a text says in other languages than English, put into English for the resolver.

Each language reads the text on its own and by its own grammar; nothing is assumed about who types. A text that two
languages read differently gives two readings, and the resolver asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from SATSegmentLib.anatomy.languages import unspaced
from SATSegmentLib.anatomy.languages.counted import ROMAN, Count, english_of, is_counted
from SATSegmentLib.anatomy.languages.grammar import UNSPACED, WORDY, Grammar, load_grammars
from SATSegmentLib.anatomy.languages.names import ORDINAL_ENDING, Name, Names, load_names
from SATSegmentLib.anatomy.languages.stems import looks_plural
from SATSegmentLib.anatomy.text.bases import DISC
from SATSegmentLib.anatomy.text.spelling import canonical_word, fold

MAX_CHARACTERS = 120
# A longer text is no structure's name; nor has a name more than a few side words.
_MAX_ITEMS = 16
_MAX_SIDES = 3


class Reading(NamedTuple):
    """What one language makes of a text.

    Attributes
    ----------
    language : str
        Str
    english : str
        The same in English: "left kidney", "L4 vertebra".
    certain : bool
        Whether the name is one that may be taken without a question.
    name : str
        The name that fitted, as the language's table writes it.
    side : str
        "", "left", "right" or "both".
    """

    language: str
    english: str
    certain: bool
    name: str
    side: str


@lru_cache(maxsize=1024)
def read(text: str) -> tuple[Reading, ...]:
    """All readings of a text; none where no language knows it."""
    if len(text) > MAX_CHARACTERS:
        return ()
    grammars = load_grammars()
    readings: list[Reading] = []
    if unspaced.is_unspaced(text):
        for language in UNSPACED:
            readings += [Reading(language, *found) for found in unspaced.read(text, load_names(language))]
    else:
        folded = fold(text)
        for language in WORDY:
            readings += _Text(grammars[language].refold(folded), load_names(language)).readings()
    return tuple(dict.fromkeys(readings))


_DASHES = str.maketrans({c: "-" for c in "‐‑‒–—―−"})
_ABBREVIATED = re.compile(r"\b([a-z]{1,4})\.\s*(?=[a-z])")
_ITEM = re.compile(
    r"(?P<level>(?<![^\W_])(?P<letter>th|[cdtls])[ .-]?0?(?P<count>\d{1,2})(?![^\W_]))"
    r"|(?P<number>\d{1,4})"
    r"|(?P<word>[^\W\d_]+)|(?P<mark>[-/,&+])"
)


class _Item(NamedTuple):
    kind: str
    text: str
    letter: str = ""


class _Text:
    """One text on its way through one language with spaces between its words."""

    def __init__(self, folded: str, names: Names) -> None:
        self.names = names
        self.grammar: Grammar = names.grammar
        folded = folded.translate(_DASHES).replace("_", " ")
        letters = self.grammar.letters
        folded = _ABBREVIATED.sub(lambda match: f"{letters[match[1]]} " if match[1] in letters else match[0], folded)
        for phrase, number in self.grammar.phrases:
            if phrase in folded:
                folded = re.sub(rf"\b{phrase}\b", number, folded)
        self.items = [_item(match) for match in _ITEM.finditer(ORDINAL_ENDING.sub("", folded))]

    def readings(self) -> list[Reading]:
        if len(self.items) > _MAX_ITEMS:
            return []
        sided = list(self._sides())
        for items, side in sided:
            if found := self._by_name(items, side):
                return found
        for items, side in sided:
            if found := self._by_count(items, side):
                return found
        return []

    # --- sides

    def _sides(self) -> Iterator[tuple[list[_Item], str]]:
        """The text without its side words, and the side; first as it stands, as "gyrus droit" is the straight one."""
        places = {i: side for i, item in enumerate(self.items) if (side := self._side_at(i, item))}
        if not places:
            yield self.items, ""
            return
        yield self.items, ""
        for place in reversed(places) if 1 < len(places) <= _MAX_SIDES else ():
            if len({places[p] for p in places if p != place}) <= 1:
                rest = [item for i, item in enumerate(self.items) if i != place]
                yield rest, places[place]
        side = self._side_of(places)
        between = range(min(places), max(places)) if side == "both" else ()
        joints = {i for i in between if self.items[i].kind == "mark" or self.items[i].text in self.grammar.joints}
        yield [item for i, item in enumerate(self.items) if i not in places and i not in joints], side

    def _side_at(self, place: int, item: _Item) -> str:
        if item.kind != "word":
            return ""
        if side := self.grammar.sides.get(item.text):
            return side
        is_last = not any(one.kind == "word" for one in self.items[place + 1 :])
        # "rim e" is the left kidney, "rim e baço" two organs.
        if item.text in self.grammar.after and place and (is_last or item.text not in self.grammar.joints):
            return self.grammar.after[item.text]
        return ""

    def _side_of(self, places: dict[int, str]) -> str:
        said = set(places.values())
        if len(said) == 1:
            return next(iter(said))
        if said == {"left", "right"} and len(places) == 2:
            first, last = sorted(places)
            between = self.items[first + 1 : last]
            joined = [item for item in between if item.text in self.grammar.joints or item.text in "/&+"]
            others = [i for i in between if i not in joined and i.text not in self.grammar.fillers]
            return "both" if joined and not others else "conflict"
        return "conflict"

    # --- names

    def _by_name(self, items: list[_Item], side: str) -> list[Reading]:
        words = tuple(
            item.letter + item.text for item in items if item.kind != "mark" and item.text not in self.grammar.fillers
        )
        if not words:
            return []
        found = self._find(words) or self._inside(words)
        named = [name for name in found if "<n>" not in name.base and name.base != DISC]
        if not named and any(name.base == DISC for name in found):
            named = [name._replace(base="intervertebral discs") for name in found]
        return [reading for name in named for reading in self._reading(name, words, side)]

    def _find(self, words: tuple[str, ...]) -> tuple[Name, ...]:
        found = self.names.find(words)
        if not found and words[0] in self.grammar.letters:
            found = self.names.find((self.grammar.letters[words[0]], *words[1:]))
        return found

    def _inside(self, words: tuple[str, ...]) -> tuple[Name, ...]:
        """What is named in "Lebergewebe" and "tejido del hígado"; never for certain."""
        around = self.grammar.around
        kept = [word for word in words if word not in around]
        if self.grammar.language == "de":
            endings = [(word, next((end for end in around if word.endswith(end)), "")) for word in kept]
            kept = [word.removesuffix(end) for word, end in endings]
        if not kept or tuple(kept) == words or min(map(len, kept)) < 3:
            return ()
        return tuple(name._replace(certain=False) for name in self._find(tuple(kept)))

    def _reading(self, name: Name, words: tuple[str, ...], side: str) -> list[Reading]:
        base = name.base.removeprefix("=")
        if side == "conflict":
            return [self._said(f"{one} {base}", name, one, False) for one in ("left", "right")]
        plural = not side and any(self._is_plural(word, name) for word in words)
        english = f"{side or ('all' if plural and not canonical_word(base.split()[-1])[1] else '')} {base}".strip()
        return [self._said(english, name, side, name.certain)]

    def _is_plural(self, word: str, name: Name) -> bool:
        if word in name.words:
            return False
        stem = self.grammar.stem(word)
        return any(
            self.grammar.stem(listed) == stem and looks_plural(self.grammar.language, word, listed)
            for listed in name.words
        )

    def _said(self, english: str, name: Name, side: str, certain: bool) -> Reading:
        return Reading(self.grammar.language, english, certain, name.text, side)

    # --- numbers

    def _by_count(self, items: list[_Item], side: str) -> list[Reading]:
        if side == "conflict":
            return []
        words, counts, of_body = self._counts(items)
        if not counts:
            return []
        if not words:
            # "L4" is the same in English; "L1 bis L3" is not.
            joined = any(item.text in self.grammar.ranges | self.grammar.joints for item in items)
            english = english_of("", side, counts, True) if of_body or joined else ""
            return [Reading(self.grammar.language, english, True, english, side)] if english else []
        found = [name for name in self._find(words) if is_counted(name.base) and name.certain]
        readings = []
        for name in found:
            if english := english_of(name.base, side, counts, of_body):
                readings.append(self._said(english, name, side, True))
        return readings

    def _counts(self, items: list[_Item]) -> tuple[tuple[str, ...], tuple[Count, ...], bool]:
        """The words that are no numbers, the numbers, and whether a word as "LWK" stood before one."""
        grammar = self.grammar
        words: list[str] = []
        counts: list[Count] = []
        letter, joint, of_body = "", "", False
        has_digits = any(item.kind in ("level", "number") for item in items)
        for place, item in enumerate(items):
            number = self._number(item, has_digits)
            if number is not None:
                counts.append(Count(item.letter or letter, number, (joint or "&") if counts else ""))
                letter = joint = ""
            elif item.kind == "mark":
                joint = {"-": "-", "/": "/"}.get(item.text, "&")
            elif item.text in grammar.levels and self._counts_at(items, place + 1, has_digits):
                letter, of_body = grammar.levels[item.text], True
            elif counts and item.text in grammar.ranges and self._counts_at(items, place + 1, has_digits):
                joint = "-"
            elif counts and item.text in grammar.joints and self._counts_at(items, place + 1, has_digits):
                joint = "&"
            elif item.text not in grammar.fillers and item.text not in grammar.between:
                words.append(item.text)
        return tuple(words), tuple(counts), of_body

    def _counts_at(self, items: list[_Item], place: int, has_digits: bool) -> bool:
        """Whether a number follows, with nothing before it but marks and another level's word."""
        for item in items[place : place + 3]:
            if self._number(item, has_digits) is not None:
                return True
            if item.kind == "word" and item.text not in self.grammar.levels:
                return False
        return False

    def _number(self, item: _Item, has_digits: bool) -> int | None:
        if item.kind in ("level", "number"):
            return int(item.text)
        if item.kind != "word" or has_digits:
            return None
        return ROMAN.get(item.text) or self.grammar.numbers.get(self.grammar.stem(item.text))


def _item(match: re.Match[str]) -> _Item:
    if match["level"]:
        letter = match["letter"].replace("th", "t").replace("d", "t")
        return _Item("level", match["count"], letter)
    for kind in ("number", "word", "mark"):
        if match[kind]:
            return _Item(kind, match[kind])
    raise AssertionError(match)
