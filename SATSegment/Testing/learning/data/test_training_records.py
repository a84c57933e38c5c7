"""Records are read strictly, and everything wrong with them is told at once, by file and line."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pytest

from SATSegmentLib.errors import SATSegmentWarning
from SATSegmentLib.learning.data import RecordError, read_records
from SATSegmentLib.learning.data.records import parse_modality
from SATSegmentLib.resources import resource_path

SHAPE = (5, 6, 7)
RAMP = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def labelmap(*values):
    array = np.zeros(SHAPE, np.uint8)
    for row, value in enumerate(values):
        array[:, row] = value
    return array


@pytest.fixture
def good(write_volume):
    """A record as SAT-DS writes them, with a label map."""
    return {
        "image": write_volume("scan.nii.gz", RAMP),
        "mask": write_volume("seg.nii.gz", labelmap(1, 2)),
        "label": ["Liver", "spleen"],
        "modality": "CT",
        "dataset": "ours",
        "official_split": "unknown",
        "patient_id": "017",
    }


def problems_of(*paths):
    with pytest.raises(RecordError) as caught:
        read_records(paths)
    return [(problem.place.rsplit("/", 1)[-1], problem.reason) for problem in caught.value.problems]


def test_a_record_of_sat_ds_is_read(good, write_jsonl, tmp_path):
    (record,) = read_records([write_jsonl(good)]).records
    assert record.image == (tmp_path / "scan.nii.gz").resolve()  # relative to the .jsonl, not to where we are
    assert record.labels == ("liver", "spleen")
    assert [mask.values for mask in record.masks] == [(1,), (2,)]
    assert (record.modality, record.dataset, record.patient_id) == ("ct", "ours", "017")
    assert record.place.endswith("train.jsonl:1")


def test_all_problems_of_all_files_are_told_at_once(good, write_jsonl, write_volume):
    write_volume("far.nii.gz", labelmap(1), origin=(0, 0, 9))
    write_volume("small.nii.gz", labelmap(1)[:4])
    lacking = {key: value for key, value in good.items() if key not in ("modality", "patient_id")}
    first = write_jsonl(
        good,
        lacking,
        good | {"image": "nowhere.nii.gz", "modality": "US"},
        good | {"sample_id": "far", "mask": "far.nii.gz"},
        good | {"sample_id": "small", "mask": "small.nii.gz"},
        good | {"sample_id": "twice", "label": ["liver", "LIVER "]},
    )
    second = write_jsonl(good, good | {"masks": "seg.nii.gz", "label": []}, name="second.jsonl")
    second.write_text(second.read_text() + "\n\n{not json", encoding="utf-8")
    found = problems_of(first, second)
    assert [place for place, _ in found] == [
        "train.jsonl:2",
        "train.jsonl:2",
        "train.jsonl:3",
        "train.jsonl:3",
        "train.jsonl:4",
        "train.jsonl:5",
        "train.jsonl:6",
        "second.jsonl:1",
        "second.jsonl:2",
        "second.jsonl:4",
    ]
    expected = [
        'lacks "modality"',
        'lacks "patient_id"',
        'does not know the modality "US"',
        "There is no file",
        "in another place",
        "7 x 6 x 4 voxels",
        'names the label "liver" more than once',
        "is the same sample as",
        'unknown key "masks"',
        "not valid JSON",
    ]
    for (_, reason), words in zip(found, expected, strict=True):
        assert words in reason


def test_bad_records_are_skipped_only_on_request_and_told(good, write_jsonl):
    path = write_jsonl(good | {"modality": "?"}, good)
    with pytest.warns(SATSegmentWarning, match=r"skipped[\s\S]*train.jsonl:1"):
        result = read_records([path], skip_bad=True)
    assert [record.place for record in result.records] == [f"{path}:2"]
    assert [problem.place for problem in result.skipped] == [f"{path}:1"]


def test_where_every_record_is_bad_nothing_is_skipped(good, write_jsonl):
    with pytest.raises(RecordError):
        read_records([write_jsonl(good | {"modality": "?"})], skip_bad=True)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_records_is_refused(tmp_path, content):
    (tmp_path / "empty.jsonl").write_text(content)
    assert problems_of(tmp_path / "empty.jsonl") == [("empty.jsonl", "holds no record")]


def test_a_missing_file_is_refused_even_when_skipping(tmp_path):
    with pytest.raises(RecordError, match="cannot be read"):
        read_records([tmp_path / "none.jsonl"], skip_bad=True)


@pytest.mark.parametrize(
    ("text", "modality"),
    [("CT", "ct"), ("MRI T1", "mri"), ("mr", "mri"), ("MRI-FLAIR", "mri"), ("T2", "mri"), ("PET", "pet")]
    + [(text, None) for text in ("PET/CT", "CT PET", "SPECT", "structural", "US", "", "ultrasound", "cat")],
)
def test_a_modality_is_known_for_certain_or_refused(text, modality):
    assert parse_modality(text) == modality


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ({"left kidney": 2, "kidney": [3, 2]}, {"left kidney": (2,), "kidney": (2, 3)}),
        (["liver", "left kidney", "right kidney"], {"liver": (1,), "left kidney": (2,), "right kidney": (3,)}),
    ],
)
def test_a_label_map_and_its_values(good, write_jsonl, write_volume, label, values):
    write_volume("seg.nii.gz", labelmap(1, 2, 3))
    (record,) = read_records([write_jsonl(good | {"label": label})]).records
    assert {mask.label: mask.values for mask in record.masks} == values


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.tsv", "value\tname\n1\tLiver\n2\tspleen\n3\tspleen\n"),
        ("names.csv", "1,Liver\n2,spleen\n3,spleen\n"),
        ("names.json", '{"labels": {"background": 0, "Liver": 1, "spleen": [2, 3]}}'),
    ],
)
def test_a_label_map_and_its_table(good, write_jsonl, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (record,) = read_records([write_jsonl(good | {"label": name})]).records
    assert {mask.label: mask.values for mask in record.masks} == {"liver": (1,), "spleen": (2, 3)}


def test_a_file_for_each_label(good, write_jsonl, write_volume):
    write_volume("a.nii.gz", labelmap(1))
    write_volume("b.nii.gz", labelmap(0, 255))
    (record,) = read_records([write_jsonl(good | {"mask": ["a.nii.gz", "b.nii.gz"]})]).records
    assert [mask.path.name for mask in record.masks] == ["a.nii.gz", "b.nii.gz"]


def test_a_slicer_segmentation_by_its_segments_names(good, write_jsonl):
    slicer = good | {"image": str(resource_path("Demo/CTChest4.nrrd")), "dataset": "slicer"}
    slicer["mask"] = str(resource_path("Demo/CTChest4.seg.nrrd"))
    path = write_jsonl(slicer | {"label": ["Left  Lung"]}, slicer | {"label": {"lung": "left lung"}, "sample_id": "b"})
    assert [record.labels for record in read_records([path]).records] == [("left lung",), ("lung",)]
    ((_, reason),) = problems_of(write_jsonl(slicer | {"label": ["liver"]}))
    assert 'no segment "liver"; it has ribs' in reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask": "four.nii.gz"}, "4 masks for 2 labels"),
        ({"mask": "four.nii.gz", "label": {"liver": 1}}, "has no values"),
        ({"mask": "four.npy"}, "4 masks for 2 labels"),
        ({"mask": "turned.npy", "label": ["liver"]}, "does not lie on the image's grid"),
        ({"mask": "text.npy"}, "does not hold one array of numbers"),
        ({"mask": ["seg.nii.gz"]}, "1 masks for 2 labels"),
        ({"mask": ["seg.nii.gz", "none.nii.gz"]}, "There is no file"),
        ({"mask": ["seg.nii.gz", "seg.nii.gz"]}, "given for two labels"),
        ({"mask": 3}, '"mask" must be'),
        ({"label": "none.tsv"}, "none.tsv"),
        ({"label": {"liver": 0}}, "above 0"),
        ({"label": {"liver": True}}, "above 0"),
        ({"label": {"liver": 1.5}}, "above 0"),
        ({"label": ["background", "liver"]}, '"background"'),
        ({"label": ["", "liver"]}, "without a name"),
        ({"image": "four.nii.gz"}, "4-D"),
        ({"image": "four.npy"}, "does not say where its voxels are"),
        ({"image": 3}, '"image" must be text'),
        ({"patient_id": None}, '"patient_id" must be'),
        ({"dataset": " "}, '"dataset" must be'),
    ],
)
def test_what_does_not_fit_together_is_refused(good, write_jsonl, write_volume, tmp_path, change, words):
    write_volume("four.nii.gz", np.stack([labelmap(1)] * 4))
    np.save(tmp_path / "four.npy", np.zeros((4, *SHAPE[::-1]), bool))
    np.save(tmp_path / "turned.npy", np.zeros((1, *SHAPE), bool))
    np.save(tmp_path / "text.npy", np.array(["liver"]))
    assert any(words in reason for _, reason in problems_of(write_jsonl(good | change)))


def test_a_key_given_twice_is_refused(good, tmp_path):
    text = json.dumps(good).replace('["Liver", "spleen"]', '{"liver": 1, "liver": 2}')
    (tmp_path / "a.jsonl").write_text(text)
    ((_, reason),) = problems_of(tmp_path / "a.jsonl")
    assert 'the key "liver" occurs twice' in reason


def test_one_image_may_belong_to_two_data_sets_and_to_two_samples(good, write_jsonl):
    path = write_jsonl(good, good | {"dataset": "theirs"}, good | {"sample_id": 2}, good | {"sample_id": "3"})
    assert len(read_records([path]).records) == 4


def test_new_words_are_told_with_what_sat_calls_them(good, write_jsonl):
    path = write_jsonl(good | {"label": ["kidney_left", "my implant"]})
    with pytest.warns(SATSegmentWarning, match="my implant"):
        result = read_records([path])
    assert len(result.new_words) == 2
    assert 'SAT\'s name for it is "left kidney"' in result.new_words[0].reason
    assert result.records[0].labels == ("kidney_left", "my implant")  # told, not changed and not refused


def test_trained_words_give_no_warning(good, write_jsonl):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not read_records([write_jsonl(good)]).new_words


def test_what_is_wrong_survives_the_way_to_another_process(good, write_jsonl):
    with pytest.raises(RecordError) as caught:
        read_records([write_jsonl(good | {"modality": "?"})])
    back = pickle.loads(pickle.dumps(caught.value))
    assert back.problems == caught.value.problems
    assert str(back) == str(caught.value)


def test_problems_never_name_a_patient(good, write_jsonl):
    with pytest.raises(RecordError) as caught:
        read_records([write_jsonl(good | {"patient_id": "Jane Doe", "modality": "?"})])
    assert "Jane" not in str(caught.value)
