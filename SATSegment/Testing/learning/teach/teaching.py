"""Small things to teach with: a model that loads in no time, and balls to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers.small_model import headLikeImage, makeModel
from SATSegmentLib.anatomy.personal.user_words import WordRecord, word_path
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.sat.text.taught_words import WordVectors, word_content
from SATSegmentLib.types import Example, Image

NAME = "my implant"
DIM, CHANNELS = 48, 8


def small_segmenter(folder: Path) -> Segmenter:
    """The golden tiny network, with a few labels."""
    return Segmenter.load(makeModel(folder), device="cpu", precision="float32", cache=FeatureCache(1 << 30, 0))


def ball_example(shift: int = 0) -> Example:
    """A bright, uneven ball on zero, somewhere else for each shift; the random network's features tell it well."""
    k, j, i = np.ogrid[:40, :40, :40]
    mask = np.asarray((k - 18 - shift) ** 2 + (j - 20) ** 2 + (i - 22 + shift) ** 2 < 14**2)
    noise = np.random.default_rng(shift).normal(100, 20, mask.shape)
    return Example(Image(np.where(mask, noise + 3 * k, 0).astype(np.float32), headLikeImage().ijk_to_ras), mask)


def word_record(name: str = NAME, modality: str = "mri", model_sha256: str = "a" * 64, **changes) -> WordRecord:
    fields = {
        "name": name,
        "modality": modality,
        "orientation": "RAS",
        "model": "Tiny",
        "model_sha256": model_sha256,
        "taught": "2026-01-02T03:04:05+00:00",
        "scans": ("b" * 64,),
        "dice": (0.8,),
    }
    return WordRecord(**{**fields, **changes})


def put_word(folder: Path, seed: int = 0, **changes) -> Path:
    """A word with random vectors, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    vectors = WordVectors(*(random.standard_normal(size).astype(np.float32) for size in (DIM, CHANNELS)))
    record = word_record(**changes)
    # Not `save_word`, which refuses a header that makes no sense.
    path = word_path(record, folder)
    path.write_bytes(word_content(record, vectors))
    return path
