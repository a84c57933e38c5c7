"""Prompts, or query vectors, as a scan pass is asked them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.inference.query import Query
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.types import Prompt


def asked_in_words(
    model: str, spec: Spec, source: QuerySource | None, prompts: Sequence[Prompt], words: Sequence[bytes] | None
) -> list[Query]:
    """The prompts with their query vectors.

    Raises
    ------
    PromptError
        The model has no text side, or does not know a prompt.
    PairMismatch
        The file of a taught word belongs to another model.
    """
    if source is None:
        raise PromptError(
            f"The model {model} has no query vectors for words.", "Convert it again together with its text encoder."
        )
    queries, offsets = source.embed(prompts, words), source.mask_embedding_offsets(prompts, words)
    if any(one is not None and len(one) != spec.channels for one in offsets):
        raise PairMismatch(f"The file of a taught word does not fit the model {model}.", "Teach the word again.")
    return [Query(i, *one) for i, one in enumerate(zip(prompts, queries, offsets, strict=True))]


def checked_vectors(queries: np.ndarray, spec: Spec) -> np.ndarray:
    """Query vectors (N, query_dim) as float32.

    Raises
    ------
    PromptError
        They are not vectors of this model.
    """
    queries = np.asarray(queries, dtype=np.float32)
    dim = spec.query_dim
    if queries.ndim != 2 or not len(queries) or queries.shape[1] != dim or not np.isfinite(queries).all():
        raise PromptError(
            f"Query vectors of the shape {queries.shape} were given; this model takes finite (N, {dim}).",
            "Use vectors that were made with this model's own text encoder.",
        )
    return queries
