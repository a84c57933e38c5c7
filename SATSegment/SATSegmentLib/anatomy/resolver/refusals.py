"""What is known and cannot be segmented here, and what is nearest to it."""

from __future__ import annotations

from SATSegmentLib.anatomy.resolver.answers import DidYouMean, NotSegmentable, Resolution
from SATSegmentLib.anatomy.resolver.question import MAX_CANDIDATES, Question
from SATSegmentLib.anatomy.suggestions.ranking import search
from SATSegmentLib.anatomy.suggestions.suggestion import members_of, reason_of, shown_name, suggest
from SATSegmentLib.anatomy.suggestions.tree_names import load_tree_names
from SATSegmentLib.anatomy.text.words import Side, Words, read_words
from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, Structure
from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.types import Prompt


def elsewhere(question: Question) -> Resolution | None:
    """Trained in another modality, or here without the side that was said."""
    words = question.words
    if words.side == "conflict":
        return None
    sided = list(question.lexicon.find(words, words.side)) if words.side != "both" else []
    if not words.side or words.side == "both":
        sided += [*question.lexicon.find(words, "left"), *question.lexicon.find(words, "right")]
    sided = [entry for entry in sided if question.fits_joints(entry)]
    unsided = question.here(question.lexicon.find(words, "")) if words.side else []
    # "Right atrial appendage": the left one's name without a side is not what was asked for.
    unsided = [entry for entry in unsided if words.side == "both" or entry.structure.side in ("", words.side)]
    others = [entry for entry in sided if entry.structure.modalities and not question.is_here(entry)]
    if not unsided and not others:
        return None
    if any(entry.structure.what == "unsupported" for entry in sided) and not unsided:
        return None
    sides = ("", "left", "right") if words.side == "both" else ("", words.side)
    members = [label for entry in unsided for label in members_of(entry.structure, question.modality)]
    nearest = [label.prompt() for label in members if label.laterality in sides][: max(1, len(unsided))]
    nearest += _whole_of(question, others)
    for entry in others:
        other = next((m for m in entry.structure.modalities if not entry.modality or m == entry.modality), "")
        nearest += [label.prompt() for label in members_of(entry.structure, other)]
    names = dict.fromkeys(entry.structure.name for entry in others or unsided)
    name = " or ".join(list(names)[:3]) if others else f"{words.side} {next(iter(names))}"
    modalities = dict.fromkeys(m for entry in others for m in entry.structure.modalities)
    reason = reason_of(tuple(modalities)) if others else "trained without a side only"
    if unsided and others:
        reason = f"{reason} with a side"
    first = (others or unsided)[0].structure
    concept = next((label.concept for label in first.labels.values()), "")
    return NotSegmentable(question.text, name, concept, reason, tuple(dict.fromkeys(nearest))[:8])


def _whole_of(question: Question, entries: list[Entry]) -> list[Prompt]:
    """Labels of this modality that are the same structure without its side."""
    wholes = [question.lexicon.sides_of(entry.structure.name).get("") for entry in entries if entry.structure.labels]
    return [w.labels[question.modality].prompt() for w in wholes if w and question.modality in w.labels]


def unsupported(question: Question) -> Resolution | None:
    """What the tables know as no class of SAT."""
    found = [*question.lexicon.find(question.words, question.words.side), *question.lexicon.find(question.words, "")]
    entry = next((entry for entry in found if entry.structure.what == "unsupported"), None)
    if entry is None:
        return None
    structure = entry.structure
    side: Side = question.words.side if question.words.side in ("left", "right") else ""
    targets = [target for text in structure.nearest for target in _sided(question, text, side)]
    nearest = [t.labels[question.modality].prompt() for t in targets if question.modality in t.labels]
    nearest = nearest or [label.prompt() for t in targets for label in list(t.labels.values())[:1]]
    name = shown_name(structure, entry.text)
    concept = load_tree_names().exact(name, read_words(name))
    name = f"{side} {name}" if side and not name.startswith(side) else name
    return NotSegmentable(
        question.text, name, concept.id if concept else "", "not a SAT class", tuple(dict.fromkeys(nearest))
    )


def _sided(question: Question, text: str, side: Side) -> list[Structure]:
    """The label `text`, on the side that was said where it has one; both sides where it has nothing else."""
    sides = question.lexicon.sides_of(text)
    if side in sides:
        return [sides[side]]
    return [sides[""]] if "" in sides else list(sides.values())


def by_abbreviation(question: Question) -> Resolution | None:
    """ "Main PA" is asked as "main pulmonary artery": one short form among other words, written out."""
    tokens = question.words.tokens
    for place, token in enumerate(tokens if len(tokens) > 1 else ()):
        known = [e for e in question.lexicon.find(Words((token,)), "") if e.kind == "abbreviation"]
        if len({entry.structure.name for entry in known}) != 1:
            continue
        written = read_words(known[0].structure.name)
        side = question.words.side or written.side
        words = Words((*tokens[:place], *written.tokens, *tokens[place + 1 :]), side, question.words.plural)
        entries = question.here(question.lexicon.find(words, side))
        if entries:
            return question.ask(entries)
    return None


def in_tree(question: Question) -> Resolution | None:
    """A concept of the knowledge tree, with the labels nearest to it."""
    concept = load_tree_names().exact(question.text, question.words)
    if concept is None:
        return None
    here = [label for label in load_labels() if label.concept == concept.id and label.modality == question.modality]
    here = [label for label in here if _side_fits(label.laterality, question.words)]
    if here:
        structures = [question.lexicon.structures[label.text] for label in here]
        candidates = [suggest(structure, question.modality, concept.name) for structure in structures]
        return DidYouMean(question.text, tuple(candidates[:MAX_CANDIDATES]))
    elsewhere = [label for label in load_labels() if label.concept == concept.id]
    reason = reason_of(tuple(dict.fromkeys(label.modality for label in elsewhere)))
    nearest = [label.prompt() for label in elsewhere] or _above(question, concept.id)
    return NotSegmentable(question.text, concept.name, concept.id, reason, tuple(nearest[:4]))


def _above(question: Question, concept_id: str) -> list[Prompt]:
    """Labels of the nearest broader concept that has any, here first; the side that was said is kept."""
    labels = [label for label in load_labels() if _side_fits(label.laterality, question.words)]
    for ancestor in load_tree().ancestors(concept_id):
        matching = [label for label in labels if label.concept == ancestor.id and not label.is_finding]
        matching.sort(key=lambda label: label.modality != question.modality)
        if matching:
            return [label.prompt() for label in matching]
    return []


def _side_fits(laterality: str, words: Words) -> bool:
    if words.side in ("left", "right"):
        return laterality in ("", words.side)
    return laterality == "" or words.side == "both"


def by_likeness(question: Question) -> Resolution | None:
    """What search finds, always as a question."""
    found = [hit for hit in search(question.text, question.modality) if hit.status in ("trained", "taught")]
    other = {"left": "right ", "right": "left "}.get(question.words.side)
    found = [hit for hit in found if not other or not hit.name.startswith(other)]
    fitting = [hit for hit in found if hit.match != "partial"]
    if not fitting:
        # A part of the words fits: only worth a question where the text is short.
        fitting = found if len(question.words.tokens) <= 8 else []
    return DidYouMean(question.text, tuple(fitting[:MAX_CANDIDATES])) if fitting else None
