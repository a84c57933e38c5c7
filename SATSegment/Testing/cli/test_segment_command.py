"""`satsegment segment` on good and bad input, as a person meets it in a terminal."""

from __future__ import annotations

import csv
import json
import shutil

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.models import write_model, write_tiny_checkpoint
from helpers.seeded import GOLDEN
from SATSegmentLib.cli import main

LABELS = [("liver", "ct"), ("left kidney", "ct"), ("right kidney", "ct"), ("vertebrae", "ct"), ("liver", "mri")]
LABELS += [("lumbar vertebrae 1 (l1)", "mri")]  # trained in ASR only


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", LABELS)


@pytest.fixture
def satsegment(model, tmp_path, capsys):
    """Run the command in a folder of its own; returns (exit code, standard output, standard error)."""

    def run(scan, *prompts, modality="ct", out="out.seg.nrrd", more=(), model=model):
        words = ["segment", str(scan), "--modality", modality, "--model", str(model), "--out", str(tmp_path / out)]
        words += [word for prompt in prompts for word in ("--prompt", prompt)]
        code = main([*words, *map(str, more)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_names_become_segments_with_names_colours_and_a_report(satsegment, tmp_path):
    how = ("--windows", "adaptive", "--overlap", "0.25")
    code, out, err = satsegment(
        GOLDEN / "oblique.nii.gz", "hepar", "both kidneys", more=("--report", tmp_path / "report.json", *how)
    )

    assert code == 0
    assert "hepar: liver" in err
    assert all(name in out for name in ("liver", "left kidney", "right kidney", "Research use only"))
    _, header = nrrd.read(str(tmp_path / "out.seg.nrrd"))
    names = [header[f"Segment{number}_Name"] for number in range(3)]
    assert names == ["liver", "left kidney", "right kidney"]
    assert all(len(header[f"Segment{number}_Color"].split()) == 3 for number in range(3))
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["structure"] for row in report["results"]] == names
    assert (report["device"], report["precision"], report["model"]) == ("cpu", "float32", "tiny")
    assert len(report["network_sha256"]) == 64
    assert (report["windows"], report["overlap"]) == ("adaptive", 0.25)
    windows = report["results"][0]["windows"]
    assert 0 < windows["looked_at"] <= windows["total"]
    assert (windows["rule"], windows["overlap"], windows["margin"]) == ("adaptive", 0.25, 0.05)
    assert "windows looked at per structure" in out


def test_a_plan_is_printed_and_nothing_is_run_or_written(model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("SATSegmentLib.inference.segmenter.Segmenter.segment", None)
    words = ["segment", str(GOLDEN / "oblique.nii.gz"), "--modality", "ct", "--model", str(model), "--prompt", "liver"]
    # Added to the command that is meant, or alone.
    for more in (["--out", str(tmp_path / "out.seg.nrrd")], []):
        assert main([*words, *more, "--plan"]) == 0
        assert capsys.readouterr().out.startswith("Plan: 1 structure, 4 windows (4 to encode) on cpu in float32: about")
    assert list(tmp_path.iterdir()) == []
    assert main(words) == 2
    assert "Give --out FILE; or --plan" in " ".join(capsys.readouterr().err.split())


def test_a_plan_tells_what_the_run_would_be_refused_for(satsegment, tmp_path):
    (tmp_path / "out.seg.nrrd").write_text("there")
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver", more=("--plan",))
    assert code == 2
    assert "out.seg.nrrd" in err


def test_flags_and_statistics_are_written_and_strict_makes_them_an_exit_code(satsegment, tmp_path):
    more = ("--table", tmp_path / "table.csv", "--report", tmp_path / "report.json", "--strict")
    code, out, _ = satsegment(GOLDEN / "oblique.nii.gz", "liver", "both kidneys", more=more)

    # Random weights find a liver of any size and place.
    assert code == 5
    assert "(!) liver" in out
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["results"]
    assert {flag["kind"] for row in report for flag in row["flags"]}
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["structure"] for row in rows] == ["liver", "left kidney", "right kidney"]
    assert [float(row["mean"]) for row in rows] == [row["statistics"]["mean"] for row in report]
    assert rows[0]["unit"] == "HU"
    code, _, _ = satsegment(GOLDEN / "oblique.nii.gz", "liver", more=("--overwrite",))
    assert code == 0


def test_orientation_follows_the_label(satsegment, tmp_path):
    code, _, _ = satsegment(
        GOLDEN / "oblique.nii.gz", "liver", "L1", modality="mri", more=("--report", tmp_path / "report.json")
    )

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert code == 0
    assert {row["structure"]: row["orientation"] for row in report["results"]} == {
        "liver": "RAS",
        "lumbar vertebrae 1 (l1)": "ASR",
    }


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_formats_give_the_same_masks(satsegment, tmp_path, suffix):
    scan = tmp_path / f"scan.{suffix}"
    sitk.WriteImage(sitk.ReadImage(str(GOLDEN / "oblique.nii.gz")), str(scan))
    satsegment(GOLDEN / "oblique.nii.gz", "liver", out="a.seg.nrrd")
    satsegment(scan, "liver", out="b.seg.nrrd")

    (a, header_a), (b, header_b) = (nrrd.read(str(tmp_path / f"{name}.seg.nrrd")) for name in "ab")
    assert a.shape == b.shape
    assert np.count_nonzero(a != b) <= 0.001 * np.count_nonzero(a)
    assert np.allclose(header_a["space directions"], header_b["space directions"], atol=1e-4)
    assert np.allclose(header_a["space origin"], header_b["space origin"], atol=1e-3)


def volume(array, spacing=(1.0, 1.0, 3.0), vector=False):
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing((*spacing, 1.0)[: image.GetDimension()])
    return image


NOISE = np.random.default_rng(0).normal(50, 20, (12, 24, 26)).astype(np.float32)
LABEL_MAP = np.zeros((12, 24, 26), np.uint8)
LABEL_MAP[3:9, 4:20, 5:21] = 2
HOLE = NOISE.copy()
HOLE[4, 5, 6] = np.nan


def written(name, image):
    def make(folder):
        sitk.WriteImage(image, str(folder / name))
        return folder / name

    return make


def as_bytes(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def edited_nrrd(old, new):
    def make(folder):
        sitk.WriteImage(volume(NOISE), str(folder / "scan.nrrd"))
        content = (folder / "scan.nrrd").read_bytes()
        assert old in content
        (folder / "scan.nrrd").write_bytes(content.replace(old, new, 1))
        return folder / "scan.nrrd"

    return make


DIRECTIONS = b"space directions: (1,0,0) (0,1,0) (0,0,3)"


@pytest.mark.parametrize(
    ("make", "message", "next_step"),
    [
        (lambda folder: folder / "missing.nii.gz", "no file or folder", "Check"),
        (as_bytes("scan.nii.gz", b"not an image"), "", ""),
        (as_bytes("scan.nrrd", b"NRRD0004\n"), "", ""),
        (written("scan.mha", volume(NOISE[0])), "2", ""),
        (written("scan.nrrd", volume(np.stack([NOISE] * 3, axis=-1), vector=True)), "", ""),
        (written("scan.nrrd", volume(np.stack([NOISE] * 2))), "", "frame"),
        (written("scan.nrrd", volume(HOLE)), "NaN", "Replace"),
        (written("scan.nrrd", volume(np.full_like(NOISE, 3))), "same value", "right image"),
        (written("scan.nrrd", volume(-np.abs(NOISE))), "above zero", "Hounsfield"),
        (written("scan.nrrd", volume(LABEL_MAP)), "label map", "scan"),
        (edited_nrrd(DIRECTIONS, b"space directions: (1,0,0) (0,0,0) (0,0,3)"), "", ""),
        (edited_nrrd(DIRECTIONS, b"space directions: (1,0.5,0) (0,1,0) (0,0,3)"), "", ""),
    ],
)
def test_bad_scans_get_a_clear_error_and_nothing_is_written(satsegment, tmp_path, make, message, next_step):
    scan = make(tmp_path)
    code, _, err = satsegment(scan, "liver")

    assert code == 2
    assert err.startswith("satsegment: ")
    assert "Traceback" not in err
    assert message in err
    assert next_step in err
    assert len(err.split(".")) > 2, "an error has a second sentence: what to do next"
    assert not (tmp_path / "out.seg.nrrd").exists()


@pytest.mark.parametrize(
    ("prompts", "modality", "message"),
    [
        (["  "], "ct", "empty"),
        (["liver;;"], "ct", "empty"),
        (["flux capacitor"], "ct", "not a known structure"),
        (["left amygdala"], "ct", "MRI only"),
        (["spleen"], "ct", "does not know"),  # trained, but not by this model
    ],
)
def test_bad_prompts_get_a_clear_error(satsegment, prompts, modality, message):
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", *prompts, modality=modality)

    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_structure_that_is_named_twice_is_segmented_once(satsegment, tmp_path):
    code, _, _ = satsegment(GOLDEN / "oblique.nii.gz", "liver", "Liver", "hepar")

    _, header = nrrd.read(str(tmp_path / "out.seg.nrrd"))
    assert code == 0
    assert header["Segment0_Name"] == "liver"
    assert "Segment1_Name" not in header


def test_output_that_exists_is_kept_unless_told_otherwise(satsegment, tmp_path):
    (tmp_path / "out.seg.nrrd").write_text("mine", encoding="utf-8")
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver")
    assert (code, (tmp_path / "out.seg.nrrd").read_text(encoding="utf-8")) == (2, "mine")
    assert "--overwrite" in err

    code, _, _ = satsegment(GOLDEN / "oblique.nii.gz", "liver", more=["--overwrite"])
    assert code == 0
    assert nrrd.read_header(str(tmp_path / "out.seg.nrrd"))["Segment0_Name"] == "liver"


def test_output_folder_that_is_not_there_is_an_error(satsegment):
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver", out="nowhere/out.seg.nrrd")
    assert code == 2
    assert "does not exist" in err


def test_full_disk_leaves_the_older_result(satsegment, tmp_path, monkeypatch):
    satsegment(GOLDEN / "oblique.nii.gz", "liver")
    before = (tmp_path / "out.seg.nrrd").read_bytes()

    def no_room(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_room)
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver", "left kidney", more=["--overwrite"])

    assert code == 2
    assert "disk is full" in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.seg.nrrd"]
    assert (tmp_path / "out.seg.nrrd").read_bytes() == before


def test_device_that_is_not_there_is_an_error(satsegment):
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver", more=["--device", "cuda:9"])
    assert code == 2
    assert "cuda:9" in err


def test_model_that_is_not_there_is_an_error(satsegment, tmp_path):
    assert satsegment(GOLDEN / "oblique.nii.gz", "liver", model="sat-pro")[0] == 2
    assert "not a model folder" in satsegment(GOLDEN / "oblique.nii.gz", "liver", model=tmp_path)[2]


def test_intensities_of_another_modality_are_warned_about(satsegment, tmp_path):
    sitk.WriteImage(volume(np.abs(NOISE)), str(tmp_path / "scan.nrrd"))
    code, _, err = satsegment(tmp_path / "scan.nrrd", "liver")
    assert code == 0
    assert "Warning: The intensities" in err


def test_convert_and_models_commands(tmp_path, capsys, monkeypatch):
    network = write_tiny_checkpoint(tmp_path / "network.pth")
    window = ["--window", "64", "64", "32"]
    assert main(["convert", str(network), "--out", str(tmp_path / "models" / "tiny"), *window]) == 2
    (tmp_path / "models").mkdir()
    assert main(["convert", str(network), "--out", str(tmp_path / "models" / "tiny"), *window]) == 0
    assert "query vectors only" in capsys.readouterr().out

    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    assert main(["models", "--json"]) == 0
    listed = {row["name"]: row["installed"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert listed["tiny"]
    assert not listed["sat-pro"]
    shutil.rmtree(tmp_path / "models")
    assert main(["models"]) == 0


def test_a_structure_that_the_model_does_not_know_does_not_stop_the_others(satsegment, tmp_path):
    code, out, err = satsegment(
        GOLDEN / "oblique.nii.gz", "liver", "spleen", "left kidney", more=("--report", tmp_path / "report.json")
    )
    assert code == 4
    line = next(line for line in out.splitlines() if line.startswith("spleen"))
    assert "unknown" in line
    assert "not known to this model" in line
    assert "not trained on spleen" in err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    statuses = {row["structure"]: row["status"] for row in report["results"]}
    assert statuses["spleen"] == "unknown"
    assert statuses["liver"] in ("found", "empty")
    _, header = nrrd.read(str(tmp_path / "out.seg.nrrd"))
    assert "spleen" not in [header.get(f"Segment{number}_Name") for number in range(3)]


def test_nothing_but_unknown_structures_is_an_error(satsegment, tmp_path):
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "spleen", "pancreas")
    assert code == 2
    assert "spleen" in err
    assert not (tmp_path / "out.seg.nrrd").exists()


@pytest.mark.parametrize(("stops", "left"), [("files.write_report", 1), ("storage.write_results", 0)])
def test_a_cancel_says_whether_the_masks_are_there(satsegment, tmp_path, monkeypatch, stops, left):
    def interrupted(*what, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"SATSegmentLib.{stops}", interrupted)
    code, _, err = satsegment(GOLDEN / "oblique.nii.gz", "liver", more=("--report", tmp_path / "report.json"))
    assert code == 1
    assert ("out.seg.nrrd is whole" in err, "nothing was written" in err) == (left == 1, left == 0)
    assert len(list(tmp_path.iterdir())) == left
