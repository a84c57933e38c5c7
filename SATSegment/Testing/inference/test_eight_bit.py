"""Image features in eight bits: half the memory, and masks that hardly differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.models import queries, tiny_segmenter
from helpers.seeded import GOLDEN
from SATSegmentLib import Prompt, Segmenter
from SATSegmentLib.cli.demo import dice
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.resources import resource_path
from SATSegmentLib.sat.features import Features
from SATSegmentLib.scans import read_scan


def test_a_feature_is_off_by_half_a_step_of_its_channel_at_most():
    spread = torch.tensor([1e-3, 1.0, 300.0, 0.0]).view(-1, 1, 1, 1)
    voxels = torch.randn(4, 20, 9, 7, generator=torch.Generator().manual_seed(0)) * spread + 5
    small = Features(torch.zeros(1, 1, 1), voxels[None]).quantize()

    step = (voxels.amax(dim=(1, 2, 3)) - voxels.amin(dim=(1, 2, 3))).view(-1, 1, 1, 1) / 255
    assert small.voxels.dtype == torch.uint8
    assert ((small.dequantize()[0] - voxels).abs() <= 0.501 * step + 1e-6).all()


def dice_on(image, a, b) -> float:
    return dice(a.whole_mask(image.array.shape), b.whole_mask(image.array.shape))


@pytest.fixture(scope="module")
def scan():
    return read_scan(GOLDEN / "oblique.nii.gz")


def test_masks_of_random_weights_keep_their_dice(scan):
    # Random weights are the hard case: logits lie close to zero everywhere.
    asked = queries(12)
    exact = tiny_segmenter(precision="float32").segment_queries(scan, asked, "ct")
    small = tiny_segmenter(precision="float32", feature_storage="uint8").segment_queries(scan, asked, "ct")

    assert {(result.precision, result.feature_storage) for result in small} == {("float32", "uint8")}
    assert min(dice_on(scan, a, b) for a, b in zip(exact, small, strict=True)) >= 0.995


def test_masks_of_the_demonstration_model_keep_their_dice():
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    names = ("brain", "brainstem", "left hippocampus", "right putamen", "third ventricle", "left cerebellum")
    prompts = [Prompt(name, "mri") for name in names]
    exact, small = (
        Segmenter.load("demo", device="cpu", precision="float32", feature_storage=storage).segment(head, prompts)
        for storage in ("native", "uint8")
    )

    assert all(result.status == "found" for result in exact)
    assert min(dice_on(head, a, b) for a, b in zip(exact, small, strict=True)) >= 0.995


def test_they_take_a_quarter_of_float32_and_come_back_from_disk_as_they_were(scan):
    sizes, masks = [], []
    for storage, cache in (
        ("native", FeatureCache(1 << 30, 0)),
        ("uint8", FeatureCache(1 << 30, 0)),
        ("uint8", FeatureCache(0, 1 << 30)),
    ):
        segmenter = tiny_segmenter(precision="float32", feature_storage=storage, cache=cache)
        plans = []
        segmenter.segment_queries(scan, queries(2), "ct")
        again = segmenter.segment_queries(scan, queries(2), "ct", on_plan=plans.append)
        sizes.append(cache.memory_used + cache.disk_used)
        masks.append([result.mask for result in again])
        assert plans[0].to_encode == 0
        assert plans[0].feature_bytes == sizes[-1]
        cache.clear()

    assert sizes[0] == 4 * sizes[1] == 4 * sizes[2]
    assert all(np.array_equal(a, b) for a, b in zip(masks[1], masks[2], strict=True))


def test_company_and_memory_do_not_change_them(scan):
    segmenter = tiny_segmenter(feature_storage="uint8", cache=FeatureCache(0, 0))
    together = segmenter.segment_queries(scan, queries(5), "ct")
    segmenter.cache = FeatureCache(1 << 30, 0)
    [alone] = segmenter.segment_queries(scan, queries(5)[3:4], "ct")

    assert np.array_equal(together[3].mask, alone.mask)
