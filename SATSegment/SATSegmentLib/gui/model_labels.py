"""Which labels a model was trained on, where it cannot read others: said before a run, not after a wait."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from pathlib import Path

from SATSegmentLib.anatomy.personal.user_words import is_taught
from SATSegmentLib.models.folder import BANK_FILE, TEXT_FOLDER
from SATSegmentLib.types import Prompt


def unknownTo(folder: str, prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """The prompts that a model has no query for; empty where it reads any words, or cannot be looked into."""
    bank = Path(folder) / BANK_FILE
    if not bank.is_file() or (Path(folder) / TEXT_FOLDER).is_dir():
        return ()
    labels = _labels(str(bank), bank.stat().st_mtime_ns)
    if not labels:
        return ()
    return tuple(one for one in prompts if (one.text.lower(), one.modality) not in labels and not is_taught(one))


@lru_cache(maxsize=8)
def _labels(bank: str, changed: int) -> frozenset[tuple[str, str]]:
    """Read from the head of the file alone: eight bytes of length, then JSON (the safetensors format)."""
    try:
        with open(bank, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            about = json.loads(file.read(min(length, 10_000_000))).get("__metadata__", {})
        return frozenset((text.lower(), modality) for text, modality in json.loads(about["labels"]))
    except (OSError, ValueError, KeyError, struct.error):
        return frozenset()
