"""Which texts are shown together in one step of the pretraining.

Step number and seed decide everything, so a run that is continued sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
from SATSegmentLib.learning.knowledge.split import HeldOut
from SATSegmentLib.learning.knowledge.texts import RELATION_WORDS, Knowledge, Structure, text_key, trivial_key
from SATSegmentLib.learning.knowledge.wording import paraphrases, reworded
from SATSegmentLib.learning.sides import other_side

KINDS = ("synonym", "definition", "relation", "wording")


@dataclass(frozen=True)
class Pair:
    """A text, and a name it should be near to.

    Attributes
    ----------
    anchor : str
        A synonym, a definition, "portal vein is a part of", or a wording of the name.
    candidate : str
        A name.
    answers : frozenset[str]
        Ids of all structures that are right answers to the anchor.
    spared : frozenset[str]
        Ids that count as neither right nor wrong.
    named : frozenset[str]
        Ids of the structures that the candidate names.
    """

    anchor: str
    candidate: str
    answers: frozenset[str]
    spared: frozenset[str]
    named: frozenset[str]


@dataclass(frozen=True)
class PairBatch:
    """Pairs of one step.

    Attributes
    ----------
    pairs : tuple[Pair, ...]
        N pairs.
    positive, ignored : np.ndarray
        (N, N) bool, anchors in rows and candidates in columns.
    """

    pairs: tuple[Pair, ...]
    positive: np.ndarray
    ignored: np.ndarray


class Pairs:
    """Batches of the knowledge tree's pairs, by step number.

    Parameters
    ----------
    knowledge : Knowledge
        What may be learned (see `split.hold_out`).
    recipe : KnowledgeRecipe
        Sizes, shares and the seed.
    focus : Sequence[str], optional
        structures' names that half of the wordings are of; for a model that is to know a few structures well.
    wordings : Callable[[str], Sequence[str]], optional
        Name of the focus -> its wordings.
    held_out : HeldOut | None, optional
        Synonyms that no wording may say either.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        recipe: KnowledgeRecipe,
        focus: Sequence[str] = (),
        wordings: Callable[[str], Sequence[str]] = paraphrases,
        held_out: HeldOut | None = None,
    ) -> None:
        self.knowledge, self.recipe = knowledge, recipe
        structures = knowledge.structures
        ids = sorted(structures)
        self._pools = (
            [i for i in ids if structures[i].synonyms],
            [i for i in ids if structures[i].definition],
            [i for i in ids if structures[i].parents],
            [i for i in ids if structures[i].mirror] or ids,
        )
        self._paired = {j for i in ids if structures[i].mirror for _, j in structures[i].parents}
        self._forbidden = {trivial_key(text) for text, _ in held_out.synonyms} if held_out else set()
        self._focus = tuple((name, self._allowed(wordings(name))) for name in focus)

    def batch(self, step: int) -> PairBatch:
        """The pairs of step `step`."""
        draw = np.random.default_rng((self.recipe.seed, step))
        pairs: list[Pair] = []
        while len(pairs) < self.recipe.batch:
            kind = draw.choice(len(KINDS), p=self.recipe.kinds)
            if kind == KINDS.index("wording") and self._focus and draw.random() < 0.5:
                pairs += self._focused(draw)
                continue
            pool = self._pools[kind]
            if not pool:
                continue
            structure = self.knowledge.structures[pool[draw.integers(len(pool))]]
            pairs.append(self._pair(structure, KINDS[kind], draw))
            if draw.random() < self.recipe.neighbours:
                pairs += self._neighbour(structure, draw)
        return _with_masks(pairs[: self.recipe.batch])

    def _neighbour(self, structure: Structure, draw: np.random.Generator) -> list[Pair]:
        """A pair of what the structure is most easily taken for: the other side, or a part of the same whole."""
        if structure.mirror:
            return [self._pair(self.knowledge.structures[structure.mirror], "wording", draw)]
        siblings = self.knowledge.siblings.get(structure.id)
        if not siblings:
            return []
        other = self.knowledge.structures[siblings[draw.integers(len(siblings))]]
        return [self._pair(other, "synonym" if other.synonyms else "definition", draw)]

    def _pair(self, structure: Structure, kind: str, draw: np.random.Generator) -> Pair:
        if kind == "relation":
            return self._relation(structure, draw)
        names = structure.names
        if kind == "synonym" and len(names) > 1:
            anchor, candidate = (names[i] for i in draw.choice(len(names), 2, replace=False))
            # Names are what is searched later, so most pairs have one.
            candidate = structure.name if anchor != structure.name and draw.random() < 0.7 else candidate
            return self._named(anchor, candidate, structure)
        if kind == "definition" and structure.definition:
            candidate = structure.name if draw.random() < 0.7 else names[draw.integers(len(names))]
            return self._named(structure.definition, candidate, structure)
        # The words around a name must not repeat a text that is held out.
        wordings = reworded(structure.name, structure.id in self._paired)
        wording = wordings[draw.integers(len(wordings))]
        if trivial_key(wording) in self._forbidden:
            wording = structure.name
        return self._named(wording, structure.name, structure)

    def _allowed(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for text in texts if trivial_key(text) not in self._forbidden)

    def _named(self, anchor: str, candidate: str, structure: Structure) -> Pair:
        owners, own = self.knowledge.owners, frozenset([structure.id])
        return Pair(
            anchor,
            candidate,
            owners.get(text_key(anchor), own) | own,
            frozenset(),
            owners.get(text_key(candidate), own) | own,
        )

    def _relation(self, structure: Structure, draw: np.random.Generator) -> Pair:
        relation, target = structure.parents[draw.integers(len(structure.parents))]
        name = self.knowledge.structures[target].name
        answers = frozenset(parent for kind, parent in structure.parents if kind == relation)
        return Pair(
            f"{structure.name} {RELATION_WORDS[relation]}",
            name,
            answers | {target},
            # What is above the target is true as well, and the source itself is no wrong answer worth teaching.
            self.knowledge.above(structure.id) | {structure.id},
            self.knowledge.owners.get(text_key(name), frozenset()) | {target},
        )

    def _focused(self, draw: np.random.Generator) -> list[Pair]:
        """One of the focus's structures, and, where it has one, its other side."""
        name, wordings = self._focus[draw.integers(len(self._focus))]
        other = other_side(name)
        chosen = [(name, wordings)] + [(n, w) for n, w in self._focus if n == other and n != name]
        pairs = []
        for text, variants in chosen:
            own = frozenset([f"focus:{text}"]) | self.knowledge.owners.get(text_key(text), frozenset())
            pairs.append(Pair(variants[draw.integers(len(variants))], text, own, frozenset(), own))
        return pairs


def _with_masks(pairs: Sequence[Pair]) -> PairBatch:
    def meets(first: list[frozenset[str]], second: list[frozenset[str]]) -> np.ndarray:
        return np.array([[bool(a & b) for b in second] for a in first])

    named = [pair.named for pair in pairs]
    positive = meets([pair.answers for pair in pairs], named)
    ignored = meets([pair.spared for pair in pairs], named) & ~positive
    return PairBatch(tuple(pairs), positive, ignored)
