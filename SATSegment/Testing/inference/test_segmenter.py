"""What a caller of the segmenter can rely on."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import torch

from helpers.models import identity_segmenter, queries, tiny_segmenter
from helpers.seeded import GOLDEN
from SATSegmentLib import Image, Prompt
from SATSegmentLib.errors import (
    Cancelled,
    DeviceError,
    OutOfMemory,
    PromptError,
    SATSegmentWarning,
    ScanDamaged,
    ScanError,
)
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.inference import plan
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.checks import refuse_label_map, warn_about_modality
from SATSegmentLib.inference.device import choose_device, choose_precision
from SATSegmentLib.scans import read_scan


@pytest.fixture(scope="module")
def scan():
    return read_scan(GOLDEN / "oblique.nii.gz")


@pytest.fixture(scope="module")
def segmenter():
    return tiny_segmenter()


def same(a, b) -> bool:
    return (
        a.status == b.status
        and a.cropped.box == b.cropped.box
        and np.array_equal(a.mask, b.mask)
        and a.max_probability == pytest.approx(b.max_probability, abs=1e-5)
    )


@pytest.mark.parametrize(("block_bytes", "cache_bytes"), [(1, 0), (1, 1 << 30), (2_000_000, 1 << 30)])
def test_masks_do_not_depend_on_block_size_cache_order_or_company(
    scan, segmenter, monkeypatch, block_bytes, cache_bytes
):
    asked = queries(4)
    together = segmenter.segment_queries(scan, asked, "ct")

    monkeypatch.setattr(plan, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(segmenter, "cache", FeatureCache(cache_bytes, 0))
    backwards = segmenter.segment_queries(scan, asked[::-1], "ct")
    alone = segmenter.segment_queries(scan, asked[2:3], "ct")

    assert {result.status for result in together} == {"found"}
    assert all(same(a, b) for a, b in zip(together, reversed(backwards), strict=True))
    assert same(together[2], alone[0])


def test_overlapping_structures_stay_separate_masks(scan, segmenter):
    twice = np.repeat(queries(1), 2, axis=0)
    first, second = segmenter.segment_queries(scan, twice, "ct", names=["kidney", "left kidney"])

    assert first.voxels == second.voxels > 0
    assert (first.prompt.text, second.prompt.text) == ("kidney", "left kidney")


def test_probabilities_are_kept_on_request_and_the_masks_stay_the_same(scan, segmenter):
    plain = segmenter.segment_queries(scan, queries(3), "ct")
    kept = segmenter.segment_queries(scan, queries(3), "ct", keep_probabilities=True)
    for without, result in zip(plain, kept, strict=True):
        assert without.probability is None
        assert np.array_equal(result.mask, without.mask)
        assert result.cropped.box == without.cropped.box
        levels = np.zeros(scan.array.shape, np.uint8)
        levels[Box.at(result.probability.offset, result.probability.levels.shape)] = result.probability.levels
        assert np.array_equal(levels >= 128, result.whole_mask(scan.array.shape))
        assert levels[levels < 128].min() > 0  # the network was asked beyond the mask, too
        assert levels[levels >= 128].mean() / 255 == pytest.approx(result.mean_probability, abs=1e-3)


def test_each_orientation_gets_its_own_pass_and_is_written_in_the_result(scan, segmenter):
    asked = queries(1)
    ras = segmenter.segment_queries(scan, asked, "ct", "RAS")[0]
    asr = segmenter.segment_queries(scan, asked, "ct", "ASR")[0]

    assert (ras.orientation, asr.orientation) == ("RAS", "ASR")
    assert not same(ras, asr)


def test_statistics_describe_the_mask(scan, segmenter):
    for result in segmenter.segment_queries(scan, queries(3), "mri"):
        assert result.voxels == np.count_nonzero(result.mask)
        assert result.volume_ml == pytest.approx(result.voxels * 1.3 * 1.3 * 2.5 / 1000, rel=1e-5)
        assert 0.5 < result.mean_probability <= result.max_probability <= 1
        assert (result.device, result.precision) == ("cpu", "float32")
        # Cropped to where it is non-empty: each face of the box holds a voxel.
        assert all(result.mask.take(end, axis).any() for axis in range(3) for end in (0, -1))


def test_nothing_found_is_said_and_not_made_up(scan, segmenter):
    (result,) = segmenter.segment_queries(scan, queries(1), "ct", threshold=1.0)

    assert (result.status, result.voxels, result.mask.size, result.cut_by) == ("empty", 0, 0, ())
    assert 0 < result.max_probability <= 1


def test_progress_rises_to_one_and_names_stage_and_time_left(scan):
    seen = []
    tiny_segmenter().segment_queries(scan, queries(2), "ct", progress=seen.append)

    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert [step.stage for step in seen[:4]] == [f"window {n} of 4" for n in (1, 2, 3, 4)]
    assert all(step.seconds_left is not None for step in seen)


@pytest.fixture
def encoded(segmenter, monkeypatch):
    """A fresh cache, and a list that grows with each window that is encoded."""
    calls = []
    encode = segmenter._network.encode
    monkeypatch.setattr(segmenter, "cache", FeatureCache(1 << 30, 0))
    monkeypatch.setattr(segmenter._network, "encode", lambda window: calls.append(1) or encode(window))
    return calls


def test_cancel_is_honoured_before_the_next_window(scan, segmenter, encoded):
    with pytest.raises(Cancelled):
        segmenter.segment_queries(scan, queries(2), "ct", cancel=lambda: len(encoded) == 2)

    assert len(encoded) == 2


def test_encoder_runs_once_per_window_however_many_prompts_thresholds_and_runs(scan, segmenter, encoded, monkeypatch):
    monkeypatch.setattr(plan, "BLOCK_BYTES", 1)
    first = segmenter.segment_queries(scan, queries(5), "ct")
    again = segmenter.segment_queries(scan, queries(9), "ct")
    segmenter.segment_queries(scan, queries(2), "ct", threshold=0.7)

    assert len(encoded) == 4
    assert all(same(a, b) for a, b in zip(first, again, strict=False))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: Image(image.array + (image.array == image.array.max()), image.ijk_to_ras),
        lambda image: Image(image.array, image.ijk_to_ras @ np.diag((1.1, 1, 1, 1))),
        lambda image: Image(image.array, image.ijk_to_ras @ np.diag((-1, 1, 1, 1))),
    ],
)
def test_another_scan_or_grid_never_gets_cached_features(scan, segmenter, encoded, change):
    segmenter.segment_queries(scan, queries(1), "ct")
    segmenter.segment_queries(change(scan), queries(1), "ct")

    assert len(encoded) >= 7  # four windows each, or three for a narrower grid


def test_features_that_cannot_be_kept_are_not_made_twice_for_few_prompts(scan, segmenter, encoded, monkeypatch):
    monkeypatch.setattr(segmenter, "cache", FeatureCache(0, 0))
    segmenter.segment_queries(scan, queries(3), "ct")

    assert len(encoded) == 4


def test_memory_does_not_grow_with_prompts_times_volume(monkeypatch):
    # A block holds one prompt here: 10 prompts may not hold more than 3 do, beyond their own cropped masks.
    monkeypatch.setattr(plan, "BLOCK_BYTES", 1)
    array = np.random.default_rng(0).normal(100, 30, (36, 88, 88)).astype(np.float32)
    image = Image(array, np.diag((1.0, 1.0, 3.0, 1.0)))
    segmenter = identity_segmenter((64, 64, 32), (1.0, 1.0, 3.0))

    def peak(count: int) -> int:
        segmenter.cache.clear()
        tracemalloc.start()
        results = segmenter.segment_queries(image, queries(count, dim=8), "mri")
        kept = sum(result.cropped.bits.nbytes for result in results)
        peak = tracemalloc.get_traced_memory()[1] - kept
        tracemalloc.stop()
        return peak

    peak(1)
    assert peak(10) <= 1.15 * peak(3)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "No prompts"),
        ([Prompt("  ", "ct")], "empty"),
        ([Prompt("liver", "ct"), Prompt("Liver", "ct")], "twice"),
        ([Prompt("liver", "ultrasound")], "not a modality"),
        ([Prompt("liver", "ct", "LAS")], "trained with axes"),
        ([Prompt("liver", "ct")], "no query vectors"),
    ],
)
def test_prompts_that_cannot_run_are_refused(scan, segmenter, prompts, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SATSegmentWarning)
        with pytest.raises(PromptError, match=message):
            segmenter.segment(scan, prompts)


@pytest.mark.parametrize("bad", [np.zeros((2, 7)), np.zeros((0, 48)), np.full((1, 48), np.nan), np.zeros(48)])
def test_query_vectors_of_another_model_are_refused(scan, segmenter, bad):
    with pytest.raises(PromptError, match="Query vectors"):
        segmenter.segment_queries(scan, bad, "ct")


def image_with(change) -> Image:
    array = np.random.default_rng(0).normal(50, 20, (12, 14, 16)).astype(np.float32)
    return Image(change(array), np.diag((1.0, 1.0, 3.0, 1.0)))


def with_value(value):
    def change(array):
        array[3, 4, 5] = value
        return array

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[0], "2 dimensions"),
        (lambda a: a[None], "4 dimensions"),
        (lambda a: a.astype(np.complex64), "type complex64"),
        (lambda a: a[:0], "no voxels"),
        (with_value(np.nan), "not numbers"),
        (with_value(np.inf), "not numbers"),
        (lambda a: np.full_like(a, 7), "same value"),
        (lambda a: -np.abs(a), "above zero"),
    ],
)
def test_scans_that_cannot_be_segmented_are_refused(segmenter, change, message):
    with pytest.raises(ScanError, match=message):
        segmenter.segment_queries(image_with(change), queries(1), "mri")


def test_scan_that_is_constant_within_the_ct_range_is_refused(segmenter):
    image = image_with(lambda a: np.where(a > 50, 3000, -3000).astype(np.int16))
    image.array[image.array < 0] = 2000
    with pytest.raises(ScanError, match="same intensity"):
        segmenter.segment_queries(image, queries(1), "ct")


def test_label_map_is_told_from_a_scan(scan):
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[5:15, 5:20, 5:35] = 3
    labels[8:12, 20:30, 5:35] = 17
    with pytest.raises(ScanError, match="label map"):
        refuse_label_map(Image(labels, np.eye(4)))
    refuse_label_map(scan)
    refuse_label_map(Image(np.random.default_rng(0).integers(0, 255, (20, 40, 40), np.uint8), np.eye(4)))


def test_intensities_of_another_modality_are_warned_about(scan):
    with pytest.warns(SATSegmentWarning, match="look like CT"):
        warn_about_modality(image_with(with_value(-1000)), "mri")
    with pytest.warns(SATSegmentWarning, match="do not look like CT"):
        warn_about_modality(image_with(np.abs), "ct")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about_modality(image_with(with_value(-1000)), "ct")
        warn_about_modality(image_with(np.abs), "mri")


@pytest.mark.parametrize("device", ["cuda:77", "mps", "tpu", "xla", "cuda:-5x"])
def test_device_that_is_not_there_is_an_error_and_never_replaced(device):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has an Apple GPU")
    with pytest.raises(DeviceError):
        choose_device(device)


def test_precision_follows_the_work_and_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr("SATSegmentLib.inference.device.processor_has_bfloat16", lambda: True)
    assert choose_precision("auto", cpu, int(4.6e12)) == torch.bfloat16
    assert choose_precision("auto", cpu, int(10e9)) == torch.float32
    monkeypatch.setattr("SATSegmentLib.inference.device.processor_has_bfloat16", lambda: False)
    assert choose_precision("auto", cpu, int(4.6e12)) == torch.float32
    assert choose_precision("auto", torch.device("cuda"), 1) == torch.float16
    with pytest.raises(DeviceError):
        choose_precision("float16", cpu, 1)
    with pytest.raises(DeviceError):
        choose_precision("float8", cpu, 1)


def test_bfloat16_gives_nearly_the_same_masks(scan):
    full = tiny_segmenter(precision="float32").segment_queries(scan, queries(3), "ct")
    half = tiny_segmenter(precision="bfloat16").segment_queries(scan, queries(3), "ct")

    assert {result.precision for result in half} == {"bfloat16"}
    for a, b in zip(full, half, strict=True):
        assert b.voxels == pytest.approx(a.voxels, rel=0.05)


def test_running_out_of_memory_is_a_message(scan, segmenter, monkeypatch):
    monkeypatch.setattr(segmenter, "cache", FeatureCache(0, 0))

    def encode(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(segmenter._network, "encode", encode)
    with pytest.raises(OutOfMemory, match="Nothing was lost"):
        segmenter.segment_queries(scan, queries(1), "ct")


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0])
def test_a_scan_that_was_damaged_on_its_way_is_called_damaged_whatever_is_wrong_with_it(value):
    sound = np.random.default_rng(0).normal(100, 30, (16, 32, 32)).astype(np.float32)
    damaged = sound.copy()
    damaged[...] = value
    image = Image(damaged, np.eye(4), digest=digest_of(Image(sound, np.eye(4))))
    with pytest.raises(ScanDamaged):
        tiny_segmenter().segment_queries(image, np.zeros((1, 48), np.float32), "mri")
