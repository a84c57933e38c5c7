"""A DICOM series with gantry tilt from the command line: told, segmented, and its masks on its own slices."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers.dicom_series import lps_affine, write_classic
from helpers.models import write_model
from SATSegmentLib.cli import main
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.scans import read_scan

SHAPE = (14, 40, 36)
AXIAL = (1, 0, 0, 0, 1, 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", [("liver", "ct"), ("spleen", "ct")])


def body() -> np.ndarray:
    values = np.random.default_rng(4).normal(60, 200, SHAPE)
    values[:, :4] = values[:, -4:] = -1000
    return values.clip(-1000, 1500).astype(np.int16)


def segment(scan, model, folder, capsys) -> tuple[str, dict]:
    words = ["segment", scan, "--modality", "ct", "--model", model, "--prompt", "liver", "--prompt", "spleen"]
    words += ["--out", folder / "out.seg.nrrd", "--report", folder / "report.json", "--overwrite"]
    assert main(list(map(str, words))) == 0
    return capsys.readouterr().err, json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_a_tilted_series_is_segmented_on_its_own_slices(model, tmp_path, capsys):
    write_classic(tmp_path / "ct", body(), lps_affine(SHAPE, AXIAL, tilt=0.7))

    err, report = segment(tmp_path / "ct", model, tmp_path, capsys)

    assert "slices are tilted by 15.6 degrees" in err
    assert report["slice_tilt_degrees"] == pytest.approx(15.64, abs=0.01)
    scan = read_scan(tmp_path / "ct")
    found = [row["structure"] for row in report["results"] if row["status"] == "found"]
    assert found, "a network that finds nothing would prove nothing"
    masks = open_masks(tmp_path / "out.seg.nrrd")
    for name, row in zip(found, report["results"], strict=True):
        mask = masks.read(name)
        assert mask.array.shape == SHAPE
        np.testing.assert_allclose(mask.ijk_to_ras, scan.ijk_to_ras, atol=1e-4)
        assert mask.array.sum() == row["voxels"]
        assert row["volume_ml"] == pytest.approx(row["voxels"] * Grid.of(scan).voxel_ml, rel=1e-3)
    # Compared with itself: the grid is one that can be evaluated, too.
    own = str(tmp_path / "out.seg.nrrd")
    assert main(["evaluate", own, own, "--modality", "ct", "--out", str(tmp_path / "scores")]) == 0
    assert "1.000" in capsys.readouterr().out


def test_a_straight_series_says_nothing_of_tilt(model, tmp_path, capsys):
    write_classic(tmp_path / "ct", body(), lps_affine(SHAPE, AXIAL))
    err, report = segment(tmp_path / "ct", model, tmp_path, capsys)
    assert "tilted" not in err
    assert report["slice_tilt_degrees"] == 0
