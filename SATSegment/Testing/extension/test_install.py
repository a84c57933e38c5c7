"""What the Extensions Manager would deliver: every file is there, and the module loads from it alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MODULES = "lib/Slicer-5.12/qt-scripted-modules"


def cmake() -> str:
    found = shutil.which("cmake") or shutil.which("cmake", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("cmake is not installed; the package cmake of the test requirements brings it")
    return found


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def configure(source: Path, build: Path, prefix: Path, *options: str) -> str:
    # A scripted module is not compiled: any compiler will do, also none.
    compilers = [f"-DCMAKE_{language}_COMPILER_FORCED=ON" for language in ("C", "CXX")]
    compilers += [f"-DCMAKE_{language}_COMPILER={sys.executable}" for language in ("C", "CXX")]
    return run(
        cmake(), "-S", str(source), "-B", str(build), f"-DSlicer_DIR={HERE}", f"-DCMAKE_INSTALL_PREFIX={prefix}",
        *compilers, *options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    configure(ROOT, folder / "build", folder / "prefix", "-DBUILD_TESTING=ON")
    run(cmake(), "--install", str(folder / "build"))
    return folder / "prefix" / MODULES


def tracked() -> set[str]:
    """The files of the module in this clone, as git has them (a released archive has no others)."""
    module = ROOT / "SATSegment"
    if (ROOT / ".git").exists():
        listed = run("git", "-C", str(module), "ls-files", "-z", "--", "SATSegment.py", "SATSegmentLib", "Resources")
        return {name for name in listed.split("\0") if name and (module / name).exists()}
    names = [module / "SATSegment.py", *(module / "SATSegmentLib").rglob("*"), *(module / "Resources").rglob("*")]
    return {str(p.relative_to(module)) for p in names if p.is_file() and "__pycache__" not in p.parts}


def test_every_tracked_file_is_installed_and_no_test(installed: Path) -> None:
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert len(tracked()) > 30
    assert tracked() <= found
    assert not any(name.startswith("Testing") or "__pycache__" in name for name in found)


def test_the_installed_module_loads_and_finds_its_resources(installed: Path, tmp_path: Path) -> None:
    """With nothing of the source tree in reach."""
    code = (
        "import json, sys\n"
        f"sys.path.insert(0, {str(installed)!r})\n"
        "import SATSegment, SATSegmentLib\n"
        "from SATSegmentLib.resources import resource_path\n"
        "from SATSegmentLib.anatomy.vocabulary.labels import load_labels\n"
        "from SATSegmentLib.mrml import segmentations, volumes\n"
        "from SATSegmentLib.engine.transport.pipe import _LIBRARY\n"
        "from SATSegmentLib.anatomy.resolver.names import prompts_for\n"
        "prompt = prompts_for('left kidney', 'ct')[0]\n"
        "print(json.dumps([SATSegment.__file__, SATSegmentLib.__file__, str(resource_path('Anatomy/sat_labels.csv')),"
        " _LIBRARY, len(load_labels()), prompt.text]))\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    *places, labels, text = json.loads(done.stdout)
    assert all(Path(place).is_relative_to(installed) for place in places)
    assert (labels, text) == (498, "left kidney")


def test_a_file_that_is_added_later_is_installed_too(tmp_path: Path) -> None:
    source = tmp_path / "source"
    library = Path("SATSegment") / "SATSegmentLib" / "engine"
    shutil.copytree(ROOT / library, source / library)
    (source / "SATSegment" / "Resources").mkdir()
    module = ("CMakeLists.txt", "SATSegment.py", "SATSegmentLib/py.typed")
    for name in ("CMakeLists.txt", *(f"SATSegment/{one}" for one in module)):
        shutil.copy(ROOT / name, source / name)
    configure(source, tmp_path / "build", tmp_path / "prefix")
    (source / library / "later.py").touch()
    (source / "SATSegment" / "Resources" / "later.json").touch()
    run(cmake(), "--build", str(tmp_path / "build"))
    run(cmake(), "--install", str(tmp_path / "build"))
    installed = tmp_path / "prefix" / MODULES
    assert (installed / "SATSegmentLib" / "engine" / "later.py").is_file()
    assert (installed / "Resources" / "later.json").is_file()


def test_the_icon_is_an_image_of_the_right_size() -> None:
    content = (ROOT / "SATSegment" / "Resources" / "Icons" / "SATSegment.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[16:20], "big") == int.from_bytes(content[20:24], "big") == 128
