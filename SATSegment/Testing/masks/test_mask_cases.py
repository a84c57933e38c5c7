"""Cases, structures and names as other tools write them."""

from __future__ import annotations

import json

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.errors import PromptError, SATSegmentError, ScanError
from SATSegmentLib.evaluation.datasets import read_datasets
from SATSegmentLib.evaluation.names import match, match_all
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.masks.cases import find_cases, read_table
from SATSegmentLib.masks.readers import open_labelmap, read_mask
from SATSegmentLib.masks.seg_nrrd import open_segmentation
from SATSegmentLib.storage import write_segmentation
from SATSegmentLib.types import Image, Prompt, SegmentResult

SHAPE = (5, 6, 7)


def write(path, array, spacing=(1, 1, 2)):
    image = sitk.GetImageFromArray(np.asarray(array))
    image.SetSpacing([float(s) for s in spacing])
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def labels(*values):
    array = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        array[place] = value
    return array


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ("kidney_left", "left kidney"),
        ("vertebrae_T12", "thoracic vertebrae 12 (t12)"),
        ("lung_upper_lobe_right", "right lung upper lobe"),
        ("iliac_vena_right", "right iliac vena"),
        ("rib_left_1", "left rib 1"),
        ("left kidney", "left kidney"),
        ("IVC", "inferior vena cava"),
        ("postcava", "inferior vena cava"),
        ("portal_vein_and_splenic_vein", "portal vein and splenic vein"),
    ],
)
def test_names_of_other_tools_mean_labels(given, label):
    assert match(given, "ct").label == label


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("kidneys", "several structures"),
        ("left_heart_atrium_scar", "MRI only"),
        ("ventricle", "may mean"),
        ("xqzv", "not a known structure"),
        ("", "not a known structure"),
    ],
)
def test_doubtful_names_stay_unmatched_and_say_why(given, words):
    found = match(given, "ct")
    assert found.label == ""
    assert words in found.reason


def test_two_names_of_one_structure_are_refused():
    with pytest.raises(PromptError, match='"kidney_left" and "left kidney"'):
        match_all(["kidney_left", "left kidney"], "ct", "the case x")


@pytest.mark.parametrize(
    ("name", "text", "table"),
    [
        ("a.json", '{"liver": 1, "spleen": 2}', {"liver": (1,), "spleen": (2,)}),
        ("a.json", '{"0": "background", "1": "liver", "2": "spleen"}', {"liver": (1,), "spleen": (2,)}),
        (
            "a.json",
            '{"labels": {"background": 0, "whole liver": [1, 2], "tumor": 2}}',
            {"whole liver": (1, 2), "tumor": (2,)},
        ),
        ("a.csv", "value,name\n1,liver\n2,spleen\n", {"liver": (1,), "spleen": (2,)}),
        ("a.csv", '1,"stent_graft, main body"\n2,a, b\n', {"stent_graft, main body": (1,), "a, b": (2,)}),
        ("a.csv", "\ufeff1,liver\r\n3,liver\r\n", {"liver": (1, 3)}),
    ],
)
def test_tables_of_names(tmp_path, name, text, table):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_table(tmp_path / name) == table


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "[1, 2]"),
        ("a.json", '{"liver": "one"}'),
        ("a.csv", "1,liver\nx,spleen"),
        ("a.csv", ""),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SATSegmentError):
        read_table(tmp_path / name)


def test_a_folder_with_a_mask_per_structure_is_one_case(tmp_path):
    write(tmp_path / "case7" / "liver.nii.gz", labels(1))
    write(tmp_path / "case7" / "kidney_left.nrrd", labels(0, 1))
    (tmp_path / "case7" / "preview.png").write_bytes(b"")
    (case,) = find_cases(tmp_path / "case7")
    assert case.name == "case7"
    assert sorted(case.names) == ["kidney_left", "liver"]
    assert case.open()("liver").array.sum() == 42


