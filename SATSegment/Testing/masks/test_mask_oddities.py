"""Files of masks that are valid but unusual: old Slicer files, other spaces, values beside whole numbers, ignore."""

from __future__ import annotations

import json

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.evaluation.datasets import Datasets
from SATSegmentLib.evaluation.run import evaluate
from SATSegmentLib.learning.data.mask_files import find_masks
from SATSegmentLib.masks.cases import find_cases, read_table
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.masks.readers import open_labelmap

SHAPE_IJK = (5, 6, 7)


def slicer_410(path, space="left-posterior-superior"):
    """A file as Slicer 4.10 wrote it: one channel for each segment, no label values, no layers."""
    voxels = np.zeros((2, *SHAPE_IJK), np.uint8)
    voxels[0, 1:3, 2, 3] = 1
    voxels[1, 1:3, 2:4, 3] = 1  # overlaps the first
    header = {
        "space": space,
        "kinds": ["list", "domain", "domain", "domain"],
        "space directions": np.array([[np.nan] * 3, [2, 0, 0], [0, 3, 0], [0, 0, 4]], float),
        "space origin": np.array([10.0, 20.0, 30.0]),
        "Segment0_ID": "Segment_1", "Segment0_Name": "liver", "Segment0_Extent": "0 4 0 5 0 6",
        "Segment1_ID": "Segment_2", "Segment1_Name": "liver tumor", "Segment1_Extent": "0 4 0 5 0 6",
    }  # fmt: skip
    nrrd.write(str(path), voxels, header)
    return voxels


def test_a_file_of_slicer_4_10_is_read_channel_by_channel(tmp_path):
    voxels = slicer_410(tmp_path / "old.seg.nrrd")
    masks = open_masks(tmp_path / "old.seg.nrrd")
    assert masks.names == ("liver", "liver tumor")
    for number, name in enumerate(masks.names):
        np.testing.assert_array_equal(masks.read(name).array, voxels[number].T.astype(bool))


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("right-posterior-inferior", (1, -1, -1)),
    ],
)
def test_every_space_with_named_sides_is_read_to_the_same_world(tmp_path, space, signs):
    slicer_410(tmp_path / "a.seg.nrrd", space)
    image = open_masks(tmp_path / "a.seg.nrrd").read("liver")
    expected = np.diag([*signs, 1.0]) @ np.array([[2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1.0]])
    np.testing.assert_allclose(image.ijk_to_ras, expected)


def test_a_space_without_sides_is_refused(tmp_path):
    slicer_410(tmp_path / "a.seg.nrrd", "scanner-xyz")
    with pytest.raises(GeometryError, match="left and right are not known"):
        open_masks(tmp_path / "a.seg.nrrd").read("liver")


def write(path, array):
    sitk.WriteImage(sitk.GetImageFromArray(np.asarray(array)), str(path))


def test_values_that_nearly_are_whole_are_rounded_and_said(tmp_path):
    labels = np.zeros((3, 4, 5), np.float32)
    labels[1], labels[2] = 2.9999542, 1
    write(tmp_path / "a.nii.gz", labels)
    with pytest.warns(SATSegmentWarning, match="miss whole numbers by up to 5e-05 and were rounded"):
        read = open_labelmap(tmp_path / "a.nii.gz", {"liver": (3,), "spleen": (1,)})
    assert read("liver").array.sum() == 20
    labels[1] = 2.99
    write(tmp_path / "b.nii.gz", labels)
    with pytest.raises(ScanError, match="holds fractions"):
        open_labelmap(tmp_path / "b.nii.gz", {"liver": (3,), "spleen": (1,)})


def test_nnunets_ignore_is_no_structure_and_is_not_judged(tmp_path):
    reference = np.zeros((4, 10, 10), np.uint8)
    reference[1:3, 2:8, 2:8] = 1
    reference[2, 5:8, 2:8] = 2  # nobody annotated this part
    prediction = np.zeros_like(reference)
    prediction[1:3, 2:8, 2:8] = 1
    for name, labels in (("reference", reference), ("prediction", prediction)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "case1.nii.gz", labels)
    table = {"labels": {"background": 0, "liver": 1, "ignore": 2}}
    (tmp_path / "reference" / "dataset.json").write_text(json.dumps(table))
    (tmp_path / "prediction" / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1}}))
    cases = [find_cases(tmp_path / name) for name in ("reference", "prediction")]
    scores = evaluate(*cases, Datasets("ct"))
    assert {row.key.label: row.metric("dsc") for row in scores.rows} == {"liver": 1.0}


def test_a_table_of_nothing_but_ignore_is_refused_and_training_on_it_too(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps({"Ignore": 1}))
    with pytest.raises(Exception, match="names no structure"):
        read_table(tmp_path / "labels.json")
    write(tmp_path / "a.nii.gz", np.ones((2, 2, 2), np.uint8))
    _, reasons = find_masks("a.nii.gz", {"liver": 1, "ignore": 2}, tmp_path)
    assert any("voxels nobody annotated" in reason for reason in reasons)
