"""How well an encoder finds structures by other words: recall at 1, 5 and 10, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.learning.knowledge.split import HeldOut
from SATSegmentLib.learning.knowledge.texts import Knowledge, text_key

# Texts to features, shape (texts, width); they are normalised here.
Embed = Callable[[Sequence[str]], np.ndarray]

RANKS = (1, 5, 10)


@dataclass(frozen=True)
class Recall:
    """Share of the texts whose structure is among the first 1, 5, 10 of all structures' names.

    Attributes
    ----------
    texts : int
        How many were asked.
    at : dict[int, float]
        Rank -> share, 0..1.
    """

    texts: int
    at: dict[int, float]

    def __str__(self) -> str:
        shares = ", ".join(f"@{rank} {100 * share:.1f} %" for rank, share in self.at.items())
        return f"recall {shares} ({self.texts} texts)"


class NameIndex:
    """All structures' preferred names, embedded, to be searched by meaning.

    Parameters
    ----------
    knowledge : Knowledge
        Whose structures are the possible answers.
    embed : Embed
        Texts to features.
    """

    def __init__(self, knowledge: Knowledge, embed: Embed) -> None:
        # Two structures of one name are one answer.
        names = dict.fromkeys(text_key(structure.name) for structure in knowledge.structures.values())
        self.names = tuple(names)
        self._embed = embed
        self._vectors = unit(embed(self.names))

    def recall(self, answers: Sequence[tuple[str, str]]) -> Recall:
        """Recall of (text, name of the right structure)."""
        row = {name: number for number, name in enumerate(self.names)}
        scores = unit(self._embed([text for text, _ in answers])) @ self._vectors.T
        own = scores[np.arange(len(answers)), [row[text_key(name)] for _, name in answers]]
        # A tie counts as found behind all that tie with it; one's own score is among them.
        ranks = (scores >= own[:, None]).sum(1)
        return Recall(len(answers), {rank: float((ranks <= rank).mean()) for rank in RANKS})

    def nearest(self, texts: Sequence[str], count: int = 5) -> list[list[tuple[str, float]]]:
        """For each text the nearest names and their cosines, best first."""
        scores = unit(self._embed(texts)) @ self._vectors.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return [[(self.names[j], float(scores[i, j])) for j in row] for i, row in enumerate(order)]


@dataclass(frozen=True)
class Findings:
    """Recall on what was held out."""

    synonyms: Recall
    definitions: Recall


def measure(index: NameIndex, knowledge: Knowledge, held_out: HeldOut) -> Findings:
    """Recall of held-out synonyms and definitions against the names of all structures."""

    def named(texts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(text, knowledge.structures[identifier].name) for text, identifier in texts]

    return Findings(index.recall(named(held_out.synonyms)), index.recall(named(held_out.definitions)))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
