"""Several runs on one folder: no scan is written by two, none loses what another is writing, and mixtures are said."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import SATSegmentLib
from SATSegmentLib.cohort import running
from SATSegmentLib.cohort.collect import collect
from SATSegmentLib.cohort.listing import ScanTask
from SATSegmentLib.cohort.running import held_scans
from SATSegmentLib.cohort.settings import refuse_other_settings
from SATSegmentLib.cohort.units import read_unit
from SATSegmentLib.errors import OutputError, SATSegmentWarning

NAMES = [f"s{number}" for number in range(12)]
LIBRARY = str(Path(SATSegmentLib.__file__).parent.parent)
_HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from SATSegmentLib.cohort.running import held_scans
with held_scans(Path(sys.argv[2]), Path(sys.argv[2]) / "scans", sys.argv[3:]):
    print("held", flush=True)
    sys.stdin.read()
"""


def share(number: int, count: int) -> list[str]:
    return NAMES[number - 1 :: count]


@contextlib.contextmanager
def another_run(out: Path, names: list[str]):
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, LIBRARY, str(out), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def hold(out: Path, names: list[str]):
    return held_scans(out, out / "scans", names)


def test_runs_exclude_each_other_exactly_where_they_share_a_scan(tmp_path):
    shares = [(1, 1), (1, 2), (2, 2), (3, 3), (2, 4), (12, 12)]
    for held in shares[:3]:
        with another_run(tmp_path, share(*held)):
            for asked in shares:
                both = set(share(*held)) & set(share(*asked))
                if not both:
                    with hold(tmp_path, share(*asked)):
                        pass
                    continue
                with (
                    pytest.raises(OutputError, match=r"Another run is writing s\d.*Wait for it"),
                    hold(tmp_path, share(*asked)),
                ):
                    pass


def test_a_run_that_was_killed_or_has_ended_holds_nothing(tmp_path):
    with another_run(tmp_path, NAMES) as process:
        process.kill()
        process.wait()
        for _ in range(2):
            with hold(tmp_path, NAMES):
                pass
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == [".runs.lock"]


def test_what_another_run_is_writing_stays_though_names_end_alike(tmp_path):
    # A temporary name ends with forty letters of the scan's: these two end alike.
    theirs, ours = (f"sub-{number}_ses-20260101_acq-mprage_rec-norm_run-1_T1w" for number in (1, 2))
    with another_run(tmp_path, [theirs]):
        for name in (theirs, ours, "s0"):
            (tmp_path / "scans" / f".0123456789ab.{name[-40:]}").mkdir(exist_ok=True)
        with hold(tmp_path, [ours, "s0"]):
            left = [one.name for one in (tmp_path / "scans").iterdir()]
        assert left == [f".0123456789ab.{theirs[-40:]}"]
    with hold(tmp_path, [ours]):
        assert not list((tmp_path / "scans").iterdir())


def test_where_there_are_no_locks_a_run_goes_on_and_says_so(tmp_path, monkeypatch):
    def refuse(file):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(running, "try_lock", refuse)
    with pytest.warns(SATSegmentWarning, match="has no locks"), hold(tmp_path, NAMES):
        pass


def write_unit(out: Path, name: str, **content: object) -> None:
    unit = out / "scans" / name
    unit.mkdir(parents=True)
    known = {"scan": name, "path": f"/scans/{name}.nii.gz", "rows": [], "settings": {"threshold": 0.5}}
    (unit / "result.json").write_text(json.dumps(known | content))


def test_a_share_is_refused_where_the_others_were_made_with_other_options(tmp_path):
    tasks = [ScanTask(name, f"/scans/{name}.nii.gz") for name in NAMES]
    write_unit(tmp_path, "s3")
    refuse_other_settings(tmp_path, tasks[::2], tasks[1::2], {"threshold": 0.5})
    with pytest.raises(OutputError, match="--threshold was"):
        refuse_other_settings(tmp_path, tasks[::2], tasks[1::2], {"threshold": 0.4})


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"settings": {"threshold": 0.4}}, "--threshold was 0.5, now 0.4"),
        ({"network_sha256": "b"}, "different weights"),
        ({"scan": "s0", "path": "/scans/s0.nii.gz"}, "More than one of these folders has results of s0"),
    ],
)
def test_a_table_of_what_does_not_belong_together_says_so(tmp_path, second, said):
    write_unit(tmp_path / "1", "s0", network_sha256="a")
    write_unit(tmp_path / "2", "s1", **({"network_sha256": "a"} | second))
    with pytest.warns(SATSegmentWarning, match=said):
        collect([tmp_path / "1", tmp_path / "2"], tmp_path / "all")


@pytest.mark.filterwarnings("error")
def test_a_folder_that_is_given_twice_counts_once(tmp_path):
    write_unit(tmp_path / "1", "s0")
    collect([tmp_path / "1", tmp_path / "1"], tmp_path / "1")


@pytest.mark.parametrize(
    "content",
    [
        {"rows": ["x"]},
        {"rows": [], "scan": 1},
        {"rows": [], "error": "x"},
        {"rows": [], "error": {}},
        {"rows": [], "doubts": [1]},
        {"rows": {}},
        [],
        None,
    ],
)
def test_a_damaged_result_is_no_result_and_breaks_no_table(tmp_path, content):
    write_unit(tmp_path, "s0", rows=[{"structure": "liver"}])
    write_unit(tmp_path, "s1")
    whole = {"scan": "s1", "path": "/scans/s1.nii.gz"}
    text = json.dumps(whole | content if isinstance(content, dict) else content)
    (tmp_path / "scans" / "s1" / "result.json").write_text(text)
    with pytest.warns(SATSegmentWarning, match="results of s1 are damaged"):
        collect([tmp_path], tmp_path)
    assert read_unit(tmp_path / "scans" / "s1") is None
    table = (tmp_path / "cohort.csv").read_text()
    assert "liver" in table
    assert "s1" not in table
