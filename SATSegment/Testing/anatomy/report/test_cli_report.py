"""`satsegment report` as it is called."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from SATSegmentLib.cli.main import main


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["report", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_holds_places_labels_and_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.txt"
    file.write_text("No pleural effusion. Status post left nephrectomy.", encoding="utf-8")
    code, out, _ = run([str(file), "--modality", "ct", "--json"], capsys)
    first, second = json.loads(out)["mentions"]
    assert code == 0
    assert (first["start"], first["end"], first["labels"], first["negated"]) == (3, 19, ["lung effusion"], True)
    assert (second["labels"], second["historical"], second["uncertain"]) == (["left kidney"], True, False)
    assert (first["certainty"], second["certainty"]) == ("absent", "removed")


def test_without_json_it_is_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.txt"
    file.write_bytes("No kidney cyst.\nNormal ribs.".encode("utf-16"))
    _, out, _ = run([str(file), "--modality", "ct"], capsys)
    lines = out.splitlines()
    assert lines[0].split() == ["PLACE", "STATUS", "WORDS", "LABELS"]
    assert "absent" in lines[1]
    assert "and 20 more" in lines[2]


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Größe der liver".encode("cp1252"))))
    code, out, _ = run(["-", "--modality", "mri", "--json"], capsys)
    assert code == 0
    assert json.loads(out)["mentions"][0]["labels"] == ["liver"]


def test_a_text_that_mentions_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.txt"
    file.write_text("")
    code, out, _ = run([str(file), "--modality", "pet"], capsys)
    assert code == 0
    assert "PET" in out


def test_a_missing_file_is_an_error_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["nowhere.txt", "--modality", "ct"], capsys)
    assert (code, out) == (2, "")
    assert "nowhere.txt cannot be read" in err


def test_a_pdf_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7 ...")
    code, _, err = run([str(file), "--modality", "ct"], capsys)
    assert code == 2
    assert "plain text" in err
