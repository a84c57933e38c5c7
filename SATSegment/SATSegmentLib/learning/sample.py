"""What a training step sees; made by the data side, used by the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from SATSegmentLib.types import Modality


@dataclass(frozen=True)
class TrainingPrompt:
    """A text and the modality it is asked in, as the text encoder embeds them."""

    text: str
    modality: Modality


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One window and what is to be found in it.

    Attributes
    ----------
    image : Tensor
        (1, X, Y, Z) float32, preprocessed as `inference.preprocess.prepare` does it, padded to the window.
    masks : Tensor
        (N, X, Y, Z) bool, one per prompt; all false where the structure was annotated but lies outside.
    prompts : tuple[TrainingPrompt, ...]
        N prompts.
    source : str
        File and line of the record, for errors; never a patient's name.
    """

    image: Tensor
    masks: Tensor
    prompts: tuple[TrainingPrompt, ...]
    source: str


class Samples(Protocol):
    """Random windows by number: the same number gives the same sample, in any process, in any order."""

    def sample(self, number: int) -> TrainingSample:
        """The sample of that number, from 0."""
