"""The training loop: one window at a time, resumable, the same for the same seed."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from augment import random_head
from heads import OUTSIDE_BRAIN, Head
from loss import segmentation_loss
from recipe import ARCHITECTURE, SEED, SPACING_MM, WINDOW, Schedule
from structures import membership
from torch import Tensor, nn

from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.windows import pad_to_window
from SATSegmentLib.sat.network import Features, SATNetwork
from SATSegmentLib.types import Image

# Seeds of the validation heads; the training never reaches them.
_VALIDATION_SEED = 10**9
_VALIDATION_HEADS = 4


class PromptedNetwork(nn.Module):
    """The network and the queries it is trained together with, one per structure.

    Plain classifiers of SAMSEG's labels on each level of the U-Net's decoder are trained beside them (deep
    supervision) and then thrown away: they teach the U-Net what tissue a voxel is, and where it lies, long before the
    queries, each of which sees few voxels of its own, could.
    """

    def __init__(self, structure_count: int, label_count: int) -> None:
        super().__init__()
        self.network = SATNetwork(ARCHITECTURE, WINDOW)
        self.queries = nn.Parameter(torch.randn(structure_count, ARCHITECTURE.query_dim))
        # Mask embeddings pass a GELU, so they reach -0.17 at the least: most voxels being background, logits must
        # start from large features, or the first thousand steps are spent on growing them.
        decoder = self.network.backbone.decoder
        finest = decoder.stages[-1].convs[-1].norm
        nn.init.constant_(finest.weight, 4.0)
        nn.init.constant_(finest.bias, 2.0)
        nn.init.constant_(self.network.mask_embed_proj[2].bias, -0.3)
        self.classifiers = nn.ModuleList(nn.Conv3d(width, label_count, 1) for width in ARCHITECTURE.features[-2::-1])
        self._levels: list[Tensor] = []
        for stage in decoder.stages[:-1]:
            stage.convs[-1].register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._levels.append(output)

    def forward(self, window: Tensor, chosen: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (1, N, X, Y, Z) of the chosen structures, and each level's (1, labels, ...), coarsest first.

        The finest is classified at every other voxel, which is as good and costs an eighth; in evaluation mode none is.
        """
        self._levels.clear()
        with torch.autocast("cpu", torch.bfloat16):
            features = self.network.encode(window)
        features = Features(tokens=features.tokens.float(), voxels=features.voxels.float())
        logits = self.network.decode(features, self.queries[chosen])
        if not self.training:
            return logits, []
        levels = [*self._levels, features.voxels[..., ::2, ::2, ::2]]
        classes = [head(level.float()) for head, level in zip(self.classifiers, levels, strict=True)]
        return logits, classes


def fit(heads: list[Head], schedule: Schedule, folder: Path) -> PromptedNetwork:
    """Train, or go on where `folder` left off; the log is `folder/log.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    contains = torch.from_numpy(membership(heads[0].labels))
    model = PromptedNetwork(len(contains), len(heads[0].labels))
    weights = label_weights(heads)
    model.network.backbone.to(memory_format=torch.channels_last_3d)
    # The query decoder, a transformer, does not bear the pace that suits convolutions between instance norms.
    slow = [*model.network.transformer_decoder.parameters(), *model.network.projection_layer.parameters()]
    slow += [*model.network.mask_embed_proj.parameters(), model.queries]
    fast = [*model.network.backbone.parameters(), *model.classifiers.parameters()]
    groups = [{"params": slow, "pace": 1.0}, {"params": fast, "pace": schedule.convolution_pace}]
    optimizer = torch.optim.AdamW(groups, weight_decay=schedule.weight_decay)
    checkpoint = folder / "checkpoint.pt"
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        _drop_later_entries(folder / "log.jsonl", first)
    windows: list[tuple[Tensor, Tensor]] = []
    start = time.monotonic()
    with (folder / "log.jsonl").open("a") as log:
        for step in range(first, schedule.steps):
            part = step % schedule.windows_per_head
            if part == 0 or not windows:
                windows = random_windows(heads, SEED + step // schedule.windows_per_head, schedule.windows_per_head)
            torch.manual_seed(SEED + step)  # dropout and the choice of structures
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, schedule) * group["pace"]
            chosen = torch.randperm(len(contains))[: schedule.queries_per_step]
            window, codes = windows[part]
            model.train()
            logits, classes = model(window, chosen)
            loss = segmentation_loss(logits, contains[chosen][:, codes][None].float())
            auxiliary = deep_supervision(classes, codes, weights)
            if not torch.isfinite(loss):
                raise RuntimeError(f"The loss is {loss.item()} at step {step}.")
            optimizer.zero_grad()
            (loss + auxiliary).backward()
            nn.utils.clip_grad_norm_(model.parameters(), schedule.gradient_norm)
            optimizer.step()
            entry = {"step": step, "loss": round(loss.item(), 5), "auxiliary": round(auxiliary.item(), 5)}
            entry["seconds"] = round(time.monotonic() - start, 1)
            if (step + 1) % 100 == 0:
                entry["validation_dice"] = round(float(np.nanmean(validate(model, heads))), 4)
                save = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
                torch.save(save, checkpoint.with_suffix(".part"))
                checkpoint.with_suffix(".part").replace(checkpoint)
            log.write(json.dumps(entry) + "\n")
            if (step + 1) % 10 == 0:
                log.flush()
    return model


def _drop_later_entries(log: Path, first: int) -> None:
    """Steps after the checkpoint are run again, so their lines go."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    log.write_text("".join(line for line in lines if json.loads(line)["step"] < first))


