"""Findings that stand apart from what they are in: "a cyst in the lower pole of the left kidney" is a left kidney cyst.

A mass, a cyst or a metastasis is a trained label only together with its organ. Where a sentence says both, the finding
is joined to the organ that follows it behind a preposition, else to the one that precedes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from SATSegmentLib.anatomy.report.numbers import side_behind
from SATSegmentLib.anatomy.report.rules import joined_findings, words
from SATSegmentLib.anatomy.report.sentence import Phrase, SentenceWords
from SATSegmentLib.anatomy.vocabulary.labels import find_label

_PREPOSITIONS = words("prepositions") | {"arises", "arising", "originating"}
_STOPS = frozenset((";", ".", "but", "while", "whereas"))
# So many tokens may lie between a finding and its organ.
_REACH_AHEAD, _REACH_BACK = 16, 14


def with_joined_findings(words_of: SentenceWords, modality: str, found: Sequence[Phrase]) -> list[Phrase]:
    """The phrases, with those findings that the organs beside them make a label; in order."""
    tokens = [token.word for token in words_of.tokens]
    rules = joined_findings()
    if not any(word in rules.findings for word, _ in words_of.canonical):
        return list(found)
    taken = {index for phrase in found for index in range(phrase.first, max(phrase.last, phrase.reach) + 1)}
    joined: list[Phrase] = []
    specific: set[str] = set()
    for index in range(len(tokens)):
        word = words_of.canonical[index][0]
        if index in taken or word not in rules.findings:
            continue
        organ = _ahead(tokens, found, index) or _before(tokens, found, index)
        labels, side = _labels(rules.findings[word], organ, modality) if organ else ((), "")
        own = side_behind(words_of.tokens, index + 1)[0]
        if own in ("left", "right") and any(label.startswith(f"{own} ") for label in labels):
            # "Kidneys: a cyst on the right"
            labels, side = tuple(label for label in labels if label.startswith(f"{own} ")), own
        if labels:
            joined.append(Phrase(index, index, labels, side, (index, index), exact=False, is_finding=True))
            specific.update(labels if word in rules.specific else ())
    # "A mass in the pancreas, concerning for adenocarcinoma": the second word says how sure it is.
    names = {label for phrase in found if phrase.is_finding for label in phrase.labels} | specific
    kept = [
        one
        for one in joined
        if words_of.canonical[one.first][0] in rules.specific or not names.intersection(one.labels)
    ]
    return sorted([*found, *kept], key=lambda phrase: phrase.first)


def _ahead(tokens: Sequence[str], found: Sequence[Phrase], index: int) -> Phrase | None:
    """The organ that a finding is said to be in: behind it, with a preposition between."""
    following = next((p for p in found if p.first > index and p.labels and not p.is_finding), None)
    if following is None or following.first - index > _REACH_AHEAD:
        return None
    between = tokens[index + 1 : following.first]
    if not any(word in _PREPOSITIONS for word in between) or any(word in _STOPS for word in between):
        return None
    return following


def _before(tokens: Sequence[str], found: Sequence[Phrase], index: int) -> Phrase | None:
    """The organ that was named last before a finding."""
    preceding = next((p for p in reversed(found) if p.last < index and p.labels and not p.is_finding), None)
    if preceding is None or preceding.is_operation or index - preceding.last > _REACH_BACK:
        return None
    between = tokens[preceding.last + 1 : index]
    return None if any(word in _STOPS for word in between) else preceding


def _labels(kind: str, organ: Phrase, modality: str) -> tuple[tuple[str, ...], str]:
    """The trained labels of a kind of finding in an organ, and their side."""
    bases = {_organ_of(label) for label in organ.labels}
    if len(bases) != 1 or not (base := bases.pop()):
        return (), ""
    name = joined_findings().labels.get((base, kind), "")
    sides = {label.split()[0] for label in organ.labels if label.startswith(("left ", "right "))}
    sided = [f"{side} {name}" for side in ("left", "right") if side in sides and base == "kidney"]
    labels = tuple(text for text in sided if find_label(modality, text))
    if not labels and name and find_label(modality, name):
        labels = (name,)
    return labels, organ.side if base == "kidney" or "lung" in base else ""


def _organ_of(label: str) -> str:
    """The organ that a label is, or is a part of, among those with trained findings."""
    rules = joined_findings()
    return next((organ for organ, parts in rules.organs.items() if any(part in label for part in parts)), "")
