"""Suggestions for what is typed in another language than English, complete or only begun."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from SATSegmentLib.anatomy.languages.display import with_side
from SATSegmentLib.anatomy.languages.grammar import UNSPACED, WORDY, load_grammars
from SATSegmentLib.anatomy.languages.names import Name, load_names, without_marks
from SATSegmentLib.anatomy.languages.unspaced import is_unspaced
from SATSegmentLib.anatomy.suggestions.suggestion import Match, Suggestion, suggest
from SATSegmentLib.anatomy.text.bases import DISC
from SATSegmentLib.anatomy.text.spelling import fold
from SATSegmentLib.anatomy.text.typos import Spellings
from SATSegmentLib.anatomy.vocabulary.lexicon import Structure, load_lexicon
from SATSegmentLib.types import Modality

MAX_CHARACTERS = 100
# A longer text is a sentence, of which no name is a slip or a part.
_MAX_GUESSED = 5
_WORD = re.compile(r"[^\W\d_]+|\d+")
_SIDE_ORDER = {"": 0, "left": 1, "right": 2}


class NameIndex:
    """The words of all names of one language, for looking up their beginnings."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.names = load_names(language).names
        postings: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self.names):
            for word in set(name.words):
                postings[word].append(number)
        self.postings = dict(postings)
        self.vocabulary = sorted(postings)
        self._spellings: Spellings | None = None
        # Each keystroke asks again for the words before it.
        self._found: dict[tuple[str, bool], set[int]] = {}

    def holding(self, token: str, typos: bool) -> set[int]:
        """Numbers of the names with a word that begins so; where `typos`, also with a word that is nearly this."""
        if (token, typos) in self._found:
            return self._found[token, typos]
        found: set[int] = set()
        for at in range(bisect_left(self.vocabulary, token), len(self.vocabulary)):
            word = self.vocabulary[at]
            if not word.startswith(token):
                break
            found.update(self.postings[word])
        if not found and typos:
            self._spellings = self._spellings or Spellings(self.vocabulary)
            for word in self._spellings.like(token):
                found.update(self.postings[word])
        if len(self._found) > 100:
            self._found.clear()
        self._found[token, typos] = found
        return found


@cache
def load_name_index(language: str) -> NameIndex:
    """The index of one language; made once and kept."""
    return NameIndex(language)


def preload_languages() -> None:
    """Load all that is needed, so that a keystroke does not wait for it."""
    for language in WORDY:
        load_name_index(language)
    for language in UNSPACED:
        load_names(language)


