"""Results without an engine."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.types import PackedMask, Prompt, SegmentResult


def result(text: str, full: np.ndarray, modality: str = "mri", *, trained: bool = True) -> SegmentResult:
    """A result as the engine gives it: cropped, with its offset."""
    places = np.argwhere(full)
    low, high = (places.min(0), places.max(0) + 1) if len(places) else (np.zeros(3, int), np.zeros(3, int))
    mask = full[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return SegmentResult(
        prompt=Prompt(text, modality, trained=trained),
        status="found" if mask.any() else "empty",
        packed=PackedMask.of(mask),
        offset_kji=tuple(int(n) for n in low),
        voxels=int(mask.sum()),
        volume_ml=0.0,
        mean_probability=0.9,
        max_probability=1.0,
        cut_by=(),
        orientation="RAS",
        device="cpu",
        precision="float32",
        seconds=0.0,
    )
