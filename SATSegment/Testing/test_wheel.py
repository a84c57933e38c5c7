"""A wheel for terminals and servers holds the engine and its data."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("SATSegment/Testing"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(command, check=True)
    (wheel,) = out.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def tracked(folder: str) -> list[str]:
    found = subprocess.run(["git", "ls-files", folder], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return found.split("\n")[:-1]


def test_wheel_holds_every_module_of_the_engine(wheel_names):
    modules = [name.removeprefix("SATSegment/") for name in tracked("SATSegment/SATSegmentLib")]
    needed = [name for name in modules if name.split("/")[1] not in ("mrml", "gui", "setup")]
    assert len(needed) > 50
    assert set(needed) <= wheel_names


def test_wheel_holds_the_knowledge_tree_the_demo_and_the_catalog(wheel_names):
    resources = [name.removeprefix("SATSegment/") for name in tracked("SATSegment/Resources")]
    needed = [f"SATSegmentLib/{name}" for name in resources if name.split("/")[1] in ("Anatomy", "Demo", "Models")]
    assert any("concepts" in name for name in needed)
    assert set(needed) <= wheel_names
