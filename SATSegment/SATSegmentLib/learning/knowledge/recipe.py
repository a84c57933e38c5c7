"""Every number of the knowledge pretraining, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnowledgeRecipe:
    """Length, pace and sizes; the defaults are the full-size recipe (Zhao et al. 2023, sections on pretraining).

    Attributes
    ----------
    steps : int
        Optimizer steps.
    batch : int
        Pairs in one step.
    warmup_steps : int
        Linear warm-up; afterwards the rate falls to zero along a cosine.
    learning_rate : float
        Of the language model.
    head_rate : float
        How many times faster the projection learns, which starts from nothing.
    trained_layers : int
        How many of the language model's upper layers learn; 0 is all of them and the word embeddings.
    max_tokens : int
        Longer texts are cut.
    query_dim, projection_dim : int
        Output and hidden width of the projection.
    temperature : float
        Where the learned temperature starts; it is kept between 1/100 and 1.
    kinds : tuple[float, float, float, float]
        Share of the pairs that are name-synonym, name-definition, source and relation-target, name-wording.
    neighbours : float
        Share of a batch that is taken from the other side or the same parent of another pair's structure.
    weight_decay : float
        Of AdamW.
    held_out : float
        Share of the structures of which a synonym, and share of those of which the definition, is kept back.
    save_every : int
        Steps between two checkpoints.
    seed : int
        Of everything that is drawn.
    """

    steps: int = 100_000
    batch: int = 128
    warmup_steps: int = 10_000
    learning_rate: float = 1e-5
    head_rate: float = 10.0
    trained_layers: int = 6
    max_tokens: int = 256
    query_dim: int = 768
    projection_dim: int = 768
    temperature: float = 0.07
    kinds: tuple[float, float, float, float] = (0.4, 0.3, 0.2, 0.1)
    neighbours: float = 0.5
    weight_decay: float = 0.01
    held_out: float = 0.1
    save_every: int = 500
    seed: int = 0


FULL = KnowledgeRecipe()

# A quarter of an hour on one CPU core that is free, with a language model of three layers.
SMALL = KnowledgeRecipe(
    steps=900,
    batch=64,
    warmup_steps=40,
    learning_rate=2e-4,
    head_rate=5.0,
    trained_layers=0,
    max_tokens=32,
    query_dim=192,
    projection_dim=384,
    temperature=0.05,
    kinds=(0.6, 0.18, 0.08, 0.14),
    neighbours=0.4,
    save_every=50,
)
