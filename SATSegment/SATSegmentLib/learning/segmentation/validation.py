"""How good the network is on windows it does not learn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from SATSegmentLib.learning.segmentation.batches import Batch
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork


@dataclass(frozen=True)
class Found:
    """What the network said to one prompt in one window.

    Attributes
    ----------
    label : str
        "modality, text".
    present : bool
        Whether there was anything to find.
    dice : float
        Of the mask where the probability is above a half; NaN where nothing was to be found.
    predicted : bool
        Whether any voxel was.
    """

    label: str
    present: bool
    dice: float
    predicted: bool


@dataclass(frozen=True)
class Scores:
    """Summary of a validation.

    Attributes
    ----------
    validation_dice : float | None
        Mean over the labels of the mean over the windows that hold them; None where no window holds any.
    false_positive_rate : float | None
        Share of the absent prompts for which any voxel was predicted; None where none was absent.
    labels : dict[str, float]
        Each label's mean Dice.
    """

    validation_dice: float | None
    false_positive_rate: float | None
    labels: dict[str, float]


def judge(model: SupervisedNetwork, batches: Iterable[Batch], device: torch.device) -> list[Found]:
    """Ask the network for everything in the batches. It is left in training mode."""
    model.eval()
    found: list[Found] = []
    with torch.no_grad():
        for batch in batches:
            found += _judge(model, batch.to(device))
    model.train()
    return found


def summarise(found: Iterable[Found]) -> Scores:
    """Merge by label first, so that a common label counts no more than a rare one."""
    by_label: dict[str, list[float]] = defaultdict(list)
    alarms = []
    for one in found:
        if one.present:
            by_label[one.label].append(one.dice)
        else:
            alarms.append(one.predicted)
    labels = {label: sum(values) / len(values) for label, values in sorted(by_label.items())}
    return Scores(
        sum(labels.values()) / len(labels) if labels else None,
        sum(alarms) / len(alarms) if alarms else None,
        labels,
    )


def _judge(model: SupervisedNetwork, batch: Batch) -> list[Found]:
    found = []
    features = model.network.encode(batch.images)
    for row, prompts in enumerate(batch.prompts):
        tokens, voxels = features.tokens[row : row + 1], features.voxels[row : row + 1]
        for start in range(0, len(prompts), 16):
            some = prompts[start : start + 16]
            logits = model.network.decode(type(features)(tokens, voxels), model.queries(some))[0]
            predicted, target = (mask.flatten(1) for mask in (logits > 0, batch.masks[row][start : start + 16]))
            overlap = (predicted & target).sum(1).tolist()
            sizes = zip(predicted.sum(1).tolist(), target.sum(1).tolist(), strict=True)
            for prompt, both, (predicted, wanted) in zip(some, overlap, sizes, strict=True):
                dice = 2 * both / (predicted + wanted) if wanted else float("nan")
                found.append(Found(f"{prompt.modality}, {prompt.text}", wanted > 0, dice, predicted > 0))
    return found
