"""`satsegment doctor` says what is there, and what does not work."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from SATSegmentLib.cli.main import main


def test_it_says_versions_devices_models_room_and_write_access(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for words in ("torch", "cpu", "working", "demo", "models", "temporary files", "free", "no problems found"):
        assert words in out
    assert str(tmp_path) not in out  # the name of the home folder is private


def test_a_client_without_pytorch_has_no_problem_and_is_told_what_it_lacks(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "on a server only" in out
    assert "satsegment[local]" in out


def test_what_does_not_work_is_a_problem_and_an_exit_code(capsys, tmp_path: Path, monkeypatch) -> None:
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "model.json").write_text('{"name": 5}')
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    assert main(["doctor", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert any("broken" in problem for problem in found["problems"])
    assert found["versions"]["torch"]
    assert found["devices"][0]["device"] == "cpu"
    assert (found["command"], found["exit_code"]) == ("doctor", 2)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    from SATSegmentLib.cli.doctor import _folder

    missing = tmp_path / "file"
    missing.write_text("")
    # /proc is never writable, for root neither.
    assert "cannot be written" in _folder(Path("/proc/models"))["error"]
    assert _folder(tmp_path / "not" / "yet")["error"] == ""
