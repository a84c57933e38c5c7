"""Write requirements/*.txt from what is installed: the packages named here and everything that comes along.

.venv/bin/python tools/pin_requirements.py
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUNTIME = (
    "numpy SimpleITK torch safetensors slicerio pynrrd pydicom pyjpegls pylibjpeg pylibjpeg-openjpeg pylibjpeg-rle "
    "python-gdcm platformdirs psutil tqdm transformers huggingface-hub matplotlib scikit-image surface-distance PyYAML "
    "highdicom contourpy requests"
)
DEVELOPMENT = (
    "pytest pytest-xdist hypothesis ruff mypy import-linter nibabel slicer-core cmake pydicom-data setuptools dcmqi "
    "PySide6-Essentials tensorboard fastapi uvicorn httptools uvloop prometheus_client schemathesis mcp "
    "pyarrow submitit trustme"
)
FOLDER = Path(__file__).parent.parent / "requirements"


def closure(names: str) -> set[str]:
    """Canonical names of packages and of what they require here, extras left out."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names.split()]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        for requirement in map(Requirement, requires):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    return found


def pinned(name: str) -> str:
    """`Name==1.2.3`, without the local part that names a build ("+cpu")."""
    package = distribution(name)
    return f"{package.metadata['Name']}=={package.version.partition('+')[0]}"


def write(file: str, title: str, names: set[str], more: str = "") -> None:
    """One requirements file."""
    lines = sorted(map(pinned, names), key=str.lower)
    (FOLDER / file).write_text("\n".join([f"# {title}", *([more] if more else []), *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    runtime = closure(RUNTIME)
    write("runtime.txt", "What SATSegment runs on, with everything that comes along, pinned.", runtime)
    development = closure(DEVELOPMENT) - runtime
    write("dev.txt", "What the tests and checks need beside it, pinned.", development, more="-r runtime.txt")
