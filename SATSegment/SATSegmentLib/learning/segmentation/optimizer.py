"""AdamW over the trained parts, each at its own pace, and the learning rate's course."""

from __future__ import annotations

import torch
from torch import nn

from SATSegmentLib.learning.schedule import warmed_cosine
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork


def make_optimizer(model: SupervisedNetwork, settings: Settings) -> torch.optim.AdamW:
    """AdamW; each parameter group has its part's `lr_multiplier`."""
    backbone = list(model.network.backbone.parameters())
    queries = list(model.queries.parameters())
    others = {id(parameter) for parameter in (*backbone, *queries)}
    decoder = [parameter for parameter in model.parameters() if id(parameter) not in others]
    decay = settings.weight_decay
    # Queries do not decay: a modality or label that is not in the data must stay what it was.
    parts = (
        (backbone, settings.backbone_lr_multiplier, decay),
        (decoder, settings.decoder_lr_multiplier, decay),
        (queries, settings.queries_lr_multiplier, 0),
    )
    groups = [
        {"params": trained, "lr_multiplier": multiplier, "weight_decay": share}
        for part, multiplier, share in parts
        if (trained := _trained(part))
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), eps=1e-8, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, settings: Settings) -> float:
    """Set the rates for a step, counted from 0; returns the one without a part's multiplier."""
    rate = learning_rate(step, settings)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_multiplier"]
    return rate


def learning_rate(step: int, settings: Settings) -> float:
    """Linear warm-up, then a cosine to zero."""
    return warmed_cosine(step, settings.steps, settings.warmup_steps or 0, settings.learning_rate)


def _trained(parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]
