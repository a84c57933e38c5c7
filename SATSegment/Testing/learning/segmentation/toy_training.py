"""A problem that is learned in seconds: bright and dark cubes in noise, and something that is never there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from SATSegmentLib.learning.sample import TrainingPrompt, TrainingSample
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.log import LOG_FILE
from SATSegmentLib.learning.segmentation.queries import LabelQueries
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

WINDOW = (8, 8, 8)
ARCHITECTURE = UNetSpec(
    features=(16, 16, 16),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    encoder_convs=(1, 1, 1),
    decoder_convs=(1, 1),
    query_dim=16,
    projection_dim=16,
    decoder_layers=1,
    feedforward_dim=16,
    mask_dim=16,
)
LABELS = [("bright", "mri"), ("dark", "mri"), ("absent", "mri")]


@dataclass(frozen=True)
class Cubes:
    """Windows with a bright and a dark cube.

    Attributes
    ----------
    broken: this sample holds a voxel that is not a number.
    stuck: from this sample on, nothing comes any more.
    """

    broken: int = -1
    stuck: int = 10**9

    def sample(self, number: int) -> TrainingSample:
        if number >= self.stuck:
            time.sleep(60)
        random = torch.Generator().manual_seed(number)
        image = 0.3 * torch.randn(1, *WINDOW, generator=random)
        for value in (2.0, -2.0):
            corner = torch.randint(0, 5, (3,), generator=random).tolist()
            image[(0, *(slice(low, low + 3) for low in corner))] = value
        masks = torch.stack((image[0] > 1.5, image[0] < -1.5, torch.zeros(WINDOW, dtype=torch.bool)))
        if number == self.broken:
            image[0, 0, 0, 0] = torch.nan
        # Not every window asks for the same number of prompts.
        count = 2 + number % 2
        prompts = tuple(TrainingPrompt(text, "mri") for text, _ in LABELS[-count:])
        return TrainingSample(image, masks[-count:], prompts, f"cubes.jsonl:{number + 1}")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The entries of a training's log."""
    return [json.loads(line) for line in (folder / LOG_FILE).read_text(encoding="utf-8").splitlines()]


def settings(**changes) -> Settings:
    """Short and quick."""
    usual = {"steps": 12, "batch_size": 1, "learning_rate": 3e-3, "warmup_steps": 3, "workers": 0}
    usual |= {"validate_every": 1000, "validation_samples": 4, "checkpoint_every": 4}
    return Settings(**{**usual, **changes})


def toy_network(seed: int = 1):
    return new_network(ARCHITECTURE, WINDOW, seed)


def toy_queries() -> LabelQueries:
    return LabelQueries.free(LABELS, ARCHITECTURE.query_dim)


def losses(folder: Path) -> list[float]:
    """The loss curve; each step must be there once, in order."""
    entries = read_log(folder)
    assert [entry["step"] for entry in entries] == list(range(len(entries)))
    return [entry["loss"] for entry in entries]
