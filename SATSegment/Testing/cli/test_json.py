"""With --json standard output is one document, of the schema that `satsegment schema` prints; so are errors."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from helpers.small_model import headLikeImage, makeModel
from SATSegmentLib.cli import main
from SATSegmentLib.cli.main import _COMMANDS, build_parser
from SATSegmentLib.cli.schema import load_schemas
from SATSegmentLib.resources import resource_path

jsonschema = pytest.importorskip("jsonschema")
SCHEMAS = load_schemas()
ENDLESS = {"serve", "mcp"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(makeModel(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> str:
    image = headLikeImage()
    path = tmp_path_factory.mktemp("scan") / "head.nii.gz"
    nibabel.Nifti1Image(image.array.transpose(2, 1, 0), image.ijk_to_ras).to_filename(path)
    return str(path)


def document(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict:
    assert main([*words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMAS["error" if "error" in found else words[0]])
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("terms", "lt kidn", "--modality", "ct"),
        ("terms", "--resolve", "lt kidney", "--modality", "ct"),
        ("terms", "--resolve", "kidneys", "--modality", "ct"),
        ("terms", "--about", "liver"),
        ("terms", "--tree", "liver"),
        ("models",),
        ("inspect", str(resource_path("Demo/itk_t1.nii.gz"))),
        ("schema", "segment"),
        ("teach", "--list"),
    ],
)
def test_documents_are_of_their_schema(capsys, words, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    document(capsys, *words)


@pytest.mark.parametrize("words", [("zork",), ("--resolve", "kidny stone"), ("--resolve", "gall bladder wall")])
def test_what_is_not_known_is_a_document_too(capsys, words):
    document(capsys, "terms", *words, "--modality", "ct", code=4)


def test_a_report_as_a_document(capsys, tmp_path):
    file = tmp_path / "report.txt"
    file.write_text("The liver is normal. No renal cyst.")
    assert document(capsys, "report", str(file), "--modality", "ct")["mentions"]


def test_a_segmentation_tells_what_its_report_tells(capsys, tmp_path, model, head):
    words = ["segment", head, "--modality", "mri", "--prompt", "left hippocampus; brainstem", "--model", model]
    report = tmp_path / "report.json"
    words += ["--windows", "adaptive"]
    out = str(tmp_path / "a.seg.nrrd")
    plan = document(capsys, *words, "--plan", "--device", "cpu")["plan"]
    assert plan["peak_bytes"] < plan["free_bytes"]
    assert plan["text"].startswith("2 structures")
    found = document(capsys, *words, "--out", out, "--device", "cpu", "--report", str(report))
    assert [one["structure"] for one in found["results"]] == ["left hippocampus", "brainstem"]
    assert found["out"] == out
    told = json.loads(report.read_text())
    assert {key: found[key] for key in told} == told


def test_errors_are_documents_with_the_candidates_of_a_question(capsys, tmp_path, head):
    words = ["segment", head, "--modality", "mri", "--out", str(tmp_path / "a.seg.nrrd")]
    error = document(capsys, *words, "--prompt", "hippocampus tail of nowhere", code=2)["error"]
    assert error["kind"] == "NameQuestion"
    assert "candidates" in error["details"]
    gone = document(capsys, "inspect", str(tmp_path / "gone.nii"), code=2)["error"]
    assert gone["kind"] == "ScanError"
    assert gone["remedy"]


def test_every_command_that_ends_has_json_and_a_schema():
    for command in sorted(set(_COMMANDS) - ENDLESS):
        actions = build_parser(command)._subparsers._group_actions[0].choices[command]._option_string_actions
        assert "--json" in actions, command
    # That each command's document is of its schema is held wherever a test runs the command: see conftest.py.
    assert set(SCHEMAS) == set(_COMMANDS) - ENDLESS | {"error"}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_what_is_printed_for_people_goes_to_standard_error(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["teach", "--list", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["words"] == []
    assert "No word" in captured.err
    assert Path(json.loads(captured.out)["command"]).name == "teach"
    assert np.isfinite(json.loads(captured.out)["exit_code"])
