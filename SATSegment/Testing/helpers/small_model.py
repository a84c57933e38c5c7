"""A model folder small enough for a test: one seeded network, queries of a few trained labels."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from helpers.models import write_tiny_checkpoint
from SATSegmentLib.models.folder import BANK_FILE, DESCRIPTION_FILE, ModelDescription, read_description
from SATSegmentLib.sat.checkpoint.convert import convert
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.types import Image

LABELS = [("left hippocampus", "mri"), ("right hippocampus", "mri"), ("brainstem", "mri"), ("liver", "ct")]
QUERY_DIM = 48


def makeModel(folder: Path, window: tuple[int, int, int] = (64, 64, 32), checkpoint: Path | None = None) -> Path:
    """The model folder of a checkpoint, the golden tiny one by default, that is known to know `LABELS`."""
    if checkpoint is not None:
        return _convert(checkpoint, folder, window)
    for name, content in _tiny(window).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / "tiny"


@cache
def _tiny(window: tuple[int, int, int]) -> dict[str, bytes]:
    """Checkpoint and model folder, file by file: dozens of tests want one of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _convert(write_tiny_checkpoint(folder / "tiny.pth"), folder, window)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _convert(checkpoint: Path, folder: Path, window: tuple[int, int, int]) -> Path:
    model = folder / "tiny"
    convert(checkpoint, model, ModelDescription("Tiny", window), released=False)
    queries = np.random.default_rng(3).standard_normal((len(LABELS), QUERY_DIM)).astype(np.float32)
    EmbeddingBank(LABELS, queries, "0" * 64, "test").save(model / BANK_FILE)
    description = dataclasses.replace(read_description(model), text_sha256="0" * 64)
    (model / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    return model


def headLikeImage(size: int = 40) -> Image:
    """A bright, uneven ball on zero, off the centre."""
    k, j, i = np.ogrid[:size, :size, :size]
    ball = (k - 18) ** 2 + (j - 20) ** 2 + (i - 22) ** 2 < 15**2
    noise = np.random.default_rng(1).normal(100, 20, (size, size, size))
    affine = np.array([[-1.5, 0, 0, 30], [0, 1.4, 0, -28], [0, 0, 2.0, -40], [0, 0, 0, 1]])
    return Image(np.where(ball, noise + 3 * k, 0).astype(np.float32), affine)
