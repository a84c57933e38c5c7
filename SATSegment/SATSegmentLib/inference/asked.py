"""Prompts, or query vectors, as a scan pass is asked them; and those that a model has no answer to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import PairMismatch, PromptError, SATSegmentWarning
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.inference.progress import ResultCallback
from SATSegmentLib.inference.query import Query
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.types import Modality, Orientation, Prompt, SegmentResult

# So many structures that a model does not know are named in a warning; each is a row of the results.
_NAMED = 8


@dataclass(frozen=True)
class Asked:
    """What is asked of a model, and what of it is looked for.

    Attributes
    ----------
    prompts : tuple of Prompt
        All of them.
    known : tuple of Prompt
        Those that the model has an answer to, in the same order.
    """

    prompts: tuple[Prompt, ...]
    known: tuple[Prompt, ...]

    def placed(self, on_result: ResultCallback | None) -> ResultCallback | None:
        """The callback as a run of the known prompts calls it: it gets places among all of them."""
        if on_result is None:
            return None
        return lambda number, result: on_result(self.prompts.index(self.known[number]), result)

    def completed(self, results: Sequence[SegmentResult]) -> list[SegmentResult]:
        """The known prompts' results with one of the status "unknown" for each of the others."""
        # By what was asked for: a result's own prompt has axes and concept of the labels' table.
        found = dict(zip(self.known, results, strict=True))
        return [found.get(one) or _not_looked_for(one, results[0]) for one in self.prompts]


def divided(model: str, prompts: Sequence[Prompt], source: QuerySource | None) -> Asked:
    """Prompts that a model has an answer to, apart from the others; where it knows none, all are tried, and refused.

    Parameters
    ----------
    model : str
        Its name, for the warning.
    prompts : sequence of Prompt
        What is asked.
    source : QuerySource or None
        The model's text side.
    """
    known = tuple(one for one in prompts if source is None or source.answers(one))
    if not known or len(known) == len(prompts):
        return Asked(tuple(prompts), tuple(prompts))
    unknown = [one.text for one in prompts if one not in known]
    named = ", ".join(unknown[:_NAMED]) + (f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else "")
    them = "it" if len(unknown) == 1 else "them"
    warnings.warn(
        f"{model} was not trained on {named}, and did not look for {them}. Choose another model for {them}.",
        SATSegmentWarning,
        stacklevel=4,
    )
    return Asked(tuple(prompts), known)


def _not_looked_for(prompt: Prompt, beside: SegmentResult) -> SegmentResult:
    """Of the run that `beside` is of: whoever describes a run may take any of its results for it."""
    return SegmentResult(
        prompt=prompt,
        status="unknown",
        cropped=CroppedMask(np.zeros(0, np.uint8)),
        voxels=0,
        volume_ml=0.0,
        mean_probability=0.0,
        max_probability=0.0,
        cut_by=(),
        orientation=prompt.orientation,
        device=beside.device,
        precision=beside.precision,
        feature_storage=beside.feature_storage,
        seconds=0.0,
    )


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


def looked_for_together(asks: Sequence[Query]) -> dict[tuple[Modality, Orientation], list[Query]]:
    """The prompts of each modality and training orientation: one pass over the scan each."""
    groups: dict[tuple[Modality, Orientation], list[Query]] = {}
    for ask in asks:
        groups.setdefault((ask.prompt.modality, ask.prompt.orientation), []).append(ask)
    return groups


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
