"""A wheel for terminals and servers holds the engine and its data, and works where nothing else of the project is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import SimpleITK

from helpers.small_model import headLikeImage, makeModel

ROOT = Path(__file__).parent.parent.parent
# Slicer's side stays outside.
SLICERS = ("mrml", "gui", "setup")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    return wheel


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the wheel, the libraries it depends on, and nothing of the source tree."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=os.name == "posix")
    places = sysconfig.get_paths(scheme="venv", vars={"base": str(home), "platbase": str(home)})
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", places["purelib"], str(wheel)], check=True)
    # A folder that is named in a .pth file is looked into, but its own .pth files are not read: the development
    # environment's editable installation stays out.
    Path(places["purelib"], "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    return str(Path(places["scripts"]) / ("python.exe" if os.name == "nt" else "python"))


def tracked(folder: str) -> list[str]:
    found = subprocess.run(["git", "ls-files", folder], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in found.split("\n")[:-1] if (ROOT / name).is_file()]


def run(python: str, *words: str, folder: Path, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [python, *words],
        cwd=folder,
        env={**clean, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_every_module_of_the_engine(wheel_names: set[str]) -> None:
    modules = [name.removeprefix("SATSegment/") for name in tracked("SATSegment/SATSegmentLib")]
    needed = [name for name in modules if name.split("/")[1] not in SLICERS]
    assert len(needed) > 50
    assert set(needed) <= wheel_names


def test_wheel_holds_the_knowledge_tree_the_demo_and_the_catalog(wheel_names: set[str]) -> None:
    resources = [name.removeprefix("SATSegment/") for name in tracked("SATSegment/Resources")]
    # What Slicer alone reads stays in Slicer.
    slicers = ("Icons", "Translations", "UI")
    folders = [name for name in resources if name.count("/") > 1 and name.split("/")[1] not in slicers]
    needed = [f"SATSegmentLib/{name}" for name in folders]
    assert any("concepts" in name for name in needed)
    assert set(needed) <= wheel_names


def test_whatever_a_module_of_the_wheel_imports_is_in_the_wheel(wheel: Path, wheel_names: set[str]) -> None:
    lacking = []
    archive = zipfile.ZipFile(wheel)
    for name in sorted(name for name in wheel_names if name.endswith(".py")):
        for node in ast.walk(ast.parse(archive.read(name))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("SATSegmentLib."):
                place = (node.module or "").replace(".", "/")
                if not {f"{place}.py", f"{place}/__init__.py"} & wheel_names:
                    lacking.append(f"{name}: {node.module}")
    assert lacking == []


# One process, because each would load PyTorch anew.
_EVERYTHING = """
import importlib, pathlib, sys
import SATSegmentLib
from SATSegmentLib.cli import main
source, model, *rooms = sys.argv[1:]
assert not pathlib.Path(SATSegmentLib.__file__).is_relative_to(source)
for name in "ab":
    asked = ["--modality", "mri", "--model", model, "--prompt", "lt hippocampus", "--prompt", "brainstem"]
    assert main(["segment", "scan.nii.gz", *asked, "--out", f"{name}/scan.seg.nrrd"]) == 0
assert main(["evaluate", "a", "b", "--modality", "mri", "--out", "scores"]) == 0
for room in rooms:
    importlib.import_module(f"SATSegmentLib.{room}")
assert main(["doctor"]) == 0
"""


def test_the_wheel_alone_segments_and_evaluates(python: str, tmp_path: Path) -> None:
    image = headLikeImage()
    scan = SimpleITK.GetImageFromArray(image.array)
    scan.SetSpacing([1.5, 1.4, 2.0])
    SimpleITK.WriteImage(scan, tmp_path / "scan.nii.gz")
    model = makeModel(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    rooms = ("server.app", "server.serve", "engine.remote", "agent.mcp_server", "cohort.run", "challenge")
    words = [str(ROOT), str(model), *rooms]
    printed = run(python, "-c", _EVERYTHING, *words, folder=tmp_path, MPLBACKEND="agg", HOME=str(tmp_path))
    assert "1.000" in printed
    assert "no problems" in printed
