"""The repository stays well below what the Extensions Index takes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MIB = 2**20
# The Extensions Index takes up to 100 MB of files and history together; `du -h` and GitHub count 2**20 bytes as one.
LIMIT = 80 * MIB
LARGEST_FILE = 20 * MIB


def git(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, input=stdin, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def tracked() -> dict[str, int]:
    """Bytes of each tracked file by its path."""
    if not (ROOT / ".git").exists():
        pytest.skip("This copy of the sources has no history to measure.")
    if git("rev-parse", "--is-shallow-repository").strip() == b"true":
        pytest.skip("This clone is shallow: its history is elsewhere.")
    lines = git("ls-tree", "-r", "-l", "-z", "HEAD").decode().split("\0")
    return {path: int(meta.split()[3]) for meta, _, path in (line.partition("\t") for line in lines if line)}


def test_files_and_history_together_stay_small(tracked: dict[str, int]) -> None:
    # Packed anew, so that the size does not hang on how this clone happens to be packed.
    history = len(git("pack-objects", "--revs", "--stdout", "-q", "--no-reuse-delta", stdin=b"HEAD\n"))
    size = sum(tracked.values()) + history
    assert size < LIMIT, (
        f"{size / MIB:.1f} MiB: {sum(tracked.values()) / MIB:.1f} of files, {history / MIB:.1f} of history"
    )


def test_no_tracked_file_is_large(tracked: dict[str, int]) -> None:
    assert {path: size for path, size in tracked.items() if size > LARGEST_FILE} == {}