def deep_supervision(levels: list[Tensor], codes: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of all levels' classifiers, each with the labels at its own resolution."""
    losses = []
    for logits in levels:
        step = codes.shape[0] // logits.shape[2]
        own = codes[::step, ::step, ::step]
        losses.append(F.cross_entropy(logits, own[None], weights))
    return torch.stack(losses).mean()


def label_weights(heads: list[Head]) -> Tensor:
    """(labels,) weight of each label in the classifier's loss: rarer ones count more, by the root of their rarity."""
    counts = sum(np.bincount(head.codes.ravel(), minlength=len(head.labels)) / head.codes.size for head in heads)
    weights = np.maximum(counts / len(heads), 1e-5) ** -0.5
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def learning_rate(step: int, schedule: Schedule) -> float:
    """Linear warm-up, constant, then a cosine to zero."""
    warm = min((step + 1) / schedule.warmup_steps, 1.0)
    decayed = max(step - (schedule.steps - schedule.decay_steps), 0) / schedule.decay_steps
    return schedule.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * decayed))


def random_windows(heads: list[Head], seed: int, count: int) -> list[tuple[Tensor, Tensor]]:
    """Windows (1, 1, X, Y, Z) of one random head, prepared as the engine does it, and their label codes (X, Y, Z)."""
    chance = np.random.default_rng(seed)
    head = heads[int(chance.integers(len(heads)))]
    image, codes = random_head(head, seed, SPACING_MM)
    scan = prepare(Image(image.transpose(2, 1, 0), np.diag([*SPACING_MM, 1.0])), "mri", "RAS", SPACING_MM)
    corner = [round(axis.start) for axis in scan.grid.axes]
    codes = codes[tuple(slice(low, low + size) for low, size in zip(corner, scan.grid.shape, strict=True))]
    brain = ~np.isin(head.labels, OUTSIDE_BRAIN)
    windows = []
    for _ in range(count):
        last = [max(size - side, 0) for size, side in zip(scan.array.shape, WINDOW, strict=True)]
        starts = [int(chance.integers(end + 1)) for end in last]
        if chance.random() < 0.7:  # around the brain; else anywhere, so that faces and necks are seen too
            middle = [axis.mean() for axis in np.nonzero(brain[codes])]
            starts = [
                int(np.clip(round(centre - side / 2 + chance.normal(0, 4)), 0, end))
                for centre, side, end in zip(middle, WINDOW, last, strict=True)
            ]
        box = tuple(slice(low, low + side) for low, side in zip(starts, WINDOW, strict=True))
        window = torch.from_numpy(pad_to_window(scan.array[box], WINDOW))[None, None]
        windows.append((window, torch.from_numpy(pad_to_window(codes[box], WINDOW))))
    return windows


@torch.no_grad()
def validate(model: PromptedNetwork, heads: list[Head]) -> np.ndarray:
    """(structures,) mean Dice on random heads of a seed range of their own; NaN where a structure never occurs."""
    model.eval()
    contains = torch.from_numpy(membership(heads[0].labels))
    scores = []
    for number in range(_VALIDATION_HEADS):
        window, codes = random_windows(heads, _VALIDATION_SEED + number, 1)[0]
        predicted = model(window, torch.arange(len(contains)))[0][0] > 0
        target = contains[:, codes]
        size = (predicted.sum((1, 2, 3)) + target.sum((1, 2, 3))).numpy().astype(float)
        overlap = 2 * (predicted & target).sum((1, 2, 3)).numpy()
        present = target.sum((1, 2, 3)).numpy() > 0
        scores.append(np.where(present, overlap / np.maximum(size, 1), np.nan))
    return np.nanmean(scores, axis=0)
