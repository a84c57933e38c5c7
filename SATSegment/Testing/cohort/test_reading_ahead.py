"""One scan is read ahead and one is written behind: neither costs a result, and neither holds up a cancel."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cohort.test_cohort import ASKED, cohort, stamps, table, write_scan

from helpers.small_model import makeModel
from SATSegmentLib.cohort import run, too_large
from SATSegmentLib.cohort.listing import find_tasks
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.memory import Memory, computer_memory


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return makeModel(tmp_path_factory.mktemp("models"))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(3):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)
    return tmp_path / "scans"


@pytest.fixture
def slow_disk() -> Iterator[threading.Event]:
    """Set at the end: whoever waits for it has been given up."""
    event = threading.Event()
    yield event
    event.set()


def interrupted_in(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Ctrl+C while the network works on so manyth a scan."""
    calls, segment = [], LocalEngine.segment

    def interrupting(self, request, listener=None):
        calls.append(request)
        if len(calls) == call:
            time.sleep(0.2)  # the next scan is on its way
            raise KeyboardInterrupt
        return segment(self, request, listener)

    monkeypatch.setattr(LocalEngine, "segment", interrupting)


def test_a_cancel_does_not_wait_for_a_scan_that_is_being_read(scans, tmp_path, model, monkeypatch, capsys, slow_disk):
    read_scan = run.read_scan

    def reading(path, *more):
        if path.endswith("s2.nii.gz"):
            slow_disk.wait(20)
        return read_scan(path, *more)

    monkeypatch.setattr(run, "read_scan", reading)
    interrupted_in(monkeypatch, 2)
    began, others = time.monotonic(), set(threading.enumerate())
    assert cohort(scans, tmp_path / "out", model, *ASKED) == 1
    assert time.monotonic() - began < 10
    assert "1 of 3 scans are whole" in capsys.readouterr().err
    # The network's own workers have ended what they were at, and wait for more.
    left = [one for one in set(threading.enumerate()) - others if not one.name.startswith("strips")]
    assert all(one.daemon for one in left)


def test_a_cancel_waits_for_a_scan_that_is_being_written(scans, tmp_path, model, monkeypatch, capsys):
    write_results = run.write_results

    def writing(*what, **how):
        time.sleep(0.6)
        return write_results(*what, **how)

    monkeypatch.setattr(run, "write_results", writing)
    interrupted_in(monkeypatch, 2)
    assert cohort(scans, tmp_path / "out", model, *ASKED) == 1
    assert "1 of 3 scans are whole" in capsys.readouterr().err
    assert list(stamps(tmp_path / "out")) == ["s0"]


def test_a_scan_that_has_no_room_beside_others_is_read_again_by_itself(scans, tmp_path, model, monkeypatch):
    """While the network works or a scan is written the memory is full; between two scans it is not."""
    held = set()

    def beside(name, call):
        def working(*what, **how):
            held.add(name)
            try:
                return call(*what, **how)
            finally:
                time.sleep(0.1)
                held.discard(name)

        return working

    monkeypatch.setattr(LocalEngine, "segment", beside("network", LocalEngine.segment))
    monkeypatch.setattr(run, "write_results", beside("writer", run.write_results))
    monkeypatch.setattr(too_large, "computer_memory", lambda: Memory(1000, 1000) if held else computer_memory())
    prepare = run.CohortRun._ready
    monkeypatch.setattr(run.CohortRun, "_ready", lambda self, task: time.sleep(0.05) or prepare(self, task))
    assert cohort(scans, tmp_path / "out", model, *ASKED) == 0
    assert {row["scan_status"] for row in table(tmp_path / "out")} == {"done"}


def test_results_stay_results_while_their_scans_are_away(scans, tmp_path, model, capsys):
    (tmp_path / "list.csv").write_text(
        "scan,prompts\n" + "".join(f"{one.path},brainstem\n" for one in find_tasks(scans)), encoding="utf-8"
    )
    assert cohort(tmp_path / "list.csv", tmp_path / "listed", model, "--modality", "mri") == 0
    scans.rename(tmp_path / "not mounted")
    before = stamps(tmp_path / "listed")
    capsys.readouterr()
    assert cohort(tmp_path / "list.csv", tmp_path / "listed", model, "--modality", "mri", "--resume") == 0
    assert "3 of 3 scans have results (3 done before)" in capsys.readouterr().out
    assert stamps(tmp_path / "listed") == before
    # What was asked of a scan is another thing.
    asked = (tmp_path / "list.csv").read_text(encoding="utf-8").replace("s1.nii.gz,brainstem", "s1.nii.gz,thalami")
    (tmp_path / "list.csv").write_text(asked, encoding="utf-8")
    assert cohort(tmp_path / "list.csv", tmp_path / "listed", model, "--modality", "mri", "--resume") == 6
    assert [row["scan"] for row in table(tmp_path / "listed") if row["scan_status"] == "failed"] == ["s1"]


def refused_for(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The masks of the second scan cannot be written."""
    write_results = run.write_results

    def writing(path, *what, **how):
        if path.parent.name.endswith("s1"):
            raise error
        return write_results(path, *what, **how)

    monkeypatch.setattr(run, "write_results", writing)


def test_a_scan_that_cannot_be_written_is_a_row_with_its_reason(scans, tmp_path, model, monkeypatch):
    refused_for(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    assert cohort(scans, tmp_path / "out", model, *ASKED) == 6
    failed = [row for row in table(tmp_path / "out") if row["scan_status"] == "failed"]
    assert [row["scan"] for row in failed] == ["s1"]
    assert "No permission to write" in failed[0]["reason"]


def test_a_full_disk_stops_the_run_before_more_is_computed_for_nothing(scans, tmp_path, model, monkeypatch, capsys):
    write_scan(scans / "s3.nii.gz", 3)
    segmented, segment = [], LocalEngine.segment
    monkeypatch.setattr(LocalEngine, "segment", lambda *what: segmented.append(what) or segment(*what))
    refused_for(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    assert cohort(scans, tmp_path / "out", model, *ASKED) == 2
    assert "The disk is full" in capsys.readouterr().err
    assert len(segmented) <= 3
    assert "s0" in stamps(tmp_path / "out")
