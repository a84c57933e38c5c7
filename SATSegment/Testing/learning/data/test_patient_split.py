"""No patient is in two parts, and nobody changes sides when data are added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.learning.data import Record, SplitError, split, split_by_file

PARTS = {"train": 0.7, "val": 0.2, "test": 0.1}


def record(patient, dataset="ours", image=None):
    image = Path(image or f"{dataset}-{patient}.nii.gz")
    return Record(image, (), "ct", dataset, str(patient), "", f"train.jsonl:{patient}")


def where(parts):
    return {(r.dataset, r.patient_id, r.image): name for name, records in parts.items() for r in records}


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from("ab"), st.integers(0, 200)), min_size=1, max_size=80, unique=True
    ),
    st.integers(0, 5),
    st.randoms(),
)
@settings(max_examples=40, deadline=None)
def test_no_patient_and_no_image_is_in_two_parts(samples, seed, random):
    anchors = [record(f"anchor {number}") for number in range(60)]  # so that no part is empty
    records = anchors + [record(patient, dataset, f"{image}.nii.gz") for patient, dataset, image in samples]
    parts = split(records, PARTS, seed)
    assert sum(len(part) for part in parts.values()) == len(records)
    for key in ("patient_id", "image"):
        owners = [{getattr(r, key) for r in part} for part in parts.values()]
        assert sum(map(len, owners)) == len(set().union(*owners))
    shuffled = list(records)
    random.shuffle(shuffled)
    assert where(split(shuffled, PARTS, seed)) == where(parts)


def test_a_patient_keeps_its_part_when_others_are_added():
    few = [record(number) for number in range(300)]
    before = where(split(few, PARTS))
    after = where(split([record(number, "more") for number in range(300, 900)] + few, PARTS))
    assert before.items() <= after.items()


def test_the_fractions_are_met_on_average_and_the_seed_counts():
    records = [record(number) for number in range(3000)]
    parts = split(records, PARTS)
    for name, fraction in PARTS.items():
        assert len(parts[name]) / 3000 == pytest.approx(fraction, abs=0.03)
    assert where(split(records, PARTS, seed=1)) != where(parts)
    assert where(split(records, PARTS, seed=0)) == where(parts)


def test_a_known_patient_falls_where_it_always_fell():
    # Fixed for good: a new version must not move a patient from the test part into the training.
    parts = where(split([record(number) for number in range(40)], PARTS))
    assert [patient for (_, patient, _), part in parts.items() if part == "test"] == ["8", "12", "13", "15", "29", "30"]


@pytest.mark.parametrize("fractions", [{}, {"train": 1.2}, {"train": 0.5}, {"train": 1.0, "val": 0.0}])
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(SplitError, match="fractions"):
        split([record(1)], fractions)


def test_an_empty_part_is_refused():
    with pytest.raises(SplitError, match="there are only 1"):
        split([record(1), record(1, "b")], PARTS)


def write(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    return path


def test_a_split_file_decides(tmp_path):
    records = [record("a"), record("b"), record(7), record("a", "theirs")]
    path = write(tmp_path, {"id_loc": -3, "train": ["a", "theirs/a"], "val": ["b"], "test": [7], "unused": []})
    parts = split_by_file(records, path)
    assert {name: [r.patient_id for r in part] for name, part in parts.items()} == {
        "train": ["a", "a"],
        "val": ["b"],
        "test": ["7"],
        "unused": [],
    }


def test_a_split_file_may_tell_data_sets_apart(tmp_path):
    path = write(tmp_path, {"train": ["a"], "val": ["theirs/a"]})
    parts = split_by_file([record("a"), record("a", "theirs")], path)
    assert [part[0].dataset for part in parts.values()] == ["ours", "theirs"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"train": ["a", "b"], "val": ["b"]}, 'in "train" too'),
        ({"train": ["a"]}, "1 records belong: train.jsonl:b"),
        ({"train": "a"}, "not a list"),
        (["a"], "not an object"),
    ],
)
def test_a_split_file_with_mistakes_is_refused(tmp_path, content, words):
    with pytest.raises(SplitError, match=words):
        split_by_file([record("a"), record("b")], write(tmp_path, content))


def test_a_split_file_may_not_share_a_scan_between_parts(tmp_path):
    records = [record("a", image="same.nii.gz"), record("b", image="same.nii.gz")]
    with pytest.raises(SplitError, match="one scan or patient"):
        split_by_file(records, write(tmp_path, {"train": ["a"], "val": ["b"]}))


def test_a_missing_split_file_is_told(tmp_path):
    with pytest.raises(SplitError, match="cannot be read"):
        split_by_file([record("a")], tmp_path / "none.json")