@lru_cache(maxsize=512)
def suggest_in_languages(text: str, modality: Modality, limit: int, guesses: bool) -> tuple[Suggestion, ...]:
    """Structures whose name in some language holds all that was typed, the likeliest first.

    Parameters
    ----------
    text : str
        What has been typed so far.
    modality : Modality
        Str
    limit : int
        Int
    guesses : bool
        Whether to look for slips of the keyboard, and for names that hold only a part of what was typed.
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARACTERS:
        return ()
    if is_unspaced(text):
        fits = [fit for language in UNSPACED for fit in _unspaced_fits(text, language, modality)]
    else:
        folded = fold(text)
        # A text with a side word of one language is no slip of a name of another.
        sided = [
            language for language in WORDY if not load_grammars()[language].sides.keys().isdisjoint(folded.split())
        ]
        fits = [fit for language in WORDY for fit in _wordy_fits(folded, language, modality, False)]
        if guesses and not fits:
            # Slips are looked for only where no language goes on as the text does: they take most of the time.
            fits = [fit for language in sided or WORDY for fit in _wordy_fits(folded, language, modality, True)]
    # A first letter fits hundreds of names: suggestions are made of those only that are shown.
    best: dict[str, Suggestion] = {}
    for fit in sorted(fits, key=lambda fit: -fit.score):
        if len(best) >= limit:
            break
        name = fit.structure.name
        if fit.structure.what == "unsupported" or name not in best:
            hit = _suggestion(fit, modality)
            best.setdefault(hit.name, hit)
    return tuple(best.values())


def begins_a_name(text: str, language: str, modality: Modality) -> bool:
    """Whether a name in this one language goes on as the text does; False for "en"."""
    if language not in WORDY or len(text) > MAX_CHARACTERS or len(text.strip()) < 3:
        return False
    return bool(_wordy_fits(fold(text.strip()), language, modality, False))


class _Fit(NamedTuple):
    """A structure that a name of a language stands for, and how well the name fits what was typed."""

    score: float
    structure: Structure
    name: Name
    language: str
    tokens: list[str]
    match: Match


def _wordy_fits(folded: str, language: str, modality: Modality, guesses: bool) -> list[_Fit]:
    grammar = load_grammars()[language]
    typed = _WORD.findall(grammar.refold(folded))
    sides = {side for place, word in enumerate(typed) if (side := _side_of(grammar.sides, grammar.after, place, word))}
    tokens = [
        word
        for place, word in enumerate(typed)
        if word not in grammar.fillers and not _side_of(grammar.sides, grammar.after, place, word)
    ]
    if not tokens or sides == {"left", "right"} or not max(map(len, tokens)) > 1:
        return []
    guesses = guesses and len(tokens) <= _MAX_GUESSED
    side = next(iter(sides)) if len(sides) == 1 else ""
    index = load_name_index(language)
    holding = [index.holding(token, False) for token in tokens]
    if len(tokens) > 1 and (begun := _side_begun(grammar.sides, tokens[-1])) and not set.intersection(*holding):
        # "rein ga": the side is being typed.
        tokens, holding, side = tokens[:-1], holding[:-1], side or (begun.pop() if len(begun) == 1 else "")
    match: Match = "words"
    if not all(holding) and guesses:
        holding = [index.holding(token, True) for token in tokens]
        match = "typo"
    numbers = set.intersection(*holding)
    if not numbers and guesses and len(tokens) > 1 and not any(token.isdigit() for token in tokens):
        numbers, match = _most_held(index, tokens, holding), "partial"
    return [fit for n in numbers for fit in _fits(index.names[n], tokens, side, language, modality, match)]


def _side_begun(sides: dict[str, str], token: str) -> set[str]:
    """The sides that a word may become."""
    return {side for word, side in sides.items() if word.startswith(token)}


def _most_held(index: NameIndex, tokens: list[str], holding: list[set[int]]) -> set[int]:
    """The names that hold the most of the words, half of them at least; by one word only where that is all of it."""
    counts = Counter(n for token, found in zip(tokens, holding, strict=True) if len(token) > 2 for n in found)
    most = max(counts.values(), default=0)
    if 2 * most < len(tokens):
        return set()
    return {n for n, count in counts.items() if count == most and (most > 1 or len(index.names[n].words) == 1)}


def _side_of(sides: dict[str, str], after: dict[str, str], place: int, word: str) -> str:
    return sides.get(word) or (after.get(word, "") if place else "")


def _unspaced_fits(text: str, language: str, modality: Modality) -> list[_Fit]:
    grammar = load_grammars()[language]
    folded = without_marks(grammar.folded(text))
    side = ""
    for word in sorted(grammar.sides, key=len):
        # The shortest first: 左侧脑室 is 左 and 侧脑室.
        rest = folded.replace(word, "", 1)
        if word in folded and rest and any(rest in name.words[0] for name in load_names(language).names):
            folded, side = rest, grammar.sides[word]
            break
    for filler in grammar.fillers:
        folded = folded.replace(filler, "")
    if not folded:
        return []
    names = [name for name in load_names(language).names if folded in name.words[0]]
    return [fit for name in names for fit in _fits(name, [folded], side, language, modality, "words")]


def _fits(name: Name, tokens: list[str], side: str, language: str, modality: Modality, match: Match) -> Iterable[_Fit]:
    """The structures that a name stands for, on the side that was said."""
    whole = " ".join(name.words)
    begins = whole.startswith(tokens[0])
    exact = match == "words" and sorted(tokens) == sorted(name.words)
    said: Match = "exact" if exact else match if match in ("typo", "partial") else "prefix" if begins else "words"
    score = 40.0 * exact + 12.0 * begins - 0.5 * len(whole) - 12.0 * (not name.certain) - 20.0 * (match != "words")
    for structure in _structures(name.base, side):
        if side in ("left", "right") and not structure.side and structure.what == "label" and _sided(structure):
            continue
        standing = _standing(structure.name, modality) - 3.0 * _SIDE_ORDER.get(structure.side, 0)
        yield _Fit(score + standing, structure, name, language, tokens, said)


@lru_cache(maxsize=4096)
def _standing(name: str, modality: Modality) -> float:
    """What a structure is worth by itself: trained ones first, and among these those with much evidence."""
    hit = suggest(load_lexicon().structures[name], modality, name)
    return (1000.0 if hit.status == "trained" else 0.0) + min(hit.scans, 3000) / 600


def _suggestion(fit: _Fit, modality: Modality) -> Suggestion:
    matched = with_side(fit.name.text, fit.structure.side, fit.language)
    spans = _spans(matched, fit.tokens, fit.language)
    return suggest(fit.structure, modality, matched, fit.match, spans, fit.score)


def _structures(base: str, side: str) -> list[Structure]:
    lexicon = load_lexicon()
    if base.startswith("="):
        structure = lexicon.structures.get(base[1:])
        return [structure] if structure else []
    if "<n>" in base:
        return []
    by_side = lexicon.pairs.get("intervertebral discs" if base == DISC else base, {})
    if side in ("left", "right"):
        return [structure for said, structure in by_side.items() if said in ("", side)]
    return list(by_side.values())


def _sided(structure: Structure) -> bool:
    """Whether the structure has a left and a right label as well."""
    return len(load_lexicon().sides_of(structure.name)) > 1


def _spans(matched: str, tokens: list[str], language: str) -> tuple[tuple[int, int], ...]:
    """The parts of a shown name that were typed."""
    grammar = load_grammars()[language]
    if language in UNSPACED:
        at = grammar.folded(matched).find(tokens[0])
        return ((at, at + len(tokens[0])),) if at >= 0 and len(grammar.folded(matched)) == len(matched) else ()
    spans = []
    for word in _WORD.finditer(matched):
        plain = grammar.refold(fold(word[0]))
        longest = max((len(token) for token in tokens if plain.startswith(token)), default=0)
        if longest:
            # Folding may shorten a word ("Drüse", "Druese"), never by what would show.
            spans.append((word.start(), min(word.start() + longest, word.end())))
    return tuple(spans)
