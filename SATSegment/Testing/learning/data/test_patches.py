"""Samples: the same for the same number, balanced, and with left on the left in the mirror too."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import SATSegmentError, SATSegmentWarning
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.learning.data import NO_AUGMENTATION, Augmentation, CacheError, PatchDataset, Recipe, Record
from SATSegmentLib.learning.data.case_files import write_case
from SATSegmentLib.learning.data.patches import left_right_axis
from SATSegmentLib.learning.data.preprocess import PreprocessedCase
from SATSegmentLib.learning.data.sampling import case_chances, random_box

WINDOW = (48, 40, 24)
EVERYTHING = Augmentation(
    zoom=1, noise=1, sharpen=1, scale=1, contrast=1, contrast_inverted=1, rotation=1, mirror=0.5
)  # fmt: skip
MIRROR = replace(NO_AUGMENTATION, mirror=1.0)


def recipe(augmentation=NO_AUGMENTATION, **options):
    return Recipe(**{"window": WINDOW, "max_prompts": 8, "augmentation": augmentation, **options})


def same(a, b):
    return (
        torch.equal(a.image, b.image)
        and torch.equal(a.masks, b.masks)
        and a.prompts == b.prompts
        and a.source == b.source
    )


@pytest.fixture
def make_case(tmp_path):
    """A record with a small case on disk; masks are given by label."""

    def make(masks, dataset="ours", shape=(12, 10, 8), number=[0], orientation="RAS", modality="ct"):  # noqa: B006
        number[0] += 1
        stored = {
            label: CroppedMask.from_array(np.zeros(shape, bool) if mask is None else mask)
            for label, mask in masks.items()
        }
        image = np.random.default_rng(number[0]).standard_normal(shape).astype(np.float32)
        case = PreprocessedCase(image, stored, orientation, (1.0, 1.0, 3.0), ())
        record = Record(Path("scan.nii.gz"), (), modality, dataset, "1", "", f"a.jsonl:{number[0]}")
        return record, write_case(case, tmp_path / f"case{number[0]}")

    return make


def block(*sides, shape=(12, 10, 8)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


def test_a_sample_is_what_the_trainer_asks_for(real_cases):
    patches = PatchDataset(real_cases, recipe(EVERYTHING))
    for number in range(6):
        sample = patches.sample(number)
        assert sample.image.shape == (1, *WINDOW)
        assert sample.image.dtype == torch.float32
        assert sample.masks.shape == (len(sample.prompts), *WINDOW)
        assert sample.masks.dtype == torch.bool
        assert torch.isfinite(sample.image).all()
        assert 1 <= len(sample.prompts) <= 8
        assert len(set(sample.prompts)) == len(sample.prompts)
        assert sample.source.endswith(("jsonl:1", "jsonl:2"))


def test_a_sample_is_the_same_in_any_order_and_any_process(real_cases):
    patches = PatchDataset(real_cases, recipe(EVERYTHING), seed=3)
    numbers = [5, 0, 3]
    there = [patches.sample(number) for number in numbers]
    back = [patches.sample(number) for number in reversed(numbers)][::-1]
    # A fresh interpreter, as training workers are on Windows and macOS; torch has another number of threads there.
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(2,)
    ) as pool:
        elsewhere = list(pool.map(patches.sample, numbers))
    for first, second, third in zip(there, back, elsewhere, strict=True):
        assert same(first, second)
        assert same(first, third)


def test_other_numbers_and_seeds_are_other_samples(real_cases):
    patches = PatchDataset(real_cases, recipe())
    assert not same(patches.sample(0), patches.sample(1))
    assert not same(patches.sample(0), PatchDataset(real_cases, recipe(), seed=1).sample(0))


def test_a_window_holds_the_voxels_of_the_case_and_zeros_behind_its_end(make_case):
    record, case = make_case({"liver": block((2, 9), (2, 8), (1, 6))})
    sample = PatchDataset([(record, case)], recipe(window=(16, 10, 9))).sample(0)
    whole = Box.whole(case.shape)
    np.testing.assert_array_equal(sample.image[0, :12, :10, :8], case.image(whole))
    np.testing.assert_array_equal(sample.masks[0, :12, :10, :8], case.mask_in(case.labels[0], whole))
    assert not sample.image[0, 12:].any()
    assert not sample.image[0, :, :, 8:].any()
    assert not sample.masks[0, 12:].any()


@pytest.mark.parametrize("augmentation", [NO_AUGMENTATION, EVERYTHING], ids=["plain", "changed"])
def test_left_is_left_in_every_sample(real_cases, augmentation):
    """In RAS the left structure of a pair has the lower index, mirrored or not."""
    pairs = 0
    patches = PatchDataset(real_cases, recipe(augmentation, max_prompts=40, window=(80, 60, 40)))
    for number in range(10):
        sample = patches.sample(number)
        places = {
            prompt.text: torch.nonzero(mask)[:, 0].double().mean().item()
            for prompt, mask in zip(sample.prompts, sample.masks, strict=True)
            if mask.any()
        }
        for left in (text for text in places if text.startswith("left")):
            right = left.replace("left", "right")
            if right in places:
                pairs += 1
                assert places[left] < places[right], (number, left)
    assert pairs > 20


@pytest.mark.parametrize("which", [0, 1], ids=["head", "chest"])
def test_a_mirror_image_has_its_sides_exchanged(real_cases, which):
    cases = [real_cases[which]]
    plain = PatchDataset(cases, recipe(window=(80, 90, 30)))
    mirror = PatchDataset(cases, recipe(MIRROR, window=(80, 90, 30)))
    exchanged = 0
    for number in range(4):
        before, after = plain.sample(number), mirror.sample(number)
        assert torch.equal(after.image, before.image.flip(1))
        assert torch.equal(after.masks, before.masks.flip(1))
        swap = {"left": "right", "right": "left"}
        for old, new in zip(before.prompts, after.prompts, strict=True):
            assert new.text == " ".join(swap.get(word, word) for word in old.text.split())
            exchanged += new.text != old.text
    assert exchanged


@pytest.mark.parametrize(
    ("label", "flips"), [("left kidney", True), ("aorta", True), ("my implant", False), ("left heart ventricle", False)]
)
def test_a_label_whose_partner_is_not_known_forbids_the_mirror(make_case, label, flips):
    # Also where the label is only annotated as absent, and so may be asked for or not.
    case = make_case({"liver": block((2, 9), (2, 8), (1, 6)), label: None})
    before = PatchDataset([case], recipe(window=case[1].shape)).sample(0)
    after = PatchDataset([case], recipe(MIRROR, window=case[1].shape)).sample(0)
    assert torch.equal(after.image, before.image.flip(1) if flips else before.image)


@pytest.mark.parametrize(("orientation", "axis"), [("RAS", 1), ("ASR", 3), ("IPL", 3), ("LPS", 1), ("native", None)])
def test_the_mirror_stands_where_left_and_right_are(make_case, orientation, axis):
    case = make_case({"left kidney": block((2, 9), (2, 8), (1, 6))}, orientation=orientation)
    before = PatchDataset([case], recipe(window=case[1].shape)).sample(0)
    after = PatchDataset([case], recipe(MIRROR, window=case[1].shape)).sample(0)
    assert (left_right_axis(orientation) is None) == (axis is None)
    assert torch.equal(after.image, before.image if axis is None else before.image.flip(axis))
    assert after.prompts[0].text == ("left kidney" if axis is None else "right kidney")


def test_the_padding_stays_on_the_high_side_of_a_mirror_image(make_case):
    case = make_case({"left kidney": block((2, 5), (2, 8), (1, 6))})
    sample = PatchDataset([case], recipe(MIRROR, window=(20, 10, 8))).sample(0)
    assert sample.image[0, :12].any(dim=2).any(dim=1).all()
    assert not sample.image[0, 12:].any()
    np.testing.assert_array_equal(torch.nonzero(sample.masks[0])[:, 0].unique(), [7, 8, 9])


def test_prompts_ask_for_what_is_there_first_and_masks_tell_the_truth(make_case):
    masks = {f"there {n}": block((n, n + 2), (2, 8), (1, 6)) for n in range(5)}
    masks |= {f"absent {n}": None for n in range(9)}
    record, case = make_case(masks)
    for limit in (1, 3, 5, 6, 8, 20):
        for number in range(4):
            dataset = PatchDataset([(record, case)], recipe(window=case.shape, max_prompts=limit))
            sample = dataset.sample(number)
            texts = [prompt.text for prompt in sample.prompts]
            there = [text for text in texts if text.startswith("there")]
            assert len(there) == min(limit, 5)
            assert len(texts) - len(there) == min(limit - len(there), 5)  # at most half, so at most as many
            for text, mask in zip(texts, sample.masks, strict=True):
                assert mask.any() == text.startswith("there")


@pytest.mark.parametrize(("ratio", "negatives"), [(0.0, 0), (0.25, 1), (0.5, 3), (0.8, 9)])
def test_negatives_are_at_most_their_share(make_case, ratio, negatives):
    masks = {f"there {n}": block((n, n + 2), (2, 8), (1, 6)) for n in range(3)} | {
        f"absent {n}": None for n in range(9)
    }
    record, case = make_case(masks)
    sample = PatchDataset([(record, case)], recipe(window=case.shape, max_prompts=32, negative_ratio=ratio)).sample(0)
    assert len(sample.prompts) == 3 + negatives


def test_a_scan_without_any_finding_asks_for_one_thing_that_is_not_there(make_case):
    case = make_case({"liver tumor": None, "kidney tumor": None})
    sample = PatchDataset([case], recipe(window=(5, 5, 5))).sample(0)
    assert len(sample.prompts) == 1
    assert not sample.masks.any()


def test_one_orientation_a_sample(make_case):
    cases = [make_case({"brain": block((2, 9), (2, 8), (1, 6))}, modality="mri")]
    cases.append(make_case({"sacrum": block((2, 9), (2, 8), (1, 6))}, orientation="ASR", modality="mri"))
    patches = PatchDataset(cases, recipe(window=(5, 5, 5)))
    seen = {tuple(prompt.text for prompt in patches.sample(number).prompts) for number in range(20)}
    assert seen == {("brain",), ("sacrum",)}
    assert {prompt.modality for prompt in patches.sample(0).prompts} == {"mri"}


@given(number=st.integers(0, 10_000), window=st.tuples(st.integers(1, 14), st.integers(1, 12), st.integers(1, 10)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_window_shows_something(make_case, number, window):
    corners = block((0, 1), (0, 1), (0, 1)) | block((11, 12), (9, 10), (7, 8))
    record, case = make_case({"liver": corners, "spleen": block((0, 1), (9, 10), (0, 1)), "aorta": None})
    for label_crop in (0.0, 1.0):
        options = recipe(window=window, label_crop=label_crop)
        box = random_box(case, options, np.random.default_rng(number))
        sizes = [side.stop - side.start for side in box]
        assert sizes == [min(side, size) for side, size in zip(window, case.shape, strict=True)]
        assert any(case.mask_in(label, box).any() for label in case.present)
    plain = PatchDataset([(record, case)], recipe(window=window)).sample(number)
    changed = PatchDataset([(record, case)], recipe(EVERYTHING, window=window)).sample(number)
    assert plain.masks.any()
    assert changed.masks.any()


def test_rare_and_small_labels_are_met_as_often_as_large_ones(make_case):
    shape = (60, 10, 8)
    masks = {
        "liver": block((0, 40), (0, 10), (0, 8), shape=shape),
        "spleen": block((55, 56), (5, 6), (4, 5), shape=shape),
    }
    _, case = make_case(masks, shape=shape)
    met = Counter()
    for number in range(300):
        box = random_box(case, recipe(window=(6, 6, 6), label_crop=1.0), np.random.default_rng(number))
        met.update(label.label for label in case.present if case.mask_in(label, box).any())
    assert 100 < met["spleen"] < 200
    assert 100 < met["liver"] < 200


def test_data_sets_count_by_weight_and_root_of_their_size(make_case):
    mask = {"liver": block((2, 9), (2, 8), (1, 6))}
    cases = [make_case(mask, "large") for _ in range(16)] + [make_case(mask, "small")]
    even = case_chances(cases, recipe(window=(12, 10, 8)))
    assert even.sum() == pytest.approx(1)
    assert even[:16].sum() / even[16] == pytest.approx(4)  # 16 times the scans, 4 times as often
    weighed = case_chances(cases, recipe(window=(12, 10, 8), dataset_weights={"small": 3.0}))
    assert weighed[:16].sum() / weighed[16] == pytest.approx(4 / 3)
    patches = PatchDataset(cases, recipe(window=(12, 10, 8)))
    drawn = Counter(patches.sample(number).source for number in range(400))
    assert drawn[cases[16][0].place] == pytest.approx(80, abs=30)


def test_a_case_that_one_sample_cannot_hold_counts_more_than_once(make_case):
    few = make_case({"liver": block((0, 4), (0, 4), (0, 4))})
    many = make_case({f"thing {n}": block((0, 4), (0, 4), (0, 4)) for n in range(17)})
    wide = make_case({"liver": block((0, 12), (0, 4), (0, 4))})
    one, three, more = case_chances([few, many, wide], recipe(window=(5, 5, 5), max_prompts=8))
    assert three / one == pytest.approx(3)
    assert more / one == pytest.approx(3)


def test_the_data_set_travels_to_other_processes_small(real_cases):
    assert len(pickle.dumps(PatchDataset(real_cases, recipe()))) < 100_000


def test_a_data_set_that_is_not_there_is_told(real_cases):
    with pytest.warns(SATSegmentWarning, match="haeds"):
        PatchDataset(real_cases, recipe(dataset_weights={"haeds": 2.0}))


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(SATSegmentError, match="No scan"):
        PatchDataset([], recipe())


@pytest.mark.parametrize("damage", ["gone", "cut off"])
@pytest.mark.parametrize("kind", ["image", "masks"])
def test_a_damaged_cache_is_told_by_the_record(make_case, kind, damage):
    record, case = make_case({"liver": block((2, 9), (2, 8), (1, 6))})
    patches = PatchDataset([(record, case)], recipe(window=(5, 5, 5)))
    (file,) = case.path.parent.glob(f"{case.path.name}.{kind}.npy")
    if damage == "gone":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size - 20)
    with pytest.raises(CacheError, match=record.place):
        patches.sample(0)
