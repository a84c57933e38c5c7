"""The names of the structures in each language, by the words they hold.

The tables (`Resources/Anatomy/languages/*.tsv`) hold names without sides and numbers; `reading` adds those by rule.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from SATSegmentLib.anatomy.languages.grammar import UNSPACED, Grammar, load_grammars
from SATSegmentLib.anatomy.languages.stems import is_inflection
from SATSegmentLib.anatomy.text.spelling import fold
from SATSegmentLib.resources import resource_path

NAMES_FOLDER = "Anatomy/languages"

_NO_WORD = re.compile(r"[^a-z0-9|\t\n]+")
# "5th", "5e", "5.ª", "12ème"
ORDINAL_ENDING = re.compile(
    r"(?<=[0-9])\.?(?:°|(?:er|re|st|te[rnsm]?|e|i?eme|[ao]|r[ao]|d[ao]|t[ao]|m[ao]|n[ao]|v[ao])(?![a-z0-9]))"
)
_BETWEEN = re.compile(r"(?<=[0-9])(?=[a-z])|(?<=[a-z])(?=[0-9])")
_NUMBER_MARK = "<n>"
_NUMBER = re.compile("<n>(?:[.ªº]+|e )?")
_MARKS = re.compile(r"[\s()\[\]{}.,:;·/_\-–—「」“”\"']")


class Name(NamedTuple):
    """One name of one structure.

    Attributes
    ----------
    text : str
        As it is written; without "<n>" where it counts.
    base : str
        The trained name without side and number, "... <n>" where it counts, or "=" and an English name.
    certain : bool
        Whether it may be taken without a question.
    words : tuple of str
        Its folded words, fillers left out; of Chinese and Japanese the whole name without marks.
    """

    text: str
    base: str
    certain: bool
    words: tuple[str, ...]


class Preferred(NamedTuple):
    """The name to show; `text` has "<n>" where the number goes."""

    text: str
    gender: str


class _Stems(dict[str, str]):
    """Stem of each word, made when it is first asked for."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def __missing__(self, word: str) -> str:
        self[word] = stem = self._grammar.stem(word)
        return stem


class Names:
    """All names of one language.

    Parameters
    ----------
    grammar : Grammar
        Grammar
    content : str
        The table's text, from the row of titles on.
    """

    def __init__(self, grammar: Grammar, content: str) -> None:
        self.grammar = grammar
        self.preferred: dict[str, Preferred] = {}
        self.names: list[Name] = []
        self._stems = _Stems(grammar)
        self._by_key: dict[str, list[Name]] = defaultdict(list)
        lines = content.strip("\n").split("\n")[1:]
        # Folding all at once is many times faster than name by name, and this is what a first keystroke waits for.
        folded = _folded_table(grammar, "\n".join(lines)).split("\n")
        for line, plain in zip(lines, folded, strict=True):
            base, gender, preferred, names = line.split("\t")
            self.preferred[base] = Preferred(preferred.lstrip("~"), gender)
            texts = f"{preferred}|{names}".split("|")
            for text, low in zip(texts, plain.split("\t", 2)[2].replace("\t", "|").split("|"), strict=True):
                if text:
                    self._add(base, text, low)
                if "-" in text and grammar.language not in UNSPACED:
                    # "Brachio-céphalique" is written in one word as well.
                    self._add(base, text, grammar.refold(fold(text.replace("-", ""))).strip("~"))

    def _add(self, base: str, text: str, low: str) -> None:
        certain = text[0] != "~"
        text = text if certain else text[1:]
        if _NUMBER_MARK in text:
            text = _NUMBER.sub("", text).strip()
        if self.grammar.language in UNSPACED:
            words: tuple[str, ...] = (without_marks(low),)
            key = words[0]
        else:
            fillers = self.grammar.fillers
            words = tuple([word for word in low.split() if word not in fillers])
            key = self.key(words)
        name = Name(text, base, certain, words)
        self.names.append(name)
        self._by_key[key].append(name)

    def key(self, words: Sequence[str]) -> str:
        """The stems in alphabetical order, each once: the same for every order and inflection."""
        stems = self._stems
        return stems[words[0]] if len(words) == 1 else " ".join(sorted({stems[word] for word in words}))

    def find(self, words: tuple[str, ...]) -> tuple[Name, ...]:
        """Names with these words, in any order and inflection, or written together ("Nieren-Zyste")."""
        found = self._forms(words)
        if not found and len(words) > 1 and min(map(len, words)) > 2:
            # A short word may be a side, and must not become a letter of the noun: "rim e" is no "rime".
            found = self._forms(("".join(words),))
        return found

    def _forms(self, words: tuple[str, ...]) -> tuple[Name, ...]:
        """Names with the stems of these words; a word alone must be a form of the noun, and not only share its stem."""
        found = self._by_key.get(self.key(words), ())
        if len(words) > 1:
            return tuple(found)
        return tuple(name for name in found if is_inflection(self.grammar.language, words[0], name.words[0]))

    def find_unspaced(self, text: str) -> tuple[Name, ...]:
        """Names that are exactly this; Chinese and Japanese."""
        return tuple(self._by_key.get(text, ()))


def _folded_table(grammar: Grammar, text: str) -> str:
    """The table as `Grammar.folded` folds, with nothing but words and numbers between its columns and bars."""
    text = text.replace(_NUMBER_MARK, " ")
    if grammar.language in UNSPACED:
        return grammar.folded(text).replace("~", "")
    text = ORDINAL_ENDING.sub("", grammar.refold(text.lower().translate(_accents())))
    return _BETWEEN.sub(" ", _NO_WORD.sub(" ", text))


@cache
def _accents() -> dict[int, str]:
    """What `fold` makes of each accented letter of these languages, as `str.translate` takes it."""
    letters = [chr(code) for code in (*range(0xA0, 0x180), 0x2019)]
    return {ord(letter): fold(letter) for letter in letters}


def without_marks(text: str) -> str:
    """A Chinese or Japanese text without spaces, brackets and other marks."""
    return _MARKS.sub("", text)


@cache
def load_names(language: str) -> Names:
    """The names of one language; read once and kept."""
    content = resource_path(f"{NAMES_FOLDER}/{language}.tsv").read_text(encoding="utf-8")
    return Names(load_grammars()[language], content[content.index("\nbase\t") + 1 :])
