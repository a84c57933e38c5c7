"""How a network is trained; the defaults are the full-size recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from SATSegmentLib.learning.segmentation.errors import ConfigError

Part = Literal["all", "decoder"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Settings:
    """Length, pace and bookkeeping of a training.

    The recipe is SAT's (Zhao et al., "Large-Vocabulary Segmentation for Medical Images with Text Prompts"), with what
    its code really does where that differs from its options: AdamW decays weights by 0.01.

    Attributes
    ----------
    steps : int
        Optimizer steps.
    batch_size : int
        Windows that go through the network together, in each process.
    accumulate : int
        Such batches per optimizer step, in each process.
    learning_rate : float
        At the end of the warm-up.
    warmup_steps : int, optional
        Linear warm-up; a cosine to zero follows. None: a tenth of the steps, as SAT's.
    backbone_lr_multiplier, decoder_lr_multiplier, queries_lr_multiplier : float
        Factors on the learning rate of the backbone;
        of the query decoder with the projections and mask heads; and of the queries' own parameters (modality
        embedding, free query vectors).
    weight_decay : float
        AdamW's.
    max_grad_norm : float
        Longer gradients are cut to this norm. SAT does not cut; this only catches outliers.
    part : Part
        "all", or "decoder": everything but the backbone.
    deep_supervision : bool
        Whether coarser levels of the backbone's decoder are trained to give the masks too.
    dice_smoothing : float
        Added to both sides of the Dice fraction, in voxels. SAT's is as good as nothing, so that a
        structure which is not in the window is left to the cross-entropy; 1 lets Dice push it away, too.
    precision : Precision
        Of the U-Net; "auto" is bfloat16 or float16 on a GPU and float32 on a CPU.
    seed : int
        Decides dropout; with the samples' own seed, everything.
    workers : int
        Processes that make samples; 0 makes them in the training process.
    validate_every, validation_samples : int
        Steps between validations, and windows in each.
    checkpoint_every : int
        Steps between checkpoints.
    """

    steps: int = 200_000
    batch_size: int = 2
    accumulate: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int | None = None
    backbone_lr_multiplier: float = 1.0
    decoder_lr_multiplier: float = 1.0
    queries_lr_multiplier: float = 1.0
    weight_decay: float = 0.01
    max_grad_norm: float = 12.0
    part: Part = "all"
    deep_supervision: bool = True
    dice_smoothing: float = 1e-7
    precision: Precision = "auto"
    seed: int = 0
    workers: int = 4
    validate_every: int = 1000
    validation_samples: int = 100
    checkpoint_every: int = 1000

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        if self.warmup_steps is None:
            object.__setattr__(self, "warmup_steps", self.steps // 10)
        at_least = {
            "steps": 1, "batch_size": 1, "accumulate": 1, "warmup_steps": 0, "workers": 0, "weight_decay": 0,
            "validate_every": 1, "validation_samples": 1, "checkpoint_every": 1, "dice_smoothing": 0, "seed": 0,
            "backbone_lr_multiplier": 0, "decoder_lr_multiplier": 0, "queries_lr_multiplier": 0,
        }  # fmt: skip
        for name, least in at_least.items():
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above zero.")


# Changing one of these between a checkpoint and its continuation does not change what is learned.
FREE_TO_CHANGE = ("workers", "validate_every", "validation_samples", "checkpoint_every", "batch_size", "accumulate")
