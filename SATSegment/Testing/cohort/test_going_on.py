"""Going on with a cohort: results are never lost to a failure or other options, and a cancel says what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cohort.test_cohort import ASKED, cohort, table, write_scan

from helpers.small_model import makeModel


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return makeModel(tmp_path_factory.mktemp("models"))


def content(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_results_of_other_options_are_replaced_only_on_request_and_never_by_a_failure(tmp_path, model, capsys):
    scans, out = write_scan(tmp_path / "scans" / "s.nii.gz").parent, tmp_path / "out"
    assert cohort(scans, out, model, *ASKED, "--strict") == 5
    assert cohort(scans, out, model, *ASKED, "--strict", "--resume") == 5, "flags of an earlier run count"
    before = content(out)
    for more in (["--format", "rtstruct"], ["--threshold", "0.4"], ["--modality", "ct"], ["--prompt", "thalami"]):
        assert cohort(scans, out, model, *ASKED, *more, "--resume") == 2
        error = capsys.readouterr().err
        assert more[0] in error
        assert "--overwrite" in error
        assert content(out) == before

    unit = out / "scans" / "s"
    # NIfTI has no DICOM images: the new results fail, and the masks stay.
    for _ in range(2):
        assert cohort(scans, out, model, *ASKED, "--format", "rtstruct", "--overwrite") == 6
        now = content(unit)
        assert {now[name] == before[f"scans/s/{name}"] for name in ("masks.seg.nrrd", "picture.png")} == {True}
        assert now["earlier.json"] == before["scans/s/result.json"]
        assert table(out)[0]["scan_status"] == "failed"
    assert cohort(scans, out, model, *ASKED, "--overwrite") == 0
    assert sorted(content(unit)) == ["masks.seg.nrrd", "picture.png", "result.json"]


def test_a_cancelled_run_says_what_is_whole_and_how_to_go_on(tmp_path, model, capsys, monkeypatch):
    from SATSegmentLib.cli import cohort as command

    for number in range(3):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)

    def interrupted(event):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_tell", interrupted)
    assert cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED) == 1
    error = capsys.readouterr().err
    whole = len(list((tmp_path / "out" / "scans").glob("s*/masks.seg.nrrd")))
    assert whole >= 1
    assert f"{whole} of 3 scans are whole" in error
    assert "--resume" in error
    assert "nothing was written" not in error
