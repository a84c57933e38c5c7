"""What a pass over a scan is asked, what its results are to hold, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.windows import WindowChoice
from SATSegmentLib.types import Prompt, check_threshold


@dataclass(frozen=True)
class Output:
    """What results hold, and from which windows they are made.

    Attributes
    ----------
    threshold : float
        A voxel belongs to a mask where its probability exceeds this.
    keep_probabilities : bool
        Whether the probability on the scan's grid is kept beside the mask. The network is then asked wherever it can
        be above zero, as far as windows are looked at.
    windows : WindowChoice
        How the scan is covered with windows, and which of them are looked at.

    Raises
    ------
    PromptError
        The threshold is no probability.
    """

    threshold: float
    keep_probabilities: bool = False
    windows: WindowChoice = field(default_factory=WindowChoice)

    def __post_init__(self) -> None:
        check_threshold(self.threshold)


@dataclass(frozen=True, eq=False)
class Query:
    """One prompt, its query vector, and its place in the caller's list.

    Attributes
    ----------
    mask_embedding_offset : np.ndarray | None
        (C,) added to the query's mask embedding, for a word that a user taught; None for all others.
    """

    index: int
    prompt: Prompt
    query: np.ndarray
    mask_embedding_offset: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Response:
    """One prompt's blended probability where it can exceed the threshold.

    Attributes
    ----------
    ask : Query
        The prompt.
    part : Box | None
        Box of the network's grid that `probability` covers; None where no voxel can exceed the threshold.
    probability : np.ndarray
        float32, on `part`; zero in parts of it where neither a voxel nor a neighbour can exceed the threshold.
    highest : float
        The highest probability that any window gave where it counts.
    windows : int
        How many were looked at for it.
    seconds : float
        Spent on this prompt alone.
    """

    ask: Query
    part: Box | None
    probability: np.ndarray
    highest: float
    windows: int
    seconds: float
