"""Results without an engine."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.types import Prompt, SegmentResult


def result(text: str, full: np.ndarray, modality: str = "mri", *, trained: bool = True) -> SegmentResult:
    """A result as the engine gives it: cropped, with its offset."""
    return SegmentResult(
        prompt=Prompt(text, modality, trained=trained),
        status="found" if full.any() else "empty",
        cropped=CroppedMask.from_array(full),
        voxels=int(full.sum()),
        volume_ml=0.0,
        mean_probability=0.9,
        max_probability=1.0,
        cut_by=(),
        orientation="RAS",
        device="cpu",
        precision="float32",
        seconds=0.0,
    )
