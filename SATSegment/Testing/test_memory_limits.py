"""What is free is what the process may have: the limits of its control groups count, whatever the computer has."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from SATSegmentLib import memory
from SATSegmentLib.memory import Memory, computer_memory

GB = 10**9
V1_WITHOUT_A_LIMIT = 9223372036854771712


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer of 256 GB, 200 of them free, without control groups."""

    class Whole:
        total, available = 256 * GB, 200 * GB

    monkeypatch.setattr(psutil, "virtual_memory", Whole)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "self")
    return tmp_path / "cgroup"


def own(groups: Path, line: str) -> None:
    (groups.parent / "self").write_text(f"1:cpu,cpuacct:/elsewhere\n{line}\n")


def group(folder: Path, limit: object, used: int, cached: int = 0) -> None:
    """As version 2 describes it, or version 1."""
    folder.mkdir(parents=True, exist_ok=True)
    old = "memory" in folder.parts
    (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text(f"{limit}\n")
    (folder / ("memory.usage_in_bytes" if old else "memory.current")).write_text(f"{used}\n")
    prefix = "total_" if old else ""
    (folder / "memory.stat").write_text(f"anon 7\n{prefix}inactive_file {cached}\n{prefix}active_file 0\n")


def test_without_groups_it_is_the_computers(groups):
    assert computer_memory() == Memory(256 * GB, 200 * GB)
    own(groups, "0::/user.slice")
    group(groups / "user.slice", "max", GB)
    assert computer_memory() == Memory(256 * GB, 200 * GB)
    own(groups, "4:memory:/user")
    group(groups / "memory" / "user", V1_WITHOUT_A_LIMIT, GB)
    assert computer_memory() == Memory(256 * GB, 200 * GB)
    (groups.parent / "self").write_text("no such line as these")
    assert computer_memory() == Memory(256 * GB, 200 * GB)


@pytest.mark.parametrize("root", ["", "memory"])
def test_the_limit_of_a_batch_job_counts_for_its_steps(groups, root):
    """SLURM sets it on the job; a step and a task lie within."""
    own(groups, f"{'4:memory' if root else '0:'}:/slurm/job_7/step_0")
    unlimited = V1_WITHOUT_A_LIMIT if root else "max"
    group(groups / root / "slurm/job_7/step_0", unlimited, 5 * GB)
    group(groups / root / "slurm/job_7", 16 * GB, 6 * GB, cached=2 * GB)
    group(groups / root / "slurm", 100 * GB, 20 * GB)
    assert computer_memory() == Memory(16 * GB, 12 * GB)


@pytest.mark.parametrize("root", ["", "memory"])
@pytest.mark.parametrize("path", ["/", "/docker/0123abcd", "/../other"])
def test_the_limit_of_a_container_counts_whatever_its_group_is_called_outside(groups, root, path):
    own(groups, f"{'4:memory' if root else '0:'}:{path}")
    group(groups / root, 8 * GB, 9 * GB)
    assert computer_memory() == Memory(8 * GB, 0)
