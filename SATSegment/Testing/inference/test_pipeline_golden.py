"""The whole way from a scan to probabilities, equal to the reference."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.models import tiny_segmenter
from helpers.seeded import GOLDEN
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.scans import read_scan


@pytest.fixture(scope="module")
def scan():
    return read_scan(GOLDEN / "oblique.nii.gz")


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "tiny_pipeline.npz")


@pytest.mark.parametrize("modality", ["ct", "mri"])
def test_preprocessed_image_grid_and_windows_match_reference(scan, golden, modality):
    prepared = prepare(scan, modality, "RAS", (1, 1, 3))
    ours = prepared.array[::2, ::2, ::2]
    windows = [
        [edge for part in box for edge in (part.start, part.stop)] for box in cover(prepared.array.shape, (64, 64, 32))
    ]

    assert np.abs(ours - golden[f"{modality}_image"][0].astype(np.float32)).max() <= 2e-3
    assert np.allclose(prepared.grid.ijk_to_ras, golden[f"{modality}_affine"], atol=1e-4)
    assert windows == golden[f"{modality}_windows"].tolist()


@pytest.mark.parametrize("modality", ["ct", "mri"])
def test_masks_match_reference(scan, golden, modality):
    _, maps = tiny_segmenter(precision="float32").probability_maps(scan, golden["queries"], modality)
    probabilities = np.stack(list(maps))
    away = np.abs(probabilities[:, ::3, ::3, ::3] - golden[f"{modality}_prob_sub"].astype(np.float32))
    assert away.mean() <= 2e-4, "the reference is kept in half precision, which is 1.2e-4 away by itself"
    ours = probabilities > 0.5
    theirs = np.unpackbits(golden[f"{modality}_mask_packbits"])[: ours.size].reshape(ours.shape).astype(bool)

    for mine, reference in zip(ours, theirs, strict=True):
        assert 0.01 < reference.mean() < 0.99, "a mask that is empty or full would prove nothing"
        assert dice(mine, reference) >= 0.999


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))
