"""`satsegment segment` of a DICOM series, with a DICOM result, and of a NIfTI file that was made from one."""

from __future__ import annotations

import shutil

import nibabel
import numpy as np
import pydicom
import pytest

from helpers.dicom_series import lps_affine, write_classic, write_enhanced
from helpers.models import write_model
from SATSegmentLib.cli import main
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.scans import read_scan
from SATSegmentLib.storage import DicomSource, find_source

SHAPE = (12, 40, 33)
PROMPTS = ["liver", "left kidney"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and one body as a classic series, an enhanced file and a NIfTI file with other axes."""
    root = tmp_path_factory.mktemp("dicom")
    write_model(root / "model", [(name, "ct") for name in PROMPTS])
    affine = lps_affine(SHAPE, [1, 0, 0, 0, 1, 0], tilt=0.4)
    rng = np.random.default_rng(2)
    body = (rng.random(SHAPE) * 200 - 100).astype(int)
    write_classic(root / "classic", body, affine, rng.permutation(SHAPE[0]))
    write_enhanced(root / "enhanced.dcm", body, affine, rng.permutation(SHAPE[0]))
    straight = lps_affine(SHAPE, [1, 0, 0, 0, 1, 0])
    write_classic(root / "straight", body, straight, rng.permutation(SHAPE[0]))
    nifti = nibabel.Nifti1Image(body.T[::-1].astype(np.int16), lps_to_ras(straight) @ np.diag([-1, 1, 1, 1]))
    nifti.affine[:3, 3] = (lps_to_ras(straight) @ [SHAPE[2] - 1, 0, 0, 1])[:3]
    nibabel.save(nibabel.Nifti1Image(body.T[::-1].astype(np.int16), nifti.affine), root / "turned.nii.gz")
    return root


def segment(folder, scan, out, *more):
    words = ["segment", str(folder / scan), "--modality", "ct", "--model", str(folder / "model"), "--out", str(out)]
    return main([*words, *(word for name in PROMPTS for word in ("--prompt", name)), *map(str, more)])


@pytest.mark.parametrize("scan", ["straight", "classic", pytest.param("enhanced.dcm", marks=pytest.mark.long)])
def test_each_dicom_result_holds_the_masks_that_slicers_file_holds(folder, tmp_path, scan):
    assert segment(folder, scan, tmp_path / "a.seg.nrrd") == 0
    assert segment(folder, scan, tmp_path / "a.dcm") == 0
    assert segment(folder, scan, tmp_path / "rt.dcm", "--format", "rtstruct") == 0
    grid = Grid.of(read_scan(folder / scan))
    reference, seg, rt = (open_masks(tmp_path / name) for name in ("a.seg.nrrd", "a.dcm", "rt.dcm"))
    for name, region in zip(PROMPTS, ["Liver", "Kidney_L"], strict=True):
        expected = reference.read(name, grid).array
        assert expected.any()
        np.testing.assert_array_equal(seg.read(name, grid).array, expected)
        np.testing.assert_array_equal(rt.read(region, grid).array, expected)


def test_probabilities_are_written_on_request_and_give_the_same_masks(folder, tmp_path):
    import highdicom

    assert segment(folder, "classic", tmp_path / "a.dcm") == 0
    assert segment(folder, "classic", tmp_path / "p.dcm", "--format", "dicomseg-fractional") == 0
    assert highdicom.seg.segread(tmp_path / "p.dcm").SegmentationType == "FRACTIONAL"
    grid = Grid.of(read_scan(folder / "classic"))
    masks, probabilities = open_masks(tmp_path / "a.dcm"), open_masks(tmp_path / "p.dcm")
    for name in PROMPTS:
        np.testing.assert_array_equal(probabilities.read(name, grid).array, masks.read(name, grid).array)


def test_a_nifti_file_is_written_to_the_series_it_was_made_from(folder, tmp_path):
    assert segment(folder, "turned.nii.gz", tmp_path / "a.seg.nrrd") == 0
    assert segment(folder, "turned.nii.gz", tmp_path / "a.dcm", "--dicom-source", folder / "straight") == 0
    mine = open_masks(tmp_path / "a.seg.nrrd").read("liver").array
    grid = Grid.of(read_scan(folder / "straight"))
    there = open_masks(tmp_path / "a.dcm").read("liver", grid).array
    np.testing.assert_array_equal(there, mine[:, :, ::-1])


def test_of_a_folder_with_several_series_the_one_is_taken_that_shows_the_scan(folder, tmp_path):
    image = read_scan(folder / "turned.nii.gz")
    source = find_source(tmp_path / "a.dcm", image, DicomSource(folder))
    (uid,) = {str(header.SeriesInstanceUID) for header in source.headers}
    assert uid == str(pydicom.dcmread(folder / "straight" / "0000.dcm").SeriesInstanceUID)
    shutil.copytree(folder / "straight", tmp_path / "both" / "one")
    other = pydicom.uid.generate_uid()
    for file in shutil.copytree(folder / "straight", tmp_path / "both" / "two").iterdir():
        data = pydicom.dcmread(file)
        data.SeriesInstanceUID, data.SOPInstanceUID = other, pydicom.uid.generate_uid()
        data.save_as(file)
    with pytest.raises(GeometryError, match=r"2 volumes in .* show the scan's voxels"):
        find_source(tmp_path / "a.dcm", image, DicomSource(tmp_path / "both"))


@pytest.mark.parametrize(
    ("scan", "out", "more", "reason"),
    [
        ("turned.nii.gz", "a.dcm", (), "the scan is not DICOM"),
        ("turned.nii.gz", "a.dcm", ("--dicom-source", "classic"), "of the scan's 12 slices are in the DICOM series"),
        ("straight", "a.nrrd", (), "does not end in .seg.nrrd or .dcm"),
        ("straight", "a.seg.nrrd", ("--format", "rtstruct"), "does not end in .dcm"),
    ],
)
def test_what_cannot_be_written_is_refused(folder, tmp_path, capsys, scan, out, more, reason):
    more = [folder / word if word == "classic" else word for word in more]
    assert segment(folder, scan, tmp_path / out, *more) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
