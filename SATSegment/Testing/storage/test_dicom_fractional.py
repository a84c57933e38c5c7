"""Probabilities as a fractional DICOM Segmentation: every level where it was, and the masks of one half on reading."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess

import highdicom
import numpy as np
import pytest

from helpers.axis_orders import ORDERS, reordered
from helpers.dicom_results import ALGORITHM, ORIENTATIONS, SHAPE, masks, result_of, source_frames, to_ras
from helpers.dicom_series import lps_affine, write_classic, write_enhanced
from SATSegmentLib.errors import OutputError
from SATSegmentLib.grid.cropped_probability import CroppedProbability
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.storage.dicom_seg import write_dicom_seg
from SATSegmentLib.storage.dicom_series import match_series

NAMES = ("left kidney", "liver tumor")


def probabilities() -> dict[str, np.ndarray]:
    """Above one half in the masks and at most one half elsewhere; zero in part of the scan; they overlap."""
    rng = np.random.default_rng(11)
    found = {}
    for name in NAMES:
        mask = masks()[name]
        values = np.where(mask, rng.uniform(0.5001, 1, SHAPE), rng.uniform(0, 0.5, SHAPE)).astype(np.float32)
        values[~mask & (rng.random(SHAPE) < 0.1)] = 0.5
        values[0] = 0
        found[name] = values
    return found


def series_of(tmp_path, name, tilt, form):
    affine = lps_affine(SHAPE, ORIENTATIONS[name], tilt=tilt)
    order = np.random.default_rng(1).permutation(SHAPE[0])
    if form == "classic":
        write_classic(tmp_path / "scan", np.zeros(SHAPE, int), affine, order)
    else:
        write_enhanced(tmp_path / "scan" / "a.dcm", np.zeros(SHAPE, int), affine, order)
    return source_frames(tmp_path / "scan"), affine


def written(tmp_path, source, order=((0, 1, 2), (False, False, False))):
    """The file of a scan with these axes, and the grid of the series itself."""
    frames, affine = source
    results = []
    for name, values in probabilities().items():
        turned, lps = reordered(values, affine, *order)
        mask, _ = reordered(masks()[name], affine, *order)
        kept = CroppedProbability.from_array(turned)
        results.append(dataclasses.replace(result_of(mask, name), probability=kept))
    series = match_series(frames, turned.shape, to_ras(lps))
    write_dicom_seg(tmp_path / "seg.dcm", series, results, ALGORITHM, kind="fractional")
    return tmp_path / "seg.dcm", series, Grid(SHAPE, to_ras(affine))


@pytest.mark.parametrize(
    ("name", "tilt", "form", "order"),
    [
        ("axial", 0.0, "classic", 0), ("oblique", 0.9, "enhanced", 17), ("sagittal", 0.0, "enhanced", 30),
        ("coronal", 0.9, "classic", 47),
    ],
)  # fmt: skip
def test_every_level_is_where_it_was(tmp_path, name, tilt, form, order):
    file, series, grid = written(tmp_path, series_of(tmp_path, name, tilt, form), ORDERS[order])
    seg = highdicom.seg.segread(file)
    assert (seg.SegmentationType, seg.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert seg.MaximumFractionalValue == 255
    pixels = seg.pixel_array
    for number, values in enumerate(probabilities().values(), start=1):
        rebuilt = np.zeros(SHAPE)
        for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence):
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
                place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
                apart = [np.abs(frame.position - place).max() for frame in series.frames]
                assert min(apart) < 1e-4
                rebuilt[int(np.argmin(apart))] = pixels[index] / 255
        np.testing.assert_allclose(rebuilt, values, atol=0.5 / 255 + 1e-6)
    opened = open_masks(file)
    for text in NAMES:
        np.testing.assert_array_equal(opened.read(text, grid).array, masks()[text])


def test_results_without_probabilities_are_refused(tmp_path):
    frames, affine = series_of(tmp_path, "axial", 0.0, "classic")
    series = match_series(frames, SHAPE, to_ras(affine))
    with pytest.raises(OutputError, match="hold masks only"):
        write_dicom_seg(
            tmp_path / "seg.dcm", series, [result_of(masks()["spleen"], "spleen")], ALGORITHM, kind="fractional"
        )
    assert not (tmp_path / "seg.dcm").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian's dicom3tools is not installed")
@pytest.mark.parametrize("form", ["classic", "enhanced"])
def test_the_validator_finds_no_errors(tmp_path, form):
    file, _, _ = written(tmp_path, series_of(tmp_path, "oblique", 0.9, form))
    done = subprocess.run(["dciodvfy", "-new", file], capture_output=True, text=True, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")] == []


@pytest.mark.parametrize("value", [0.0, 0.0019, 0.0021, 0.49999, 0.5, 0.50001, 0.999, 1.0])
def test_a_level_above_the_middle_is_a_probability_above_one_half(value):
    kept = CroppedProbability.from_array(np.full((1, 1, 1), value, np.float32))
    level = int(kept.levels[0, 0, 0]) if kept.levels.size else 0
    assert (level >= 128) == (value > 0.5)
    assert abs(level / 255 - value) <= 0.5 / 255 + 1e-6
