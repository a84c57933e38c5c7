"""SAT-Nano as its authors release it, in small: the files, and a server that has them."""

from __future__ import annotations

from pathlib import Path

from models.hub_server import Hub

from helpers.language_models import mpnet_folder, small_keys
from helpers.models import write_tiny_checkpoint
from helpers.seeded import write_released
from SATSegmentLib.models.catalog import catalog

NANO = next(entry for entry in catalog() if entry.name == "sat-nano")


def write_released_files(folder: Path) -> Path:
    """Network, text encoder and tokenizer under the released names."""
    write_tiny_checkpoint(folder / "nano.pth")
    write_released(folder / "nano_text_encoder.pth", small_keys("ours", query_dim=48))
    mpnet_folder(folder / "words", hidden_size=16, num_attention_heads=4)
    return folder


def hub_with(released: Path) -> Hub:
    """A hub with these files where the catalog looks for them."""
    return Hub(
        {
            f"{NANO.repository}/{NANO.network}": (released / "nano.pth").read_bytes(),
            f"{NANO.repository}/{NANO.text_encoder}": (released / "nano_text_encoder.pth").read_bytes(),
            f"{NANO.tokenizer}/config.json": (released / "words" / "config.json").read_bytes(),
            f"{NANO.tokenizer}/vocab.txt": (released / "words" / "vocab.txt").read_bytes(),
        }
    )
