"""What a step of the pretraining learns from."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from SATSegmentLib.learning.knowledge.contrast import contrastive_loss
from SATSegmentLib.learning.knowledge.encoder import LearningEncoder
from SATSegmentLib.learning.knowledge.pairs import Pairs


class Objective(Protocol):
    """A loss by step number: the same number gives the same loss, whatever came before.

    Attributes
    ----------
    beside : nn.Module
        What is trained beside the text encoder, and thrown away afterwards; empty where there is nothing.
    """

    beside: nn.Module

    def loss(self, encoder: LearningEncoder, step: int, scale: Tensor) -> Tensor:
        """The loss of step `step`; `scale` is 1 / temperature."""

    def shown(self, step: int) -> str:
        """What the step saw, for an error message."""


class TextObjective:
    """The knowledge tree by contrast: name-synonym, name-definition, (source, relation)-target, name-wording."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self.beside: nn.Module = nn.ModuleList()

    def loss(self, encoder: LearningEncoder, step: int, scale: Tensor) -> Tensor:
        """The contrastive loss of the step's pairs."""
        batch = self.pairs.batch(step)
        texts = [*(pair.anchor for pair in batch.pairs), *(pair.candidate for pair in batch.pairs)]
        features = encoder.encode(texts)
        half = len(batch.pairs)
        positive, ignored = (torch.from_numpy(mask).to(encoder.device) for mask in (batch.positive, batch.ignored))
        return contrastive_loss(features[:half], features[half:], positive, ignored, scale)

    def shown(self, step: int) -> str:
        """The first of the step's texts."""
        return "; ".join(pair.anchor[:40] for pair in self.pairs.batch(step).pairs[:3])
