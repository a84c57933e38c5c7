"""Ranked suggestions while a person types; fast enough to be asked at every keystroke.

Standard library only: this must work in a Slicer in which nothing has been installed yet.

Ranking: what was trained in the asked modality comes first, everything else follows, greyed and with its reason.
Within each: the whole name, then beginnings of names, then words in any order, then slips of the keyboard, then texts
of which only a part fits. Among equals the name that was trained, the shorter one, the one with more training scans.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, lru_cache
from typing import NamedTuple

from SATSegmentLib.anatomy.languages.display import with_side
from SATSegmentLib.anatomy.languages.reading import Reading, read
from SATSegmentLib.anatomy.suggestions.highlight import spans_of
from SATSegmentLib.anatomy.suggestions.index import MAX_TOKENS, load_index
from SATSegmentLib.anatomy.suggestions.index import forget as forget_words
from SATSegmentLib.anatomy.suggestions.left_out import left_out
from SATSegmentLib.anatomy.suggestions.other_languages import begins_a_name, preload_languages, suggest_in_languages
from SATSegmentLib.anatomy.suggestions.suggestion import Match, Suggestion, suggest
from SATSegmentLib.anatomy.suggestions.tree_names import NamedConcept, is_name, load_tree_names
from SATSegmentLib.anatomy.suggestions.word_search import suggest_words
from SATSegmentLib.anatomy.text.numbering import numbered_parts
from SATSegmentLib.anatomy.text.words import MAX_CHARACTERS, Words, read_words
from SATSegmentLib.anatomy.text.written import read_written
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, Structure, load_lexicon
from SATSegmentLib.types import Modality

# Places that are kept for what SAT cannot do here, where there is such.
_GREYED_PLACES = 3
# Places that are kept for names in other languages, where English names fit as well.
_OTHER_PLACES = 3
_GUESSES = ("typo", "partial")


def search(
    text: str, modality: Modality, limit: int = 12, model_sha256: str = "", language: str = "en"
) -> list[Suggestion]:
    """The structures that `text` may mean, the likeliest first; empty where nothing fits.

    Names of all languages are searched at once; beginnings in the user's own language come first.

    Parameters
    ----------
    text : str
        What has been typed so far; the last word may be incomplete. Words in any order, with slips.
    modality : {"ct", "mri", "pet"}
        The scan's.
    limit : int
        How many suggestions at most.
    model_sha256 : str
        The checkpoint that will run; words that were taught to another one are greyed. Empty: not known.
    language : str
        The user's language, as `languages.display.language_of` gives it.
    """
    text = text[:MAX_CHARACTERS].strip()
    if not text or limit < 1:
        return []
    ranked = _as_written(text, modality, limit, not _is_in_another_language(text, modality, limit, language))
    taught = suggest_words(text, modality, model_sha256)
    # The user's own terms are few, and meant when they fit; only a whole name comes before them.
    whole = [hit for hit in ranked if hit.match == "exact" and hit.status == "trained" and not hit.left_out]
    rest = [hit for hit in ranked if hit not in whole]
    possible = [hit for hit in taught if hit.status == "taught"]
    others = _in_other_languages(text, modality, limit, language, rest, bool(whole))
    hits = [*whole, *others.whole, *possible, *others.rest, *(hit for hit in taught if hit not in possible)]
    unique: dict[tuple[str, bool], Suggestion] = {}
    for hit in hits:
        unique.setdefault((hit.name, hit.what == "word"), hit)
    return list(unique.values())[:limit]


class _Others(NamedTuple):
    """Suggestions in other languages: whole names, and the rest merged with what English has besides whole names."""

    whole: list[Suggestion]
    rest: list[Suggestion]


def _in_other_languages(
    text: str, modality: Modality, limit: int, language: str, english: list[Suggestion], has_whole: bool
) -> _Others:
    whole = [hit for reading in read(text) if reading.certain for hit in _of_reading(reading, modality, limit)]
    guesses = not has_whole and not whole and all(hit.match in _GUESSES for hit in english)
    if whole:
        english = [hit for hit in english if hit.match not in _GUESSES]
    begun = suggest_in_languages(text, modality, limit, guesses)
    named = {hit.name for hit in whole}
    begun = tuple(hit for hit in begun if hit.name not in named)
    if not begun:
        return _Others(whole, english)
    if guesses:
        sure = [hit for hit in begun if hit.match not in _GUESSES]
        slips = [hit for hit in english if hit.match == "typo"]
        others = [hit for hit in (*begun, *english) if hit not in sure and hit not in slips]
        return _Others(whole, [*sure, *slips, *others] if not sure else [*sure, *slips])
    if language != "en":
        return _Others(whole, [*begun, *english])
    kept = min(len(begun), _OTHER_PLACES if limit > 2 * _OTHER_PLACES else 0)
    return _Others(whole, [*english[: max(0, limit - kept)], *begun, *english])


def _of_reading(reading: Reading, modality: Modality, limit: int) -> list[Suggestion]:
    """What a whole text of another language stands for."""
    english = reading.english
    found = _ranked(read_words(english), english, modality, limit)
    hits = [hit for hit in found if hit.match == "exact" and hit.status == "trained"]
    label = find_label(modality, english)
    if label is not None:
        hits = [hit for hit in hits if hit.name == label.text]
    elif english.startswith(("both ", "all ")):
        base = english.partition(" ")[2]
        pair = [hit for hit in hits if hit.name == f"left and right {base}"]
        hits = pair or [hit for hit in hits if hit.name == base] or hits
    elif any(hit.what == "composite" for hit in hits[:1]):
        hits = hits[:1]
    shown = with_side(reading.name, reading.side, reading.language)
    return [replace(hit, matched=shown, spans=((0, len(shown)),)) for hit in hits if _is_on(hit, reading.side)]


def _is_on(hit: Suggestion, side: str) -> bool:
    """Whether a suggestion is on the side that was said; what has no sides may be offered, the other side not."""
    return side not in ("left", "right") or not hit.name.startswith({"left": "right ", "right": "left "}[side])


def _is_in_another_language(text: str, modality: Modality, limit: int, language: str) -> bool:
    """Whether names of another language fit so well that slips of English ones need not be looked for."""
    if any(reading.certain for reading in read(text)) or begins_a_name(text, language, modality):
        return True
    return (" " in text or not text.isascii()) and bool(suggest_in_languages(text, modality, limit, False))


def _as_written(text: str, modality: Modality, limit: int, guess: bool) -> list[Suggestion]:
    """What the text finds, and what is inside of it where it is written with signs, as a copy, or as a file."""
    words = read_words(text)
    found = list(_ranked(words, text, modality, limit, guess)) if words.tokens else []
    written = read_written(text, is_name)
    inner = read_words(written.name)
    if not written.left_out or not inner.tokens:
        return found
    bare = _ranked(inner, written.name, modality, limit, guess)
    inside = [replace(hit, left_out=(*hit.left_out, *written.left_out)) for hit in bare]
    completions = [hit for hit in found if hit.match in ("prefix", "words") and hit.prompts]
    if written.left_out[0].isalpha() and text.endswith(written.left_out[0]) and completions:  # "liver seg" goes on
        inside, found = found, inside
    names = {hit.name for hit in inside}
    found = [hit for hit in found if hit.name not in names and hit.match not in ("typo", "partial")]
    return [*inside, *found][:limit]


@lru_cache(maxsize=512)
def _ranked(words: Words, text: str, modality: Modality, limit: int, guess: bool = True) -> tuple[Suggestion, ...]:
    index = load_index(modality)
    exact = _exact(words, text, modality)
    hits = index.hits(words, guess)
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
    concepts = _concepts(words, text, modality, limit, bool(found), guess)
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
    return tuple(
        replace(hit, spans=hit.spans or _spans(hit, words), left_out=left_out(hit, text, words))
        for hit in _first(everything, limit)
    )


def _spans(hit: Suggestion, words: Words) -> tuple[tuple[int, int], ...]:
    return spans_of(hit.matched, words, hit.match in _GUESSES)


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


def _concepts(
    words: Words, text: str, modality: Modality, limit: int, any_found: bool, guess: bool
) -> list[Suggestion]:
    """Concepts of the knowledge tree that SAT has no label for, greyed; labels' own concepts lead to their labels."""
    names = load_tree_names()
    concept = names.exact(text, words)
    hits: Iterable[tuple[NamedConcept, str]] = ()
    # A long text that fits names of SAT needs no list of what else it might be.
    most = 4 if any_found else MAX_TOKENS
    # The tree is English: of a text that goes on in another language it has nothing but chance.
    if (any_found or guess) and max(map(len, words.tokens)) >= 3 and len(words.tokens) <= most:
        hits = names.containing(words.tokens, limit, guess)
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


def preload(modality: Modality) -> None:
    """Load all that search needs, so that the first keystroke does not wait for it."""
    load_index(modality)
    load_tree_names()
    preload_languages()


def forget() -> None:
    """Drop what was kept from earlier keystrokes; for measurements."""
    _ranked.cache_clear()
    suggest_in_languages.cache_clear()
    read.cache_clear()
    forget_words()
