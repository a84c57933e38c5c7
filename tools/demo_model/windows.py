"""Random windows of random heads: what both trainings see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from augment import random_head
from heads import OUTSIDE_BRAIN, Head
from recipe import SPACING_MM, WINDOW
from torch import Tensor

from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.windows import pad_to_window
from SATSegmentLib.types import Image

# Seeds of the validation heads; the training never reaches them.
VALIDATION_SEED = 10**9


@dataclass(frozen=True, eq=False)
class LabelledWindow:
    """A window as the network sees it.

    Attributes
    ----------
    image: (1, X, Y, Z) float32, prepared as the engine does it.
    centres: (X, Y, Z) int64, label codes at the voxels' centres.
    shares: (X, Y, Z) int64, label codes at a random point of each voxel (see `augment.random_head`).
    """

    image: Tensor
    centres: Tensor
    shares: Tensor


def random_windows(heads: list[Head], seed: int, count: int) -> list[LabelledWindow]:
    """Windows of one random head."""
    chance = np.random.default_rng(seed)
    head = heads[int(chance.integers(len(heads)))]
    image, *codes = random_head(head, seed, SPACING_MM)
    scan = prepare(Image(image.transpose(2, 1, 0), np.diag([*SPACING_MM, 1.0])), "mri", "RAS", SPACING_MM)
    corner = [round(axis.start) for axis in scan.grid.axes]
    crop = tuple(slice(low, low + size) for low, size in zip(corner, scan.grid.shape, strict=True))
    codes = [each[crop] for each in codes]
    brain = ~np.isin(head.labels, OUTSIDE_BRAIN)[codes[0]]
    windows = []
    for _ in range(count):
        box = _window_box(scan.array.shape, brain, chance)
        parts = [torch.from_numpy(pad_to_window(each[box], WINDOW)) for each in (scan.array, *codes)]
        windows.append(LabelledWindow(parts[0][None].float(), parts[1], parts[2]))
    return windows


def _window_box(shape: tuple[int, ...], brain: np.ndarray, chance: np.random.Generator) -> tuple[slice, ...]:
    """Mostly around the brain; else anywhere, so that faces and necks are seen too."""
    last = [max(size - side, 0) for size, side in zip(shape, WINDOW, strict=True)]
    starts = [int(chance.integers(end + 1)) for end in last]
    if chance.random() < 0.7 and brain.any():
        middle = [axis.mean() for axis in np.nonzero(brain)]
        starts = [
            int(np.clip(round(centre - side / 2 + chance.normal(0, 4)), 0, end))
            for centre, side, end in zip(middle, WINDOW, last, strict=True)
        ]
    return tuple(slice(low, low + side) for low, side in zip(starts, WINDOW, strict=True))
