"""The names of one modality by the words they hold, with a score for each name that fits."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict
from functools import cache

from SATSegmentLib.anatomy.suggestions.suggestion import Match
from SATSegmentLib.anatomy.text.counting import counts_liver_segments, is_no_vertebra
from SATSegmentLib.anatomy.text.typos import Spellings
from SATSegmentLib.anatomy.text.words import Words
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, load_lexicon
from SATSegmentLib.types import Modality

# So many names are weighed for one query. Names are numbered from the most to the least probable, so what is cut off
# at a first letter are the least probable ones.
_MAX_WEIGHED = 400
MAX_TOKENS = 14

_KIND_COST = {"name": 0.0, "synonym": 2.0, "abbreviation": 2.0, "latin": 3.0, "dataset": 3.0, "near": 12.0}
_EXACT, _PREFIX = 10.0, 7.0

# What people begin to type where names are kept in another spelling.
_BEGINNINGS = {
    "gray": "grey", "disk": "disc", "vena": "vein", "vertebrae": "vertebra", "bronchi": "bronchus",
    "bronchie": "bronchus", "tumour": "tumor", "oesophagus": "esophagus", "haemorrhage": "hemorrhage",
    "oedema": "edema", "coeliac": "celiac", "gyri": "gyrus", "vertebral": "vertebra", "arteria": "artery",
    "gallblad": "gallbladder", "ganglia": "ganglion", "esophageal": "esophagus", "hippocampal": "hippocampus",
    "thalamic": "thalamus", "prostatic": "prostate", "costae": "rib", "nuclei": "nucleus",
}  # fmt: skip


# Nouns that many structures share: a suggestion must have more of what was typed than one of these.
_GENERIC = frozenset(
    ("cord", "canal", "gland", "artery", "vein", "lobe", "muscle", "bone", "segment", "part", "body", "node",
     "vessel", "cavity", "wall", "duct", "process", "head", "tail", "tract", "nerve", "area", "region", "gyrus",
     "nucleus", "cortex", "cartilage", "joint", "valve", "sinus", "disc", "vertebra", "middle", "lower", "upper",
     "anterior", "posterior", "superior", "inferior", "lateral", "medial", "internal", "external", "ascending",
     "descending", "common", "left", "right", "tissue", "organ", "chamber", "bed", "space", "fossa", "trunk",
     "branch", "tumor", "lesion", "cyst", "nodule", "scar", "edema", "core", "ring", "level", "zone", "ear")
)  # fmt: skip
# "5th rib": the number may stand in front.
_TAKE_ORDINALS = frozenset(("rib", "vertebra", "segment", "lumbar", "thoracic", "cervical", "ventricle"))


class Index:
    """The names, numbered from the most to the least probable in one modality, and the words they hold."""

    def __init__(self, modality: Modality) -> None:
        entries = [e for e in load_lexicon().entries if e.modality in ("", modality)]
        entries.sort(key=lambda e: _static_rank(e, modality))
        self.entries = entries
        self.words: list[tuple[str, ...]] = []
        postings: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            tokens = (*entry.tokens, entry.side) if entry.side else entry.tokens
            self.words.append(tokens)
            for token in dict.fromkeys(tokens):
                postings[token].append(number)
        # British and Latin beginnings lead to the one spelling under which names are kept.
        for token, other in _BEGINNINGS.items():
            if other in postings:
                postings[token] = postings[other]
        self.postings = dict(postings)
        self.vocabulary = sorted(postings)
        self.spellings = Spellings(self.vocabulary)
        self.cost = [_KIND_COST[e.kind] + 0.15 * len(e.text) - _evidence(e, modality) for e in entries]

    def hits(self, words: Words, guess: bool = True) -> list[tuple[float, Entry, Match]]:
        """Names that hold all words, or where it is to `guess` nearly all; each with its score."""
        tokens = tuple(dict.fromkeys(words.tokens))[:MAX_TOKENS]
        side = words.side if words.side in ("left", "right") else ""
        found = self._with(tokens, side, typos=False)
        if found or not guess:
            return found
        return self._with(tokens, side, typos=True) or self._part(tokens, side)

    def _with(self, tokens: tuple[str, ...], side: str, typos: bool) -> list[tuple[float, Entry, Match]]:
        matches = [self._token_matches(token, typos) for token in tokens]
        if not all(matches):
            return []
        numbers = _smallest(matches)
        others = matches
        result = [n for n in numbers if all(n in found for found in others)] if len(matches) > 1 else numbers
        return [hit for n in result[:_MAX_WEIGHED] if (hit := self._weigh(n, tokens, matches, side, typos))]

    def _part(self, tokens: tuple[str, ...], side: str) -> list[tuple[float, Entry, Match]]:
        """Names that hold some of the words: the more and the rarer the better."""
        gains: dict[int, float] = defaultdict(float)
        whole: dict[int, int] = defaultdict(int)
        for token in tokens:
            found = self._token_matches(token, False) if len(token) > 2 or token.isdigit() else {}
            found = found or self._token_matches(token, True)
            if not found or len(found) > 1500:
                continue
            weight = math.log(len(self.entries) / len(found))
            for number, quality in found.items():
                gains[number] += weight * quality / _EXACT
                whole[number] += quality >= _EXACT
        best = heapq.nlargest(60, gains.items(), key=lambda item: item[1] - 0.3 * len(self.words[item[0]]))
        result: list[tuple[float, Entry, Match]] = []
        for number, gain in best:
            entry = self.entries[number]
            if side and entry.side and entry.side != side:
                continue
            if not self._names_part(entry, tokens):
                continue
            if not whole[number] or 2 * whole[number] < min(len(tokens), len(entry.tokens)):
                continue
            covered = gain - 0.6 * len(self.words[number]) - 2.0 * (bool(side) and entry.side != side)
            result.append((covered * 4 - self.cost[number], entry, "partial"))
        return result

    def _names_part(self, entry: Entry, tokens: tuple[str, ...]) -> bool:
        """Whether what a name shares with the words says what it is: neither a number nor "gland" alone does."""
        shared = set(entry.tokens).intersection(tokens)
        if shared and shared <= _GENERIC and len(entry.tokens) > 1:
            return False
        numbers = [token for token in entry.tokens if token[-1].isdigit()]
        if not numbers:
            return True
        if not shared.issuperset(entry.tokens):
            return False  # "rib 2" is not in "segment 2"
        if "segment" in shared and counts_liver_segments(tokens) is False:
            return False
        if numbers[0][0] == "s" and numbers[0] != "s1" and counts_liver_segments(tokens) is False:
            return False
        places = [tokens.index(number) for number in numbers]
        before = tokens[places[0] - 1] if places[0] else ""
        behind = tokens[places[0] + 1] if places[0] + 1 < len(tokens) else ""
        if before.isalpha() and before not in entry.tokens and behind not in _TAKE_ORDINALS:
            return False  # "grade 3 liver laceration"
        return numbers[0].isdigit() or not is_no_vertebra(tokens, min(places), max(places))

    def _token_matches(self, token: str, typos: bool) -> dict[int, float]:
        return _typo_matches(self, token) if typos else _prefix_matches(self, token)

    def _weigh(
        self, number: int, tokens: tuple[str, ...], matches: list[dict[int, float]], side: str, typos: bool
    ) -> tuple[float, Entry, Match] | None:
        entry = self.entries[number]
        if side and entry.side != side:
            if entry.side:
                return None
            side_cost = 25.0
        else:
            side_cost = 0.0 if side or not entry.side else 4.0
        words = entry.tokens
        qualities = [found[number] for found in matches]
        score = sum(qualities) * 2 - side_cost - self.cost[number]
        # How much of the name has been said already.
        score -= 6.0 * max(0, len(words) - len(tokens))
        first = words[0]
        begins = first.startswith(tokens[0])
        if begins:
            score += 12.0
        match: Match = "prefix" if begins else "words"
        worst = min(qualities)
        if worst >= _EXACT and len(tokens) >= len(set(words)):
            match, score = "exact", score + 40.0
        elif typos and worst < _PREFIX:
            match = "typo"
        return score, entry, match


def _prefix_matches(index: Index, token: str) -> dict[int, float]:
    """Numbers of names with a word that begins so -> quality of the match."""
    key = (id(index), token, False)
    if key in _matches_cache:
        return _matches_cache[key]
    found: dict[int, float] = {}
    vocabulary, postings = index.vocabulary, index.postings
    cut = _MAX_WEIGHED if len(token) < 3 else 100_000
    for at in range(bisect_left(vocabulary, token), len(vocabulary)):
        word = vocabulary[at]
        if not word.startswith(token):
            break
        if word == token:
            continue
        quality = _PREFIX * (0.7 + 0.3 * len(token) / len(word))
        for number in postings[word][:cut]:
            if found.get(number, 0.0) < quality:
                found[number] = quality
    for number in postings.get(token, ()):
        found[number] = _EXACT
    return _remember(key, found)


def _typo_matches(index: Index, token: str) -> dict[int, float]:
    """As `_prefix_matches`, with slips of the keyboard where no word begins so."""
    key = (id(index), token, True)
    if key in _matches_cache:
        return _matches_cache[key]
    found = dict(_prefix_matches(index, token))
    # A slip in "uterus" may look like a plural and lose its s.
    for word, edits in (index.spellings.like(token) or index.spellings.like(token + "s")).items():
        quality = 5.0 - 1.5 * edits - (0.0 if len(word) <= len(token) + edits else 0.5)
        for number in index.postings[word]:
            if found.get(number, 0.0) < quality:
                found[number] = quality
    return _remember(key, found)


# Each keystroke asks again for the words before it.
_matches_cache: dict[tuple[int, str, bool], dict[int, float]] = {}


def _remember(key: tuple[int, str, bool], found: dict[int, float]) -> dict[int, float]:
    if len(_matches_cache) > 200:
        _matches_cache.clear()
    _matches_cache[key] = found
    return found


def _smallest(matches: list[dict[int, float]]) -> list[int]:
    smallest = min(matches, key=len)
    if len(matches) == 1 and len(smallest) > _MAX_WEIGHED:
        return heapq.nsmallest(_MAX_WEIGHED, smallest)
    return sorted(smallest)


@cache
def load_index(modality: Modality) -> Index:
    """The index of one modality; made once and kept."""
    return Index(modality)


def _static_rank(entry: Entry, modality: str) -> tuple[bool, bool, float, int, int]:
    structure = entry.structure
    return (
        modality not in structure.modalities,
        entry.kind == "near" or structure.what == "unsupported",
        -_evidence(entry, modality) + _KIND_COST[entry.kind] / 3,
        len(entry.text),
        entry.order,
    )


def _evidence(entry: Entry, modality: str) -> float:
    """0 to 4 from the number of training scans: the decimal logarithm."""
    label = entry.structure.labels.get(modality)
    return math.log10(label.scans) if label else 2.0 if entry.structure.what == "composite" else 0.0


def forget() -> None:
    """Drop what was kept from earlier keystrokes."""
    _matches_cache.clear()
