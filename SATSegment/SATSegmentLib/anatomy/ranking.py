"""Ranked suggestions while a person types; fast enough to be asked at every keystroke.

Standard library only: this must work in a Slicer in which nothing has been installed yet.

Ranking: what was trained in the asked modality comes first, everything else follows, greyed and with its reason.
Within each: the whole name, then beginnings of names, then words in any order, then slips of the keyboard, then texts
of which only a part fits. Among equals the name that was trained, the shorter one, the one with more training scans.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, lru_cache

from SATSegmentLib.anatomy.highlight import spans_of
from SATSegmentLib.anatomy.lexicon import Entry, Structure, load_lexicon
from SATSegmentLib.anatomy.numbering import numbered_parts
from SATSegmentLib.anatomy.ontology import NamedConcept, load_tree_names
from SATSegmentLib.anatomy.suggestion import Match, Suggestion, suggest
from SATSegmentLib.anatomy.typos import Spellings
from SATSegmentLib.anatomy.words import MAX_CHARACTERS, Words, read_words
from SATSegmentLib.types import Modality

# So many names are weighed for one query. Names are numbered from the most to the least probable, so what is cut off
# at a first letter are the least probable ones.
_MAX_WEIGHED = 400
_MAX_TOKENS = 14
# Places that are kept for what SAT cannot do here, where there is such.
_GREYED_PLACES = 3

_KIND_COST = {"name": 0.0, "synonym": 2.0, "abbreviation": 2.0, "latin": 3.0, "dataset": 3.0, "near": 12.0}
_EXACT, _PREFIX = 10.0, 7.0


def search(text: str, modality: Modality, limit: int = 12) -> list[Suggestion]:
    """The structures that `text` may mean, the likeliest first; empty where nothing fits.

    Parameters
    ----------
    text: what has been typed so far; the last word may be incomplete. Words in any order, with slips.
    modality: "ct", "mri" or "pet".
    limit: how many suggestions at most.
    """
    if not text.strip() or limit < 1:
        return []
    words = read_words(text[:MAX_CHARACTERS])
    if not words.tokens:
        return []
    return [*_ranked(words, text[:MAX_CHARACTERS].strip(), modality, limit)]


@lru_cache(maxsize=512)
def _ranked(words: Words, text: str, modality: Modality, limit: int) -> tuple[Suggestion, ...]:
    index = load_index(modality)
    exact = _exact(words, text, modality)
    hits = index.hits(words)
    scored: dict[str, tuple[float, Entry, Match]] = {}
    for score, entry, match in hits:
        known = scored.get(entry.structure.name)
        if known is None or score > known[0]:
            scored[entry.structure.name] = (score, entry, match)
    pairs = [*_counted(words, modality), *_pair_suggestions(words, modality)]
    best_scored = heapq.nlargest(4 * limit, scored.values(), key=lambda hit: hit[0] + _places(hit[1], modality))
    found = [suggest(e.structure, modality, e.text, match, (), score) for score, e, match in best_scored]
    if any(hit.match in ("exact", "prefix", "words") for hit in found):
        found = [hit for hit in found if hit.match not in ("typo", "partial")]
    concepts = _concepts(words, text, modality, limit, bool(found))
    guess = not found or all(hit.match in ("typo", "partial") for hit in found)
    if guess and any(concept.match == "exact" for concept in concepts):
        found = []
    known_names = {hit.name for hit in exact} | {pair.name for pair in pairs}
    best: dict[str, Suggestion] = {}
    for hit in sorted((*found, *concepts), key=lambda hit: -hit.score):
        if hit.name not in known_names:
            best.setdefault(hit.name, hit)
    rest = list(best.values())
    everything = [*exact, *pairs, *rest] if not words.plural else [*pairs, *exact, *rest]
    if words.plural and any(e.plural for e in load_lexicon().find(words, words.side)):
        everything = [*exact, *pairs, *rest]
    return tuple(replace(hit, spans=hit.spans or spans_of(hit.matched, words)) for hit in _first(everything, limit))


def _places(entry: Entry, modality: Modality) -> float:
    """Trained ones come before all others, whatever their score."""
    return 1000.0 if modality in entry.structure.modalities else 0.0


def _first(hits: list[Suggestion], limit: int) -> list[Suggestion]:
    """Trained ones, then the greyed ones, for which some places are kept."""
    trained = [hit for hit in hits if hit.status == "trained"]
    greyed = [hit for hit in hits if hit.status != "trained"]
    greyed.sort(key=lambda hit: hit.match != "exact")
    kept = min(len(greyed), _GREYED_PLACES if limit > 2 * _GREYED_PLACES else 0)
    shown = trained[: limit - kept]
    return [*shown, *greyed[: limit - len(shown)]]


def _exact(words: Words, text: str, modality: Modality) -> list[Suggestion]:
    """Structures with exactly these words as a name, certain names first."""
    lexicon = load_lexicon()
    entries = [*lexicon.find(words, words.side)]
    if not entries and words.side in ("left", "right"):
        # "left renal artery": the name without its side, which is all there is.
        entries = [*lexicon.find(words, "")]
    elif words.side == "both":
        entries = [*lexicon.find(words, "")]
    folded = text.lower()
    entries.sort(key=lambda e: (not e.plural, e.structure.name != folded, e.kind != "name", _unsure(e), e.order))
    unique: dict[str, Suggestion] = {}
    for place, entry in enumerate(entries):
        if entry.modality in ("", modality) and entry.structure.name not in unique:
            hit = suggest(entry.structure, modality, entry.text, "exact", (), 1000.0 - place)
            unique[entry.structure.name] = hit
    return list(unique.values())


def _unsure(entry: Entry) -> bool:
    return entry.kind == "near" or entry.structure.near


def _pair_suggestions(words: Words, modality: Modality) -> list[Suggestion]:
    """ "Left and right kidney" for "both kidneys" and for "kidneys"."""
    lexicon = load_lexicon()
    said = words.side == "both" or (words.plural and not words.side)
    if not said and (words.side or lexicon.find(words, "")):
        return []
    unique: dict[str, Suggestion] = {}
    for left in lexicon.find(words, "left"):
        name = left.structure.name
        right = lexicon.structures.get(name.replace("left ", "right ", 1))
        if right is None or right is left.structure or left.structure.what != "label":
            continue
        if left.modality not in ("", modality):
            continue
        if modality not in left.structure.modalities:
            continue
        if words.side != "both" and any(label.is_finding for label in left.structure.labels.values()):
            continue
        pair = suggest_pair(left.structure, right, modality)
        unique.setdefault(pair.name, replace(pair, score=1100.0 if left.kind != "near" else 900.0))
    return list(unique.values())


def _counted(words: Words, modality: Modality) -> list[Suggestion]:
    """ "L1-L5" or "ribs 5 and 6" as one suggestion, where each member was trained."""
    suggestions = []
    for name, parts in numbered_parts(words):
        members = [_certain(read_words(part), modality) for part in parts]
        hits = [suggest(member, modality, member.name) for member in members if member]
        if len(hits) == len(parts):
            prompts = tuple(prompt for hit in hits for prompt in hit.prompts)
            weakest = min(hits, key=lambda hit: hit.scans)
            whole = replace(weakest, name=name, what="composite", matched=name, prompts=prompts, codes=(), concept="")
            suggestions.append(replace(whole, score=1100.0))
    return suggestions


def _certain(words: Words, modality: Modality) -> Structure | None:
    """The one label that these words certainly name."""
    entries = [e for e in load_lexicon().find(words, words.side) if e.modality in ("", modality) and not _unsure(e)]
    structures = {e.structure.name: e.structure for e in entries if modality in e.structure.labels}
    return next(iter(structures.values())) if len(structures) == 1 else None


def suggest_pair(left: Structure, right: Structure, modality: Modality) -> Suggestion:
    """Both sides of a structure as one suggestion with the prompts of both."""
    one, other = suggest(left, modality, left.name), suggest(right, modality, right.name)
    name = f"left and right {left.name.replace('left ', '', 1)}"
    prompts = tuple(dict.fromkeys((*one.prompts, *other.prompts)))
    return replace(one, name=name, what="composite", matched=name, prompts=prompts, codes=(), concept="")


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

    def hits(self, words: Words) -> list[tuple[float, Entry, Match]]:
        """Names that hold all words, or nearly all; each with its score."""
        tokens = tuple(dict.fromkeys(words.tokens))[:_MAX_TOKENS]
        side = words.side if words.side in ("left", "right") else ""
        return self._with(tokens, side, typos=False) or self._with(tokens, side, typos=True) or self._part(tokens, side)

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
            if not whole[number] or 2 * whole[number] < min(len(tokens), len(entry.tokens)):
                continue
            covered = gain - 0.6 * len(self.words[number]) - 2.0 * (bool(side) and entry.side != side)
            result.append((covered * 4 - self.cost[number], entry, "partial"))
        return result

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


def _concepts(words: Words, text: str, modality: Modality, limit: int, any_found: bool) -> list[Suggestion]:
    """Concepts of the knowledge tree that SAT has no label for, greyed; labels' own concepts lead to their labels."""
    names = load_tree_names()
    concept = names.exact(text, words)
    hits: Iterable[tuple[NamedConcept, str]] = ()
    # A long text that fits names of SAT needs no list of what else it might be.
    most = 4 if any_found else _MAX_TOKENS
    if max(map(len, words.tokens)) >= 3 and len(words.tokens) <= most:
        hits = names.containing(words.tokens, limit)
    suggestions: dict[str, Suggestion] = {}
    by_concept = _labels_by_concept()
    for found, matched in [*([(concept, concept.name)] if concept else []), *hits]:
        match: Match = "exact" if found is concept else "words"
        for structure in by_concept.get(found.id, ()):
            if not words.side or structure.side in ("", words.side) or words.side == "both":
                hit = suggest(structure, modality, matched, match, (), 60.0 if match == "exact" else -20.0)
                suggestions.setdefault(hit.name, hit)
        if found.id not in by_concept:
            suggestions.setdefault(found.name, _greyed(found, matched, match, len(suggestions)))
    return list(suggestions.values())


