"""The script that checks a graphics card runs whole on a processor, and one check's end does not end the others."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks/gpu/run.py"
QUICK = ("goldens", "window_nano", "copies", "scan", "cap_6", "training", "team")
SLOW = ("window_pro", "company", "head", "ladder")


@pytest.fixture(scope="module")
def script():
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("gpu_checks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def on_processor(script: ModuleType, folder: Path, *only: str) -> tuple[int, dict]:
    code = script.main(["--small", "--device", "cpu", "--together", "--out", str(folder), "--only", *only])
    return code, json.loads((folder / "gpu.json").read_text())


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=pytest.mark.long)], ids=["quick", "slow"])
def test_each_check_passes_on_a_processor_in_small(script, tmp_path, names):
    code, report = on_processor(script, tmp_path, *names)
    assert code == 0, report
    assert {one["name"]: one["status"] for one in report["checks"] if one["name"] != "team"} == {
        name: "passed" for name in names if name != "team"
    }
    table = (tmp_path / "gpu.md").read_text()
    assert all(f"| {name} | " in table for name in names)


def test_each_check_has_a_limit_and_all_together_eight_minutes(script):
    assert script.DEADLINE < 480
    assert all(0 < limit < script.DEADLINE for limit, _ in script.CHECKS.values())


@pytest.mark.parametrize(
    ("code", "limit", "said"),
    [
        ("import time; time.sleep(60)", 1.5, "took more than 2 s"),
        ("import os; os.abort()", 30, "exit code -6"),
        ("print('no outcome')", 30, "exit code 0"),
        ("raise SystemExit('no driver')", 30, "no driver"),
        ("print(1)", 0.5, "no time was left"),
    ],
)
def test_a_check_that_hangs_or_dies_is_a_failure_with_its_reason(script, code, limit, said):
    outcome = script.apart("scan", [sys.executable, "-S", "-c", code], limit)
    assert outcome.status == "failed"
    assert said in outcome.said


def test_a_failure_is_told_by_the_exit_code_and_the_next_check_still_runs(script, tmp_path, monkeypatch):
    endings = iter(["failed", "passed"])
    monkeypatch.setattr(script, "here", lambda name, asked: script.Outcome(name, next(endings)))
    code, report = on_processor(script, tmp_path, "goldens", "training")
    assert code == 1
    assert [one["status"] for one in report["checks"]] == ["failed", "passed"]


def test_what_is_missing_is_named_with_the_way_to_get_it(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(script.CHECKS, "scan", (10, ("nrrd_that_is_not_there",)))
    code, report = on_processor(script, tmp_path, "scan")
    assert code == 2
    assert report["checks"][0]["status"] == "not run"
    assert "pip install nrrd_that_is_not_there" in report["checks"][0]["notes"][0]
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None)
    assert script.main(["--small", "--device", "cpu"]) == 2
    assert "pip install torch" in capsys.readouterr().err


def test_without_a_card_it_says_so(script, monkeypatch, capsys):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert script.main([]) == 2
    assert "--small --device cpu" in capsys.readouterr().err
