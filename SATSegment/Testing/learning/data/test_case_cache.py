"""Preprocessed cases are kept, made again when the content changes, and never half there."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.errors import OutputError, SATSegmentWarning
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.learning.data import CaseCache, RecordError, read_records
from SATSegmentLib.learning.data.case_files import find_case, write_case
from SATSegmentLib.learning.data.preprocess import PreprocessedCase

SHAPE = (4, 6, 8)


@pytest.fixture
def record(write_volume):
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 2:5], labels[:, 5:] = 1, 2
    scan = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) + 1
    return {
        "image": write_volume("scan.nii.gz", scan),
        "mask": write_volume("seg.nii.gz", labels),
        "label": ["left kidney", "right kidney"],
        "modality": "CT",
        "dataset": "ours",
        "patient_id": "1",
    }


def prepared(folder, path, **options):
    return CaseCache(folder).prepare(read_records([path]).records, **options)


def made(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}


def test_a_case_is_made_once(record, write_jsonl, tmp_path):
    path, folder = write_jsonl(record), tmp_path / "cache"
    ((_, first),) = prepared(folder, path).cases
    files = made(folder)
    ((_, second),) = prepared(folder, path).cases
    assert first == second
    assert made(folder) == files
    assert [label.label for label in second.present] == ["left kidney", "right kidney", "kidney"]


def test_the_key_is_the_content_not_the_place(record, write_jsonl, tmp_path):
    folder = tmp_path / "cache"
    prepared(folder, write_jsonl(record))
    files = made(folder)
    for name in ("scan", "seg"):
        shutil.copy(tmp_path / f"{name}.nii.gz", tmp_path / f"copy_{name}.nii.gz")
    copied = record | {"image": "copy_scan.nii.gz", "mask": "copy_seg.nii.gz", "patient_id": "2", "dataset": "other"}
    prepared(folder, write_jsonl(copied))
    assert made(folder) == files


@pytest.mark.parametrize("change", ["mask", "image", "label", "modality", "spacing", "rules"])
def test_other_content_is_another_case(change, record, write_jsonl, write_volume, tmp_path):
    folder = tmp_path / "cache"
    prepared(folder, write_jsonl(record))
    before = set(made(folder))
    cache = CaseCache(folder)
    if change == "mask":
        write_volume("seg.nii.gz", np.ones(SHAPE, np.uint8))
    elif change == "image":
        write_volume("scan.nii.gz", np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) + 2)
    elif change == "label":
        record = record | {"label": ["liver", "spleen"]}
    elif change == "modality":
        record = record | {"modality": "MRI"}
    elif change == "spacing":
        cache = CaseCache(folder, (1, 1, 1))
    else:
        cache = CaseCache(folder, rules_for=lambda modality: ())
    if change == "mask":
        with pytest.warns(SATSegmentWarning, match=r'no voxel in any scan[\s\S]*"right kidney"'):
            cache.prepare(read_records([write_jsonl(record)]).records)
    else:
        cache.prepare(read_records([write_jsonl(record)]).records)
    assert before < set(made(folder))


@pytest.mark.parametrize("damage", ["cut off", "gone", "not JSON", "other format"])
def test_a_damaged_case_is_made_again(damage, record, write_jsonl, tmp_path):
    path, folder = write_jsonl(record), tmp_path / "cache"
    ((_, case),) = prepared(folder, path).cases
    whole = Box.whole(case.shape)
    image, masks = case.image(whole), [case.mask_in(label, whole) for label in case.labels]
    (image_file,) = folder.glob("*.image.npy")
    (index_file,) = folder.glob("*.json")
    if damage == "cut off":
        os.truncate(image_file, image_file.stat().st_size // 2)
    elif damage == "gone":
        next(folder.glob("*.masks.npy")).unlink()
    elif damage == "not JSON":
        index_file.write_text("{")
    else:
        index_file.write_text(index_file.read_text().replace('"format": 1', '"format": 0'))
    ((_, again),) = prepared(folder, path).cases
    np.testing.assert_array_equal(again.image(whole), image)
    for label, mask in zip(again.labels, masks, strict=True):
        np.testing.assert_array_equal(again.mask_in(label, whole), mask)


def test_nothing_temporary_is_left(record, write_jsonl, tmp_path):
    prepared(tmp_path / "cache", write_jsonl(record))
    assert not [path for path in (tmp_path / "cache").rglob(".*")]


def test_all_unusable_records_are_told_at_once_or_skipped_on_request(record, write_jsonl, write_volume, tmp_path):
    write_volume("three.nii.gz", np.full(SHAPE, 3, np.uint8))
    write_volume("dark.nii.gz", np.zeros(SHAPE, np.int16))
    path = write_jsonl(record | {"sample_id": 1, "mask": "three.nii.gz"}, record, record | {"image": "dark.nii.gz"})
    with pytest.raises(RecordError) as caught:
        prepared(tmp_path / "cache", path)
    assert [problem.place for problem in caught.value.problems] == [f"{path}:1", f"{path}:3"]
    with pytest.warns(SATSegmentWarning, match=r"skipped[\s\S]*:1[\s\S]*:3"):
        result = prepared(tmp_path / "cache", path, skip_bad=True)
    assert [found.place for found, _ in result.cases] == [f"{path}:2"]
    assert len(result.skipped) == 2


def test_progress_is_told_and_workers_change_nothing(record, write_jsonl, tmp_path):
    organs = ("liver", "pancreas", "stomach", "aorta", "brain")
    path = write_jsonl(*(record | {"sample_id": name, "label": [name, "spleen"]} for name in organs))
    told = []
    records = read_records([path]).records
    one = CaseCache(tmp_path / "one").prepare(records, progress=told.append)
    three = CaseCache(tmp_path / "three").prepare(records, workers=3)
    assert [step.fraction for step in told] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert [case.labels for _, case in one.cases] == [case.labels for _, case in three.cases]


def test_a_file_that_went_away_is_a_bad_record(record, write_jsonl, tmp_path):
    records = read_records([write_jsonl(record)]).records
    (tmp_path / "seg.nii.gz").unlink()
    with pytest.raises(RecordError, match=r"train.jsonl:1: a file cannot be read"):
        CaseCache(tmp_path / "cache").prepare(records)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        CaseCache(tmp_path / "file" / "cache")


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_box_of_any_mask_comes_back(data, tmp_path_factory):
    shape = data.draw(st.tuples(*[st.integers(1, 7)] * 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    masks = [rng.random(shape) < chance for chance in (0.0, 0.1, 0.6)]
    stored = {str(number): CroppedMask.from_array(mask) for number, mask in enumerate(masks)}
    image = rng.standard_normal(shape).astype(np.float32)
    path = tmp_path_factory.mktemp("case") / "case"
    written = write_case(PreprocessedCase(image, stored, "RAS", (1.0, 1.0, 3.0), ("lost",)), path)
    case = find_case(path)
    assert case == written
    sides = []
    for size in shape:
        low = data.draw(st.integers(0, size - 1))
        sides.append(slice(low, data.draw(st.integers(low + 1, size))))
    box = Box(sides)
    np.testing.assert_array_equal(case.image(box), image[box])
    for label, mask in zip(case.labels, masks, strict=True):
        np.testing.assert_array_equal(case.mask_in(label, box), mask[box])
        assert case.mask(label).voxels == mask.sum()
