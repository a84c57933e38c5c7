"""Names and modalities against what they look like: the second part of the pretraining.

A U-Net's features, averaged over a structure's mask, are that structure's appearance. The text's features plus the
modality's vector shall be near to it (Zhao et al. 2023, "knowledge injection" by image and text pairs).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from SATSegmentLib.learning.knowledge.contrast import contrastive_loss
from SATSegmentLib.learning.knowledge.encoder import LearningEncoder
from SATSegmentLib.learning.knowledge.objective import Objective
from SATSegmentLib.learning.sample import Samples, TrainingPrompt
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.text.checkpoint import MODALITY_ROWS

# Windows that are looked at in search of the first structure, before a step does without images.
_PATIENCE = 8


class RegionTower(nn.Module):
    """Windows and masks to region features, as long as a query.

    Parameters
    ----------
    network : SATNetwork
        Its U-Net and the projection behind it look at the window; the query decoder is not used.
    query_dim : int
        Of the text encoder.
    """

    def __init__(self, network: SATNetwork, query_dim: int) -> None:
        super().__init__()
        self.network = network
        width = network.architecture.channels + network.architecture.query_dim
        self.projection = nn.Sequential(nn.Linear(width, query_dim), nn.GELU(), nn.Linear(query_dim, query_dim))
        # What the loss never reaches must not sit in the optimizer.
        network.transformer_decoder.requires_grad_(False)
        network.mask_embed_proj.requires_grad_(False)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        """Region features, shape (N, query_dim).

        Parameters
        ----------
        image : Tensor
            (1, X, Y, Z) float32, one window.
        masks : Tensor
            (N, X, Y, Z) bool, none of them empty.
        """
        features = self.network.encode(image[None])
        weights = masks.to(features.voxels.dtype)
        fine = _mean(weights.flatten(1), features.voxels[0].flatten(1).T)
        # The coarse tokens know the surroundings: left and right look alike close up.
        cells = F.avg_pool3d(weights[:, None], self.network.architecture.downsampling)
        coarse = _mean(cells.flatten(1), features.tokens[0])
        return self.projection(torch.cat((fine, coarse), dim=1))


class RegionObjective:
    """Texts against texts as before, so that nothing is forgotten, and texts against regions.

    Parameters
    ----------
    texts : Objective
        The first part's objective.
    samples : Samples
        Windows with masks and prompts.
    tower : RegionTower
        Sees the windows; trained along.
    windows : int, optional
        Of one step.
    regions : int, optional
        At most this many structures of one step.
    """

    def __init__(
        self, texts: Objective, samples: Samples, tower: RegionTower, windows: int = 4, regions: int = 64
    ) -> None:
        self.texts, self.samples, self.windows, self.regions = texts, samples, windows, regions
        self.beside: nn.Module = tower

    def loss(self, encoder: LearningEncoder, step: int, scale: Tensor) -> Tensor:
        """The texts' loss plus that of the step's regions."""
        loss = self.texts.loss(encoder, step, scale)
        prompts, regions = self._regions(step, encoder.device)
        if len(prompts) < 2:
            return loss
        rows = torch.tensor([MODALITY_ROWS[prompt.modality] for prompt in prompts], device=encoder.device)
        queries = encoder.encode([prompt.text for prompt in prompts]) + encoder.module.modality_vectors(rows)
        same_text = torch.tensor([[a.text == b.text for b in prompts] for a in prompts], device=encoder.device)
        same = same_text & (rows[:, None] == rows)
        # The same structure in another modality is neither right nor a wrong answer worth teaching.
        return loss + contrastive_loss(queries, regions, same, same_text & ~same, scale)

    def shown(self, step: int) -> str:
        """The step's windows."""
        return f"windows {self._first(step)} and following; {self.texts.shown(step)}"

    def _first(self, step: int) -> int:
        return step * (self.windows + _PATIENCE)

    def _regions(self, step: int, device: torch.device) -> tuple[list[TrainingPrompt], Tensor]:
        """The structures that the step's windows show, and their features."""
        prompts: list[TrainingPrompt] = []
        features: list[Tensor] = []
        for number in range(self._first(step), self._first(step) + self.windows + _PATIENCE):
            sample = self.samples.sample(number)
            shown = sample.masks.flatten(1).any(1).nonzero()[:, 0].tolist()[: self.regions - len(prompts)]
            if shown:
                prompts += [sample.prompts[row] for row in shown]
                features.append(self.beside(sample.image.to(device), sample.masks[shown].to(device)))
            if len(features) == self.windows or len(prompts) == self.regions:
                break
        return prompts, torch.cat(features) if features else torch.empty(0)


def _mean(weights: Tensor, values: Tensor) -> Tensor:
    """(N, D) means of values (V, D) under weights (N, V)."""
    return weights @ values / weights.sum(1, keepdim=True).clamp(min=1e-6)
