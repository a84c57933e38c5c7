"""The names of the knowledge tree, searchable without building an index.

All names lie in one string, one a line, well-known concepts first; a substring search over it takes well under a
millisecond, while an index of 33,000 names would take longer to load than a person wants to wait.
"""

from __future__ import annotations

import gzip
import re
from bisect import bisect_right
from functools import cache
from typing import NamedTuple

from SATSegmentLib.anatomy.text.typos import Spellings
from SATSegmentLib.anatomy.text.words import Words, read_words
from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.anatomy.vocabulary.tree import CONCEPTS_FILE
from SATSegmentLib.resources import resource_path

# So many lines are looked at for one query; what is beyond is too vague a query to answer from the tree.
_MAX_LINES = 600


class NamedConcept(NamedTuple):
    """What a list of suggestions needs to know of a concept; `load_tree().concepts[id]` has the rest."""

    id: str
    name: str
    synonyms: tuple[str, ...]
    codes: tuple[str, ...]


class TreeNames:
    """Names and synonyms of the concepts of the tree's default view.

    Parameters
    ----------
    rows : list[str]
        Lines of the concepts' table, without its comments.
    """

    def __init__(self, rows: list[str]) -> None:
        # Only names and codes are kept: building all concepts takes longer than a first keystroke may wait.
        shown: list[tuple[str, str, str, str]] = []
        for row in rows:
            identifier, name, synonyms, _, _, codes, _, view, _ = row.split("\t")
            if view == "1":
                shown.append((identifier, name, synonyms, codes))
        # A code that radiology itself uses is the best sign that people type the name.
        shown.sort(key=lambda concept: (-concept[3].count("|"), len(concept[1])))
        self._rows = shown
        lines: list[str] = []
        self._owners: list[int] = []
        for number, (_, name, synonyms, _) in enumerate(shown):
            names = [name, *synonyms.split("|")] if synonyms else [name]
            lines += names
            self._owners += [number] * len(names)
        self._names = lines
        text = "\n" + "\n".join(lines) + "\n"
        lowered = text.lower()
        # Lower-casing makes some exotic letters longer; then positions would be off.
        self._text = lowered if len(lowered) == len(text) else text
        self._starts = [0]
        position = 0
        for line in lines:
            position += len(line) + 1
            self._starts.append(position)
        # Backwards, so that the best known of two concepts of one name is the one that stays.
        lowered_names = self._text[1:-1].split("\n")
        self._by_name = dict(zip(reversed(lowered_names), reversed(self._owners), strict=True))
        self._spellings: dict[str, Spellings] = {}

    def exact(self, text: str, words: Words) -> NamedConcept | None:
        """The concept with this name or synonym: as typed, or in the one spelling, with or without its side."""
        typed = " ".join(text.lower().split())
        forms = [typed, " ".join(words.tokens)]
        if words.side in ("left", "right"):
            forms.insert(1, f"{words.side} {forms[-1]}")
        number = next((self._by_name[form] for form in forms if form in self._by_name), None)
        return None if number is None else self._concept(number)

    def containing(self, tokens: tuple[str, ...], limit: int, guess: bool = True) -> list[tuple[NamedConcept, str]]:
        """Concepts with a name in which every token begins a word, each with that name; the closest first."""
        found = self._lines_with(tokens)
        if not found and guess:
            repaired = self._repaired(tokens)
            found = self._lines_with(repaired) if repaired else []
        typed = " ".join(tokens)
        found.sort(key=lambda hit: (hit[1].lower() != typed, not hit[1].lower().startswith(tokens[0]), hit[0]))
        unique: dict[str, tuple[NamedConcept, str]] = {}
        for index, name in found:
            concept = self._concept(self._owners[index])
            unique.setdefault(concept.id, (concept, name))
            if len(unique) == limit:
                break
        return list(unique.values())

    def _lines_with(self, tokens: tuple[str, ...]) -> list[tuple[int, str]]:
        text, rarest = self._text, max(tokens, key=len)
        others = [token for token in tokens if token != rarest]
        found: list[tuple[int, str]] = []
        position = -1
        for _ in range(_MAX_LINES):
            position = text.find(rarest, position + 1)
            if position < 0:
                break
            if text[position - 1].isalnum():
                continue
            end = text.index("\n", position)
            start = text.rindex("\n", 0, position)
            line = text[start:end]
            for token in others:
                if token not in line or not _begins_word(line, token):
                    break
            else:
                index = self._index_at(start + 1)
                found.append((index, self._names[index]))
                if len(found) >= 40:
                    break
            position = end - 1
        return found

    def _repaired(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """The tokens with those that no name has replaced by the nearest word; empty where there is none."""
        result = []
        for token in tokens:
            if f" {token}" in self._text or f"\n{token}" in self._text:
                result.append(token)
                continue
            like = self._words_in(token[0]).like(token, as_prefix=False)
            if not like:
                return ()
            result.append(min(like, key=lambda word: (like[word], word)))
        return tuple(result) if tuple(result) != tokens else ()

    def _words_in(self, letter: str) -> Spellings:
        """The words that begin with a letter; made when they are first needed, as few slips are on a first letter."""
        if letter not in self._spellings:
            words = re.findall(rf"\b{re.escape(letter)}[a-z]+", self._text)
            self._spellings[letter] = Spellings(sorted(set(words)))
        return self._spellings[letter]

    def _index_at(self, position: int) -> int:
        return bisect_right(self._starts, position - 1) - 1

    def _concept(self, number: int) -> NamedConcept:
        identifier, name, synonyms, codes = self._rows[number]
        return NamedConcept(
            identifier,
            name,
            tuple(synonyms.split("|")) if synonyms else (),
            tuple(codes.replace("=", ":").split("|")) if codes else (),
        )


def _begins_word(line: str, token: str) -> bool:
    position = line.find(token)
    while position >= 0:
        if not line[position - 1].isalnum():
            return True
        position = line.find(token, position + 1)
    return False


@cache
def load_tree_names() -> TreeNames:
    """The names of the tree; made once and kept."""
    with gzip.open(resource_path(CONCEPTS_FILE), "rt", encoding="utf-8") as stream:
        return TreeNames([line for line in stream.read().split("\n") if line and not line.startswith("#")])


def find_concept(text: str) -> NamedConcept | None:
    """The concept that a text names exactly, or None."""
    return load_tree_names().exact(text, read_words(text))


def is_name(text: str) -> bool:
    """Whether a text is a certain name of a structure, on any side, or a concept of the tree."""
    words = read_words(text)
    lexicon = load_lexicon()
    found = (entry for side in ("", "left", "right") for entry in lexicon.find(words, side))
    return any(entry.kind != "near" for entry in found) or load_tree_names().exact(text, words) is not None
