"""`satsegment inspect` says what a scan is and what it leaves open, before anything is run."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pydicom
import pytest

from helpers.dicom_files import ROOT, stack, write_classic
from SATSegmentLib.cli import main
from SATSegmentLib.resources import resource_path

VOLUME = np.random.default_rng(9).integers(0, 2000, (6, 8, 9)).astype(np.int16)


@pytest.fixture
def inspected(capsys):
    """Run the command; returns (exit code, standard output)."""

    def run(*words):
        code = main(["inspect", *map(str, words)])
        return code, capsys.readouterr().out

    return run


def test_a_ct_series_is_described(tmp_path, inspected):
    write_classic(tmp_path, stack(VOLUME, intercept=-1024))
    code, out = inspected(tmp_path)
    assert code == 0
    for words in ("DICOM", "9 x 8 x 6 voxels", "1 x 1 x 2.5 mm", "LPS", "-1020", "HU", "ct: DICOM says CT"):
        assert words in out


def test_series_and_volumes_are_listed_with_how_to_choose_them(tmp_path, inspected):
    echoes = [one for echo in (2.0, 5.0) for one in stack(VOLUME, tags={"EchoTime": echo})]
    write_classic(tmp_path, echoes, modality="MR", series=ROOT + "1")
    write_classic(tmp_path, stack(VOLUME), series=ROOT + "2")
    seg = pydicom.dcmread(next(tmp_path.glob("*2_0000.dcm")))
    seg.SOPClassUID, seg.SeriesInstanceUID, seg.SOPInstanceUID = (
        pydicom.uid.SegmentationStorage,
        ROOT + "3",
        ROOT + "3.1",
    )
    seg.save_as(tmp_path / "seg.dcm")
    code, out = inspected(tmp_path)
    assert code == 2
    for words in (
        "--series 1 --volume 1",
        "--series 1 --volume 2",
        "echo time 5 ms",
        "--series 2:",
        "passed over Segmentation",
    ):
        assert words in out
    code, out = inspected(tmp_path, "--series", "1", "--volume", "2")
    assert code == 0
    assert "mri: DICOM says MR" in out


def test_what_is_wrong_with_a_series_is_said_beside_it(tmp_path, inspected):
    slices = stack(VOLUME)
    del slices[2]
    write_classic(tmp_path, slices)
    code, out = inspected(tmp_path)
    assert code == 2
    assert "cannot be segmented: Slices are missing" in out
    assert "Not ready to be segmented" in out


def test_an_option_that_the_scan_has_no_use_for_is_refused_as_by_a_run(tmp_path, inspected):
    write_classic(tmp_path, stack(VOLUME))
    code, out = inspected(tmp_path, "--frame", "0")
    assert (code, "DICOM has no frames to pick from" in out) == (2, True)
    for option, words in (("--series", "not a folder with DICOM series"), ("--volume", "no volumes to choose")):
        code, out = inspected(resource_path("Demo/itk_t1.nii.gz"), option, "2")
        assert (code, words in out) == (2, True)


def test_a_tilted_series_is_said_to_be_tilted(tmp_path, inspected):
    write_classic(tmp_path, stack(VOLUME, (0, 0.6, 2.5)))
    code, out = inspected(tmp_path)
    assert code == 0
    assert "13.5 degrees" in out


def test_a_file_without_orientation_shows_its_doubt(tmp_path, inspected):
    image = nibabel.Nifti1Image(VOLUME.T - 1000, None)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    image.to_filename(tmp_path / "a.nii")
    code, out = inspected(tmp_path / "a.nii", "--json")
    found = json.loads(out)
    assert code == 0
    assert [doubt["kind"] for doubt in found["doubts"]] == ["sides"]
    assert found["format"] == "NIfTI-1"
    assert found["size_ijk"] == [9, 8, 6]
    assert found["modality"] == "ct"
    assert "air" in found["modality_reason"]
    assert found["problem"] == ""


def test_a_4d_file_asks_for_a_frame(tmp_path, inspected):
    nibabel.Nifti1Image(np.stack([VOLUME.T] * 3, -1), np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    code, out = inspected(tmp_path / "a.nii.gz")
    assert code == 2
    assert "3 frames" in out
    assert inspected(tmp_path / "a.nii.gz", "--frame", 1)[0] == 0


def test_what_is_not_there_is_an_error(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "none.nii")]) == 2
    assert "no file" in capsys.readouterr().err
