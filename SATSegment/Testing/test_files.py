"""Files appear whole or not at all, and an older one survives every failure."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from SATSegmentLib.errors import OutputError
from SATSegmentLib.files import atomic_path, write_report


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def write_half(target: Path, trouble: Exception | Callable[[], object], *, folder: bool = False) -> None:
    """Begin to replace `target`, and meet trouble."""
    with atomic_path(target, overwrite=True, folder=folder) as temporary:
        (temporary / "two" if folder else temporary).write_text("half")
        if isinstance(trouble, Exception):
            raise trouble
        trouble()


def test_a_block_that_ends_well_leaves_only_the_target(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.seg.nrrd") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".a.seg.nrrd")
        temporary.write_text("new")
        assert not (tmp_path / "a.seg.nrrd").exists()
    assert names(tmp_path) == ["a.seg.nrrd"]
    assert (tmp_path / "a.seg.nrrd").read_text() == "new"


def test_a_block_that_fails_keeps_the_older_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError, match="midway"):
        write_half(tmp_path / "a", RuntimeError("midway"))
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_an_existing_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError, match="already exists"), atomic_path(tmp_path / "a"):
        pytest.fail("the block must not run")
    with atomic_path(tmp_path / "a", overwrite=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "a").read_text() == "new"


def test_a_full_disk_is_an_output_error_and_the_older_file_stays(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError, match="disk is full"):
        write_half(tmp_path / "a", lambda: full.write_bytes(b"x"))
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_write_that_stops_midway_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A file size limit cuts the write off in the middle, as a full disk does."""
    (tmp_path / "a").write_text("old")
    child = os.fork()
    if child == 0:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with atomic_path(tmp_path / "a", overwrite=True) as temporary:
                temporary.write_bytes(bytes(5000))
        except OutputError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_missing_folder_folder_as_file_and_file_as_folder_are_output_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="does not exist"), atomic_path(tmp_path / "no" / "a"):
        pass
    with pytest.raises(OutputError, match="is a folder"), atomic_path(tmp_path, overwrite=True):
        pass
    with pytest.raises(OutputError, match="is a file"), atomic_path(tmp_path / "file", overwrite=True, folder=True):
        pass


def test_a_folder_that_may_not_be_written_to_is_an_output_error() -> None:
    place = Path("/proc")
    if not place.is_dir():
        pytest.skip("needs a folder in which not even an administrator can create files")
    with pytest.raises(OutputError), atomic_path(place / "a") as temporary:
        temporary.write_text("x")


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "model", folder=True) as temporary:
        (temporary / "one").write_text("1")
    with pytest.raises(RuntimeError, match="midway"):
        write_half(tmp_path / "model", RuntimeError("midway"), folder=True)
    assert names(tmp_path / "model") == ["one"]
    with atomic_path(tmp_path / "model", folder=True, overwrite=True) as temporary:
        (temporary / "two").write_text("2")
    assert names(tmp_path / "model") == ["two"]
    assert names(tmp_path) == ["model"]


def test_a_report_that_json_does_not_know_costs_nothing(tmp_path: Path) -> None:
    path = write_report(tmp_path / "r.json", {"structure": "côlon", "volume_ml": 1.5})
    assert json.loads(path.read_text(encoding="utf-8")) == {"structure": "côlon", "volume_ml": 1.5}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_report(path, {"volume_ml": float("nan")}, overwrite=True)
    assert names(tmp_path) == ["r.json"]
    assert json.loads(path.read_text(encoding="utf-8"))["volume_ml"] == 1.5


@pytest.mark.skipif(os.name != "posix", reason="rights of files as POSIX has them")
@pytest.mark.parametrize("folder", [False, True])
def test_whoever_may_read_new_files_here_may_read_this_one(tmp_path: Path, folder: bool) -> None:
    # safetensors makes files that only their owner can open; a site's model folder is for everybody.
    plain = tmp_path / "plain"
    plain.touch()

    with atomic_path(tmp_path / "model", folder=folder) as temporary:
        file = temporary / "network" if folder else temporary
        file.touch(mode=0o600)

    made = tmp_path / "model" / "network" if folder else tmp_path / "model"
    assert made.stat().st_mode == plain.stat().st_mode
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "model"}