@pytest.mark.parametrize("inner", ["", "segmentations"])
def test_folders_of_folders_are_cases(tmp_path, inner):
    for name in ("s0001", "s0002"):
        write(tmp_path / name / inner / "liver.nii.gz", labels(1))
        if inner:
            write(tmp_path / name / "ct.nii.gz", labels(7, 3))
    assert [case.name for case in find_cases(tmp_path)] == ["s0001", "s0002"]
    assert all(case.names == ("liver",) for case in find_cases(tmp_path))
    assert [case.name for case in find_cases(tmp_path / "s0001")] == ["s0001"]


def test_nnu_nets_folder_is_a_label_map_per_case(tmp_path):
    for name in ("BTCV_001", "BTCV_002"):
        write(tmp_path / f"{name}.nii.gz", labels(1, 2, 2))
    (tmp_path / "dataset.json").write_text(
        json.dumps({"labels": {"background": 0, "liver": 1, "spleen": 2, "aorta": 3}})
    )
    cases = find_cases(tmp_path)
    assert [case.name for case in cases] == ["BTCV_001", "BTCV_002"]
    read = cases[0].open()
    assert [int(read(name).array.sum()) for name in ("liver", "spleen", "aorta")] == [42, 84, 0]


def test_a_label_map_needs_names(tmp_path):
    path = write(tmp_path / "map.nii.gz", labels(1, 2))
    with pytest.raises(SATSegmentError, match="nothing says what its values mean"):
        find_cases(path)
    (tmp_path / "names.csv").write_text("1,liver\n2,spleen\n")
    (case,) = find_cases(path, tmp_path / "names.csv")
    assert case.names == ("liver", "spleen")


def test_values_without_a_name_are_refused(tmp_path):
    path = write(tmp_path / "map.nii.gz", labels(1, 2, 9))
    with pytest.raises(ScanError, match="what 2, 9 is"):
        open_labelmap(path, {"liver": (1,)})


def test_a_label_map_of_fractions_is_refused(tmp_path):
    path = write(tmp_path / "map.nii.gz", labels(1).astype(np.float32) / 2)
    with pytest.raises(ScanError, match="fractions"):
        open_labelmap(path, {"liver": (1,)})


def test_a_mask_with_several_values_is_refused(tmp_path):
    with pytest.raises(ScanError, match="more than one value"):
        read_mask(write(tmp_path / "liver.nii.gz", labels(1, 2)))


@pytest.mark.parametrize("value", [1, 255])
def test_any_one_value_is_inside(tmp_path, value):
    assert read_mask(write(tmp_path / "liver.nii.gz", labels(value))).array.sum() == 42


def test_mixed_or_empty_folders_are_refused(tmp_path):
    with pytest.raises(ScanError, match="holds no masks"):
        find_cases(tmp_path)
    write(tmp_path / "case" / "liver.nii.gz", labels(1))
    write(tmp_path / "spleen.nii.gz", labels(1))
    with pytest.raises(SATSegmentError, match="both files and folders"):
        find_cases(tmp_path)
    with pytest.raises(SATSegmentError, match="There is no file"):
        find_cases(tmp_path / "nothing")


def result(text, mask, offset=(0, 0, 0)):
    status = "found" if mask.any() else "empty"
    cropped = CroppedMask.from_array(mask, offset)
    return SegmentResult(Prompt(text, "ct"), status, cropped, int(mask.sum()), 0, 0, 0, (), "RAS", "cpu", "", 0)


