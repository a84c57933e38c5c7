"""`satsegment challenge`: a model folder of the family, cases as the container has them, scans by a named rule."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK
from challenge.challenge_models import challenge_model, released_pair, write_case

from helpers.models import TINY_WINDOW
from SATSegmentLib.challenge.intensities import CT_WINDOWS, RULES, windowed
from SATSegmentLib.challenge.segmenter import ChallengeSegmenter
from SATSegmentLib.cli import main
from SATSegmentLib.engine.tasks import in_this_process
from SATSegmentLib.errors import CheckpointError, PairMismatch, ReleaseQuestion, ScanError
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.models.catalog import catalog, installed_models
from SATSegmentLib.models.folder import ModelDescription, read_description
from SATSegmentLib.models.install import Installer
from SATSegmentLib.sat.checkpoint.convert import convert


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return challenge_model(tmp_path_factory.mktemp("challenge"))


def test_a_folder_of_cases_becomes_a_folder_of_results(model, tmp_path, capsys):
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    images = np.load(write_case(inputs / "US_leg.npz"))["imgs"]
    write_case(inputs / "Microscopy_cells.npz")
    command = ["challenge", str(inputs), "--model", str(model), "--out", str(tmp_path / "outputs"), "--device", "cpu"]
    assert main(command) == 0
    assert "of 2 phrases found" in capsys.readouterr().out
    for name in ("US_leg.npz", "Microscopy_cells.npz"):
        labels = np.load(tmp_path / "outputs" / name)["segs"]
        assert labels.shape == images.shape
        assert set(np.unique(labels)) <= {0, 1, 3}
    assert main(command) == 2  # the results are there already
    assert main([*command, "--overwrite"]) == 0


def test_a_doubt_about_a_case_is_told_once_and_a_refusal_comes_before_the_model(model, tmp_path, capsys):
    case = write_case(tmp_path / "US_leg.npz", spacing=np.full(3, 1e4))
    command = ["challenge", str(case), "--model", str(model), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(command) == 0
    assert capsys.readouterr().err.count("Warning: US_leg.npz: The voxels are") == 1
    write_case(tmp_path / "US_leg.npz", spacing=np.zeros(3))
    assert main([*command, "--model", "no-such-model", "--overwrite"]) == 2
    assert "each must be finite and above zero (1e-06 mm at least). Correct the spacing" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_scan_needs_a_modality_a_prompt_and_a_rule_and_gets_masks_on_its_grid(model, tmp_path, capsys):
    image = SimpleITK.GetImageFromArray(np.random.default_rng(2).normal(900, 200, (20, 24, 28)).astype(np.float32))
    image.SetSpacing((0.5, 0.5, 1.5))
    SimpleITK.WriteImage(image, str(tmp_path / "leg.nii.gz"))
    command = ["challenge", str(tmp_path / "leg.nii.gz"), "--model", str(model), "--out", str(tmp_path / "results")]
    command += ["--device", "cpu"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "--modality, --prompt, --intensities" in said
    assert all(rule in said for rule in RULES)
    assert not (tmp_path / "results").exists()
    command += ["--modality", "us", "--prompt", "Liver", "--prompt", "Left kidney", "--intensities"]
    assert main([*command, "stored"]) == 2  # values of 900 are no grey values
    assert main([*command, "percentiles"]) == 0
    assert "free text" in capsys.readouterr().out
    assert SimpleITK.ReadImage(str(tmp_path / "results" / "leg.seg.nrrd")).GetSize()[:3] == (28, 24, 20)


@pytest.mark.parametrize("options", [["--prompt", "liver"], ["--intensities", "stored"]])
def test_what_a_case_says_itself_is_not_said_again(model, tmp_path, options):
    case = write_case(tmp_path / "US_leg.npz")
    command = ["challenge", str(case), "--model", str(model), "--out", str(tmp_path / "out")]
    assert main([*command, *options]) == 2


def test_a_result_never_replaces_its_case(model, tmp_path):
    case = write_case(tmp_path / "US_leg.npz")
    before = case.read_bytes()
    assert main(["challenge", str(case), "--model", str(model), "--out", str(tmp_path), "--overwrite"]) == 2
    assert case.read_bytes() == before


def test_rules_do_what_their_names_say():
    hounsfield = np.array([[[-3000.0, -160.0, 40.0, 240.0, 3000.0]]])
    assert windowed(hounsfield, "ct-soft-tissue").tolist() == [[[0, 0, 127, 255, 255]]]
    for rule, (width, level) in CT_WINDOWS.items():
        ends = np.array([[[level - width / 2, level + width / 2]]])
        assert windowed(ends, rule).tolist() == [[[0, 255]]], rule
    ramp = np.concatenate([np.linspace(-50, 0, 500), np.arange(1, 1002)]).reshape(1, 1, -1)
    image = windowed(ramp, "percentiles")
    assert image.dtype == np.uint8
    assert not image[ramp <= 0].any()
    low, high = np.percentile(ramp[ramp > 0], (0.5, 99.5))
    assert not image[ramp <= low].any()
    assert (image[ramp >= high] == 255).all()
    np.testing.assert_array_equal(windowed(np.array([[[0, 7, 255]]]), "stored"), [[[0, 7, 255]]])


@pytest.mark.parametrize(
    ("array", "rule"),
    [([0, 256], "stored"), ([-1, 5], "stored"), ([0, 0], "percentiles"), ([3, 3], "percentiles"), ([0, 1], "nonsense")],
)
def test_no_rule_is_bent_to_fit(array, rule):
    with pytest.raises(ScanError) as caught:
        windowed(np.array([[array]], np.float32), rule)
    assert caught.value.remedy


def test_the_two_families_do_not_run_each_others_models(model):
    with pytest.raises(CheckpointError, match="family 'cvpr25'") as caught:
        Segmenter.load(model, device="cpu")
    assert "satsegment challenge" in str(caught.value)
    with pytest.raises(CheckpointError, match="family 'sat'") as caught:
        ChallengeSegmenter.load("demo")
    assert "satsegment segment" in str(caught.value)


def test_a_model_of_the_family_is_described_verified_and_has_no_list_of_labels(model):
    description = read_description(model, "cvpr25")
    assert description.text_sha256
    assert not description.knows_labels
    assert not (model / "bank.safetensors").exists()
    assert in_this_process("verify", {"folder": str(model)}) == "Tiny challenge"


def test_the_panel_and_a_server_offer_no_model_that_they_cannot_run(model, tmp_path, monkeypatch):
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path))
    shutil.copytree(model, tmp_path / "of-the-challenge")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model.json").write_text("{", encoding="utf-8")
    names = [folder.name for folder in installed_models("sat")]
    assert names == ["demo", "damaged"]  # what is damaged says so when it is chosen
    assert [folder.name for folder in installed_models()] == [*names, "of-the-challenge"]


def test_the_catalog_lists_the_family():
    (entry,) = [entry for entry in catalog() if entry.family == "cvpr25"]
    assert entry.network == "Nano/nano_cvpr25_v0.pth"
    assert entry.text_encoder == "Nano/text_encoder_cvpr25_v0.pth"


def test_its_released_files_are_imported_under_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    (tmp_path / "stick").mkdir()
    released_pair(tmp_path / "stick")
    (entry,) = [entry for entry in catalog() if entry.family == "cvpr25"]
    folder = Installer(in_this_process).import_folder(entry, tmp_path / "stick")
    assert read_description(folder, "cvpr25").name == entry.title
    # And once more from the folder that it became.
    carried = folder.rename(tmp_path / "carried")
    assert Installer(in_this_process).import_folder(entry, carried.parent / "carried") == folder


def test_a_network_whose_name_does_not_tell_is_asked_for(tmp_path, capsys):
    network, text, language_model = released_pair(tmp_path, "nano_100percent.pth")
    out = tmp_path / "model"
    with pytest.raises(ReleaseQuestion) as caught:
        convert(network, out, ModelDescription("x", TINY_WINDOW), text, language_model)
    assert caught.value.candidates == ("sat-nano-cvpr25",)
    assert not out.exists()
    command = ["convert", str(network), "--text", str(text), "--language-model", str(language_model)]
    command += ["--out", str(out), "--window", *map(str, TINY_WINDOW)]
    assert main(command) == 2
    assert "--release" in capsys.readouterr().err
    assert main([*command, "--release", "sat-nano-cvpr25"]) == 0
    assert "satsegment challenge" in capsys.readouterr().out
    assert read_description(out, "cvpr25").family == "cvpr25"


def test_the_challenges_text_encoder_does_not_go_with_sats_own_network(tmp_path):
    network, text, language_model = released_pair(tmp_path, "nano.pth")
    with pytest.raises(PairMismatch, match="challenge"):  # by their names
        convert(network, tmp_path / "model", ModelDescription("x", TINY_WINDOW), text, language_model)
    text = text.rename(tmp_path / "words.pth")
    with pytest.raises(PairMismatch, match="five modalities"):
        convert(network, tmp_path / "model", ModelDescription("x", TINY_WINDOW), text, language_model)
