"""Shards as jobs: on this computer through submitit, and on a real SLURM where one runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cohort.test_cohort import ASKED, cohort, table, write_scan

from helpers.small_model import makeModel

submitit = pytest.importorskip("submitit", reason="submitit is an extra")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return makeModel(tmp_path_factory.mktemp("models"))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(2):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)
    return tmp_path / "scans"


@pytest.fixture(autouse=True)
def _found_by_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    testing = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{testing.parent}:{testing}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# Each local job starts PyTorch anew, so it is only one.
@pytest.mark.parametrize(("cluster", "count"), [("debug", 2), pytest.param("local", 1, marks=pytest.mark.long)])
def test_shards_run_as_jobs_and_are_collected(scans, tmp_path, model, cluster, count):
    more = (*ASKED, "--slurm", count, "--cluster", cluster, "--wait", "--windows", "adaptive")
    assert cohort(scans, tmp_path / "out", model, *more) == 0
    result = json.loads((tmp_path / "out" / "scans" / "s0" / "result.json").read_text(encoding="utf-8"))
    assert (result["windows"], result["overlap"]) == ("adaptive", 0.5)
    assert sorted({row["scan"] for row in table(tmp_path / "out")}) == ["s0", "s1"]


def test_a_job_with_an_unknown_parameter_is_an_error(scans, tmp_path, model, capsys):
    more = (*ASKED, "--slurm", 1, "--cluster", "local", "--job", "no_such_thing=1")
    assert cohort(scans, tmp_path / "out", model, *more) == 2
    error = capsys.readouterr().err
    assert "could not be submitted" in error
    assert ". Check the cluster and --job." in error


def test_jobs_do_not_wait_in_a_queue_for_what_is_missing_already(scans, tmp_path, capsys):
    assert cohort(scans, tmp_path / "out", "nosuch", *ASKED, "--slurm", 1, "--cluster", "local") == 2
    assert "There is no model 'nosuch'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def slurm_is_up() -> bool:
    if shutil.which("sinfo") is None:
        return False
    # Of a controller that is down, `sinfo` takes nine seconds to say so.
    if subprocess.run(["scontrol", "ping"], capture_output=True, check=False, timeout=20).returncode != 0:
        return False
    answer = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False, timeout=20
    )
    return answer.returncode == 0 and any(state in answer.stdout for state in ("idle", "mixed", "alloc"))


def test_shards_run_on_a_real_slurm(scans, tmp_path, model):
    # Asked here, and not while tests are collected: every worker would ask.
    if not slurm_is_up():
        pytest.skip("no SLURM answers `sinfo` here")
    more = (*ASKED, "--slurm", 2, "--wait", "--job", "timeout_min=5")
    assert cohort(scans, tmp_path / "out", model, *more) == 0
    assert sorted({row["scan"] for row in table(tmp_path / "out")}) == ["s0", "s1"]
    logs = list((tmp_path / "out" / "jobs").glob("*_log.out"))
    assert len(logs) == 2