def test_satsegments_own_file_comes_back_on_the_scans_grid(tmp_path):
    rng = np.random.default_rng(0)
    c, s = np.cos(0.3), np.sin(0.3)
    ijk_to_ras = np.array([[0.7 * c, -s, 0, -20], [0.7 * s, c, 0, 5], [0, 0, -2.5, 9], [0, 0, 0, 1]])
    scan = Image(np.zeros((9, 10, 11), np.int16), ijk_to_ras)
    parts = {name: rng.random((4, 5, 3)) < 0.6 for name in ("liver", "spleen", "left kidney")}
    offsets = {"liver": (2, 1, 3), "spleen": (3, 2, 4), "left kidney": (5, 5, 8)}
    results = [result(name, part, offsets[name]) for name, part in parts.items()]
    results.append(result("aorta", np.zeros((0, 0, 0), bool)))
    write_segmentation(tmp_path / "a.seg.nrrd", scan, results)

    (case,) = find_cases(tmp_path / "a.seg.nrrd")
    read = case.open()

    assert set(case.names) == {*parts, "aorta"}
    for name, part in parts.items():
        whole = np.zeros(scan.array.shape, bool)
        whole[tuple(slice(a, a + n) for a, n in zip(offsets[name], part.shape, strict=True))] = part
        assert np.array_equal(read(name).array, whole)
        assert np.allclose(read(name).ijk_to_ras, ijk_to_ras)
    assert read("aorta").array.shape == scan.array.shape
    assert not read("aorta").array.any()


def test_names_in_other_scripts_keep_all_their_letters(tmp_path):
    """A reader of ASCII would make "liver" of the second."""
    scan = Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    names = ("имплант", "中文 liver", "Läsion")
    results = [result(name, np.full((1, 1, n + 1), True)) for n, name in enumerate(names)]
    results.append(result("печень", np.zeros((0, 0, 0), bool)))
    write_segmentation(tmp_path / "a.seg.nrrd", scan, results)
    (case,) = find_cases(tmp_path / "a.seg.nrrd")
    assert case.names == (*names, "печень")
    read = case.open()
    assert [int(read(name).array.sum()) for name in case.names] == [1, 2, 3, 0]


def test_a_segmentation_without_the_scans_grid_is_its_own_grid(tmp_path):
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([-1.0, 2.0, 3.0]),
        "space origin": [4.0, 5.0, 6.0],
        "kinds": ["domain"] * 3,
        "Segment0_ID": "Segment_1",
        "Segment0_Name": "liver",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
    }
    voxels = np.zeros((3, 4, 5), np.uint8)
    voxels[1, 2, 3] = 1
    nrrd.write(str(tmp_path / "a.seg.nrrd"), voxels, header)
    image = open_segmentation(tmp_path / "a.seg.nrrd")("liver")
    assert np.argwhere(image.array).tolist() == [[3, 2, 1]]
    assert np.allclose(image.ijk_to_ras @ (1, 2, 3, 1), (-(4 - 1), -(5 + 4), 6 + 9, 1))


def test_a_damaged_segmentation_is_a_clear_error(tmp_path):
    (tmp_path / "a.seg.nrrd").write_bytes(b"NRRD0004\nnonsense")
    with pytest.raises(ScanError, match="cannot be read as a segmentation"):
        find_cases(tmp_path / "a.seg.nrrd")


def test_datasets_by_name_or_by_table(tmp_path):
    assert read_datasets(None, "ct").of("a") == ("dataset", "ct")
    assert read_datasets("BTCV", "ct").of("a") == ("BTCV", "ct")
    table = tmp_path / "t.csv"
    table.write_text("case,dataset,modality\na,AMOS,ct\nb,AMOS,MRI\nc,BTCV,\n")
    datasets = read_datasets(str(table), "pet")
    assert [datasets.of(case) for case in "abc"] == [("AMOS", "ct"), ("AMOS", "mri"), ("BTCV", "pet")]
    with pytest.raises(SATSegmentError, match='does not name the case "d"'):
        datasets.of("d")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "case,dataset\n",
        "name,set\na,b\n",
        "case,dataset\na,\n",
        "case,dataset\na,b\na,c\n",
        "case,dataset,modality\na,b,us\n",
    ],
)
def test_bad_tables_of_datasets_are_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SATSegmentError):
        read_datasets(str(tmp_path / "t.csv"), "ct")