def _greyed(concept: NamedConcept, matched: str, match: Match, place: int) -> Suggestion:
    return Suggestion(
        name=concept.name,
        what="concept",
        status="not a SAT class",
        reason="not a SAT class",
        matched=matched,
        spans=(),
        match=match,
        prompts=(),
        modalities=(),
        grade=0,
        scans=0,
        finding=False,
        concept=concept.id,
        codes=concept.codes,
        score=-30.0 - place,
    )


@cache
def _labels_by_concept() -> dict[str, list[Structure]]:
    result: dict[str, list[Structure]] = defaultdict(list)
    for structure in load_lexicon().structures.values():
        for concept in {label.concept for label in structure.labels.values() if label.concept}:
            result[concept].append(structure)
    return dict(result)


# What people begin to type where names are kept in another spelling.
_BEGINNINGS = {
    "gray": "grey", "disk": "disc", "vena": "vein", "vertebrae": "vertebra", "bronchi": "bronchus",
    "bronchie": "bronchus", "tumour": "tumor", "oesophagus": "esophagus", "haemorrhage": "hemorrhage",
    "oedema": "edema", "coeliac": "celiac", "gyri": "gyrus", "vertebral": "vertebra", "arteria": "artery",
    "gallblad": "gallbladder", "ganglia": "ganglion", "esophageal": "esophagus", "hippocampal": "hippocampus",
    "thalamic": "thalamus", "prostatic": "prostate", "costae": "rib", "nuclei": "nucleus",
}  # fmt: skip


def preload(modality: Modality) -> None:
    """Load all that search needs, so that the first keystroke does not wait for it."""
    load_index(modality)
    load_tree_names()


def forget() -> None:
    """Drop what was kept from earlier keystrokes; for measurements."""
    _ranked.cache_clear()
    _matches_cache.clear()
