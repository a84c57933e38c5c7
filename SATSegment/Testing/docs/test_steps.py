"""The steps that Docs show run as they stand there, with small networks in place of the released ones."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does
import yaml

from helpers.language_models import bert_folder, medcpt_vocabulary, mpnet_folder, small_keys, small_text_checkpoint
from helpers.seeded import manifest, write_released
from SATSegmentLib.cli import main
from SATSegmentLib.models.catalog import installed_models
from SATSegmentLib.models.folder import CHALLENGE_FAMILY, FAMILY, read_description
from SATSegmentLib.models.releases import RELEASES

DOCS = Path(__file__).parent.parent.parent.parent / "Docs"
# The released window takes a GPU.
WINDOW = ("--window", "64", "32", "32")
SHORT = {"steps": 1, "validate_every": 1, "checkpoint_every": 1, "warmup_steps": 1} | {
    "workers": 0,
    "validation_samples": 1,
}


def section() -> str:
    _, _, rest = (
        (DOCS / "training.md").read_text(encoding="utf-8").partition("## Fine-tune a released model, step by step\n")
    )
    return rest.partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(), re.MULTILINE | re.DOTALL)


def commands(backbone: str) -> list[list[str]]:
    """The steps for one backbone: what is for all, and what names it."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    others = {"sat-nano", "umamba", "swinunetr"} - {backbone}
    return [shlex.split(line) for line in lines if not any(other in line for other in others)]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The folder in which a reader stands: scans, masks and records as the page names them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    for name, records in zip(("records", "validation"), blocks("json"), strict=True):
        Path(f"{name}.jsonl").write_text(records, encoding="utf-8")
    for folder in ("ct", "masks", "models"):
        Path(folder).mkdir()
    for number in (1, 2, 3, 4):
        rng = np.random.default_rng(number)
        labels = np.zeros((16, 24, 24), np.uint8)
        labels[4:8, 6:12, 6:12], labels[9:13, 13:20, 13:20] = 1, 2
        scan = np.where(labels > 0, 60, -1000) + rng.normal(0, 15, labels.shape)
        sitk.WriteImage(sitk.GetImageFromArray(scan.astype(np.int16)), f"ct/00{number}.nii.gz")
        sitk.WriteImage(sitk.GetImageFromArray(labels), f"masks/00{number}.nii.gz")
    return tmp_path


def write_downloads(backbone: str) -> None:
    """The files that the page has its reader get."""
    if backbone == "sat-nano":
        write_released(Path("nano.pth"), manifest("tiny")["keys"])
        small_text_checkpoint(Path("nano_text_encoder.pth"), query_dim=48)
        mpnet_folder(Path("BioLORD-2023-C"))
    else:
        write_released(Path(f"{backbone}.pth"), manifest(backbone)["keys"])
        small_text_checkpoint(Path("text_encoder.pth"), "bert", width=48)
        bert_folder(Path("MedCPT-Query-Encoder"), medcpt_vocabulary())


def run(words: list[str]) -> int:
    if words[0] in ("pip", "mkdir"):
        return 0
    if words[0] == "cp":
        target = Path(words[3].replace("~/.local/share/SATSegment/models", "models"))
        return 0 if shutil.copytree(words[2], target) else 1
    if words[1] == "download":
        out = "models/sat-nano"
        files = ["nano.pth", "--text", "nano_text_encoder.pth", "--language-model", "BioLORD-2023-C"]
        return main(["convert", *files, "--out", out, *WINDOW])
    return main(words[1:] + list(WINDOW) * (words[1] == "convert"))


@pytest.mark.parametrize(
    "backbone", ["umamba", *(pytest.param(name, marks=pytest.mark.long) for name in ("sat-nano", "swinunetr"))]
)
def test_each_step_can_be_pasted(backbone, site, capsys):
    write_downloads(backbone)
    (config,) = map(yaml.safe_load, blocks("yaml"))
    Path("site.yaml").write_text(yaml.safe_dump(config | {"training": config["training"] | SHORT}), encoding="utf-8")
    for words in commands(backbone):
        assert run(words) == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"
    assert Path("liver.seg.nrrd").is_file()
    assert site / "models" / "site-liver" in installed_models(FAMILY)
    asked = ["segment", "ct/004.nii.gz", "--modality", "ct", "--model", "site-liver", "--prompt"]
    assert main([*asked, "gallbladder", "--out", "g.seg.nrrd"]) == 2
    assert "was not trained on" in capsys.readouterr().err


def test_records_and_commands_are_those_of_a_whole_walk():
    for backbone in ("sat-nano", "umamba", "swinunetr"):
        words = [command[1] for command in commands(backbone) if command[0] == "satsegment"]
        assert words == ["download" if backbone == "sat-nano" else "convert", "finetune", "segment", "models"]
    patients = [json.loads(line)["patient_id"] for block in blocks("json") for line in block.splitlines()]
    assert patients == ["001", "002", "003"]


def convert_examples() -> dict[str, list[str]]:
    """The lines of released-models.md, by the release that each makes."""
    lines = (DOCS / "released-models.md").read_text(encoding="utf-8").splitlines()
    found = [shlex.split(line)[1:] for line in lines if line.startswith("    satsegment convert ")]
    return {words[-1]: words for words in found}


def test_each_released_network_has_an_example():
    assert list(convert_examples()) == [release.name for release in RELEASES]


@pytest.mark.long
@pytest.mark.parametrize("release", RELEASES, ids=lambda one: one.name)
def test_each_released_network_is_converted_as_its_example_says(release, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = convert_examples()[release.name]
    network, text, language_model = (Path(words[n]) for n in (1, 3, 5))
    write_released(network, manifest(release.shape if release.shape in ("umamba", "swinunetr") else "tiny")["keys"])
    if release.text == "ours":
        keys = small_keys("ours", query_dim=48)
        keys["module.modality_embed.weight"] = [5 if release.family == CHALLENGE_FAMILY else 4, 48]
        write_released(text, keys)
        mpnet_folder(language_model)
    else:
        small_text_checkpoint(text, "bert", width=48)
        bert_folder(language_model, medcpt_vocabulary() if release.text == "medcpt" else None)
    assert main([*words, *WINDOW]) == 0
    assert read_description(Path(words[-1]), family=None).family == release.family
