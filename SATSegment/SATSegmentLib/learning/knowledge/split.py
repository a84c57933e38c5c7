"""Which texts the training never sees, so that the measure is honest."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from SATSegmentLib.learning.knowledge.texts import Knowledge, text_key, trivial_key


@dataclass(frozen=True)
class HeldOut:
    """Texts to be found back.

    Attributes
    ----------
    synonyms : tuple[tuple[str, str], ...]
        (text, id of the structure it names).
    definitions : tuple[tuple[str, str], ...]
        (text, id).
    """

    synonyms: tuple[tuple[str, str], ...]
    definitions: tuple[tuple[str, str], ...]


def hold_out(knowledge: Knowledge, share: float = 0.1, seed: int = 0) -> tuple[Knowledge, HeldOut]:
    """Split the tree's texts: what to train with, and what to measure with.

    From `share` of the structures with synonyms one synonym each is taken, and from `share` of those with a definition
    the definition. A text that is held out is taken out of the training under every structure that bears it, in
    whatever case. Left out of the measure, since they need no knowledge or have no one answer, are homonyms,
    synonyms that are their structure's name or another training text of it but for case, punctuation, plural, order of
    words or British spelling, and the definitions that this project generates for sides.
    """
    random_ = random.Random(seed)
    synonyms: dict[str, str] = {}
    for i in sorted(knowledge.structures):
        candidates = _telling_synonyms(knowledge, i)
        if candidates and random_.random() < share:
            synonyms[i] = random_.choice(candidates)
    described = [i for i, s in knowledge.structures.items() if s.definition and not s.mirror]
    definitions = frozenset(i for i in sorted(described) if random_.random() < share)
    training = knowledge.without({i: frozenset([text]) for i, text in synonyms.items()}, definitions)
    return training, HeldOut(_not_repeated(training, synonyms), _described(knowledge, training, definitions))


def _telling_synonyms(knowledge: Knowledge, identifier: str) -> list[str]:
    structure = knowledge.structures[identifier]
    return [
        text
        for text in structure.synonyms
        if len(knowledge.owners[text_key(text)]) == 1 and trivial_key(text) != trivial_key(structure.name)
    ]


def _not_repeated(training: Knowledge, synonyms: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    kept = []
    for identifier, text in synonyms.items():
        left = {trivial_key(name) for name in training.structures[identifier].names}
        if trivial_key(text) not in left:
            kept.append((text, identifier))
    return tuple(kept)


def _described(knowledge: Knowledge, training: Knowledge, ids: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Held-out definitions that no structure left in the training shares."""
    seen = {text_key(structure.definition) for structure in training.structures.values()}
    texts = [(knowledge.structures[i].definition, i) for i in sorted(ids)]
    return tuple((text, i) for text, i in texts if text_key(text) not in seen)
