"""The backbone's first training: plain classification of SAMSEG's labels, and one fixed mask embedding per structure.

A query sees few voxels of its own, a classifier sees all labels in each step: so the backbone learns what tissue a
voxel is, and where it lies, several times faster than through prompts. The mask embeddings are what the query decoder
will have to make out of words later: they draw the finest features into the form it needs. Classifiers and embeddings
are thrown away afterwards; the prompted training (SATSegmentLib.learning) goes on from this backbone.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from heads import Head
from loss import segmentation_loss
from recipe import ARCHITECTURE, SEED, WINDOW, TissueSchedule
from structures import membership
from torch import Tensor, nn
from windows import VALIDATION_SEED, LabelledWindow, random_windows

from SATSegmentLib.learning.segmentation.loss import prompt_losses
from SATSegmentLib.sat.backbone import Backbone, Spec
from SATSegmentLib.sat.backbones.umamba.module import UMamba
from SATSegmentLib.sat.backbones.unet.module import UNet
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.network import SATNetwork

_VALIDATION_HEADS = 6
_GELU_LEAST = -0.75  # where a GELU is least


class TissueNetwork(nn.Module):
    """The network's image encoder, a classifier of labels on each level of its decoder, and a mask per structure."""

    def __init__(self, label_count: int, structure_count: int, architecture: Spec = ARCHITECTURE) -> None:
        super().__init__()
        self.network = SATNetwork(architecture, WINDOW)
        if not isinstance(architecture, UNetSpec):
            self.network.backbone.init_weights()
        # Mask embeddings pass a GELU, so they reach -0.17 at the least, and a voxel that belongs to another structure
        # can only be told by such a small weight: the features it meets must be large from the start.
        drawn = torch.randn(structure_count, architecture.channels)
        finest = finest_norm(self.network.backbone)
        if finest is not None:
            nn.init.constant_(finest.weight, 20.0)
            nn.init.constant_(finest.bias, 10.0)
            self._pace, start = 1.0, drawn * 0.1 - 0.06
        else:
            # Features that no norm can enlarge stay near 1. So a structure is found by a few large weights, and these
            # have to be there at the start, one in eight: from small ones each step leads to the least weight for all
            # structures alike, where no feature gets a gradient to stand for one of them.
            self._pace, large = 3.0, torch.rand_like(drawn) < 1 / 8
            start = torch.where(large, 1.0 + 0.3 * drawn, -0.6 + 0.1 * drawn) / self._pace
        self._large_features = finest is not None
        self.embeddings = nn.Parameter(start)
        widths = [width for width, _ in reversed(architecture.supervised_levels)]
        self.classifiers = nn.ModuleList(nn.Conv3d(width, label_count, 1) for width in (*widths, architecture.channels))
        nn.init.normal_(self.classifiers[-1].weight, std=0.01)

    def forward(self, window: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (structures, X, Y, Z), and each level's (1, labels, ...), coarsest first; none in evaluation mode.

        The finest level is classified at every other voxel, which is as good and costs an eighth.
        """
        if not self.training:
            return self._logits(self.network.backbone(window)[1]), []
        _, maps = self.network.backbone.supervised_maps(window, len(self.classifiers))
        levels = [*maps[:0:-1], maps[0][..., ::2, ::2, ::2]]
        return self._logits(maps[0]), [
            classify(level) for classify, level in zip(self.classifiers, levels, strict=True)
        ]

    def structure_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean over the structures of BCE + Dice; logits and target (structures, X, Y, Z) float32.

        Logits of small features stay near zero in the background, too. Dice with squares makes little of that.
        """
        if self._large_features:
            return segmentation_loss(logits[None], target[None])
        return prompt_losses(logits.flatten(1), target.flatten(1), 1.0).mean()

    def keep_slope(self) -> None:
        """Hold the embeddings where the GELU rises; below, a step towards a larger weight makes it smaller."""
        with torch.no_grad():
            self.embeddings.clamp_(min=_GELU_LEAST / self._pace)

    def _logits(self, finest: Tensor) -> Tensor:
        return torch.einsum("nc,cxyz->nxyz", F.gelu(self._pace * self.embeddings), finest[0])


def finest_norm(backbone: Backbone) -> nn.Module | None:
    """The norm that makes the finest map, where it has weights; SwinUNETR's have none."""
    if isinstance(backbone, UNet):
        return backbone.decoder.stages[-1].convs[-1].norm
    if isinstance(backbone, UMamba):
        return backbone.decoder.stages[-1].block.conv2.norm
    return None


class _Windows(torch.utils.data.Dataset):
    """Windows by step: the same step gives the same window, whoever asks."""

    def __init__(self, heads: list[Head], first: int, schedule: TissueSchedule) -> None:
        self.heads, self.schedule = heads, schedule
        self.first = first // schedule.windows_per_head

    def __len__(self) -> int:
        return -(-self.schedule.steps // self.schedule.windows_per_head) - self.first

    def __getitem__(self, number: int) -> list[LabelledWindow]:
        return random_windows(self.heads, SEED + self.first + number, self.schedule.windows_per_head)


def fit_tissue(
    heads: list[Head], schedule: TissueSchedule, folder: Path, architecture: Spec = ARCHITECTURE
) -> TissueNetwork:
    """Train, or go on where `folder` left off; the log is `folder/tissue.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    contains = torch.from_numpy(membership(heads[0].labels))
    model = TissueNetwork(len(heads[0].labels), len(contains), architecture)
    learned = [*model.network.backbone.parameters(), *model.classifiers.parameters(), model.embeddings]
    optimizer = torch.optim.AdamW(learned, weight_decay=schedule.weight_decay)
    checkpoint, first = folder / "tissue.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    weights = label_weights(heads)
    loader = torch.utils.data.DataLoader(
        _Windows(heads, first, schedule), batch_size=None, num_workers=1, prefetch_factor=4, worker_init_fn=_one_thread
    )
    windows = (window for group in loader for window in group)
    start = time.monotonic()
    with (folder / "tissue.jsonl").open("a") as log:
        for step in range(first, schedule.steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, schedule)
            model.train()
            window = next(windows)
            logits, levels = model(window.image[None])
            structures = model.structure_loss(logits, contains[:, window.shares].float())
            loss = structures + tissue_loss(levels, window.shares, weights)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned, schedule.max_grad_norm)
            optimizer.step()
            model.keep_slope()
            entry = {"step": step, "loss": round(structures.item(), 5), "both": round(loss.item(), 5)}
            entry["seconds"] = round(time.monotonic() - start, 1)
            if (step + 1) % schedule.validate_every == 0:
                entry["validation_dice"] = round(float(np.nanmean(validate(model, heads))), 4)
                save = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
                torch.save(save, checkpoint.with_suffix(".part"))
                checkpoint.with_suffix(".part").replace(checkpoint)
            log.write(json.dumps(entry) + "\n")
            if (step + 1) % 10 == 0:
                log.flush()
    return model


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def tissue_loss(levels: list[Tensor], codes: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy + soft Dice, halved from level to coarser level; each with the labels at its own resolution."""
    losses, total = [], 0.0
    for depth, logits in enumerate(reversed(levels)):
        step = codes.shape[0] // logits.shape[2]
        own = codes[::step, ::step, ::step]  # where the strided convolutions are centred
        share = 0.5**depth
        losses.append(share * (F.cross_entropy(logits, own[None], weights) + _dice_loss(logits[0], own)))
        total += share
    return torch.stack(losses).sum() / total


def _dice_loss(logits: Tensor, codes: Tensor) -> Tensor:
    """1 - soft Dice, mean over the labels that occur, but the first (air)."""
    probability = torch.softmax(logits, 0).flatten(1)
    sizes = torch.bincount(codes.flatten(), minlength=len(logits)).float()
    own = probability.gather(0, codes.flatten()[None])[0]
    overlap = torch.zeros(len(logits)).index_add(0, codes.flatten(), own)
    dice = (2 * overlap + 1) / (probability.sum(1) + sizes + 1)
    present = sizes > 0
    present[0] = False
    return (1 - dice[present]).mean() if present.any() else probability.sum() * 0


def label_weights(heads: list[Head]) -> Tensor:
    """(labels,) weight of each label in the cross-entropy: rarer ones count more, by the root of their rarity."""
    counts = sum(np.bincount(head.codes.ravel(), minlength=len(head.labels)) / head.codes.size for head in heads)
    weights = np.maximum(counts / len(heads), 1e-4) ** -0.5
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def learning_rate(step: int, schedule: TissueSchedule) -> float:
    """Linear warm-up, constant, then a cosine to a twentieth."""
    warm = min((step + 1) / schedule.warmup_steps, 1.0)
    decayed = max(step - (schedule.steps - schedule.decay_steps), 0) / schedule.decay_steps
    return schedule.learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * decayed)))


@torch.no_grad()
def validate(model: TissueNetwork, heads: list[Head]) -> np.ndarray:
    """(structures,) mean Dice on random heads of a seed range of their own; NaN where a structure never occurs."""
    model.eval()
    contains = torch.from_numpy(membership(heads[0].labels))
    scores = []
    for number in range(_VALIDATION_HEADS):
        window = random_windows(heads, VALIDATION_SEED + number, 1)[0]
        predicted = model(window.image[None])[0] > 0
        target = contains[:, window.centres]
        size = (predicted.sum((1, 2, 3)) + target.sum((1, 2, 3))).numpy().astype(float)
        overlap = 2 * (predicted & target).sum((1, 2, 3)).numpy()
        present = target.sum((1, 2, 3)).numpy() > 0
        scores.append(np.where(present, overlap / np.maximum(size, 1), np.nan))
    return np.nanmean(scores, axis=0)
