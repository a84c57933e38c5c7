"""A small model of the challenge's family, and cases for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers.language_models import mpnet_folder, small_keys
from helpers.models import TINY_WINDOW, write_tiny_checkpoint
from helpers.seeded import write_released
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.sat.checkpoint.convert import convert


def released_pair(folder: Path, network: str = "nano_cvpr25_v0.pth") -> tuple[Path, Path, Path]:
    """Network, text encoder (under the released names) and language model, in small."""
    keys = small_keys("ours", query_dim=48) | {"module.modality_embed.weight": [5, 48]}
    text = write_released(folder / "text_encoder_cvpr25_v0.pth", keys)
    language_model = mpnet_folder(folder / "mpnet", hidden_size=16, num_attention_heads=4)
    return write_tiny_checkpoint(folder / network), text, language_model


def challenge_model(folder: Path) -> Path:
    """A model folder of the family."""
    network, text, language_model = released_pair(folder)
    convert(network, folder / "model", ModelDescription("Tiny challenge", TINY_WINDOW), text, language_model)
    return folder / "model"


def write_case(path: Path, **changes) -> Path:
    """A case as the challenge stores it."""
    content = {
        "imgs": np.random.default_rng(1).integers(0, 256, (20, 30, 40), dtype=np.uint8),
        "spacing": np.array([1.0, 1.0, 2.0]),
        "text_prompts": {"1": "Liver", "3": "Left kidney", "instance_label": 0},
    }
    np.savez_compressed(path, **{key: value for key, value in {**content, **changes}.items() if value is not None})
    return path
