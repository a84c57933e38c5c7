"""`satsegment doctor`: versions, devices, models, room and write access here, to paste into a bug report."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.memory import computer_memory

_PACKAGES = (
    "torch",
    "numpy",
    "SimpleITK",
    "safetensors",
    "slicerio",
    "pydicom",
    "platformdirs",
    "psutil",
    "transformers",
    "huggingface_hub",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    describe(
        parser,
        "satsegment doctor",
        notes=("Nothing of a scan is read, and the name of your home folder is left out.",),
        codes={2: "something that a run needs does not work; it is named"},
    )


def run(arguments: argparse.Namespace) -> int:
    """Look, and print; returns the exit code."""
    found = examine()
    arguments.answer = found
    _print(found)
    return 2 if found["problems"] else 0


def examine() -> dict[str, Any]:
    """All that is printed, as plain data; `problems` names what does not work."""
    found: dict[str, Any] = {
        "versions": _versions(),
        "machine": _machine(),
        "devices": _devices(),
        "models": _models(),
        "folders": _folders(),
    }
    problems = [f"device {one['device']}: {one['error']}" for one in found["devices"] if one["error"]]
    problems += [f"model {one['name']}: {one['error']}" for one in found["models"] if one["error"]]
    problems += [f"{name}: {one['error']}" for name, one in found["folders"].items() if one["error"]]
    return {**found, "problems": problems}


def _versions() -> dict[str, str | None]:
    from SATSegmentLib import __version__

    versions: dict[str, str | None] = {"satsegment": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _machine() -> dict[str, Any]:
    machine: dict[str, Any] = {
        "system": platform.platform(),
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }
    try:
        memory = computer_memory()
        machine |= {"memory_bytes": memory.total, "free_memory_bytes": memory.free}
    except ImportError:
        machine |= {"memory_bytes": None, "free_memory_bytes": None}
    return machine


def _devices() -> list[dict[str, Any]]:
    """Each device that PyTorch names, and whether a convolution on it gives the right numbers."""
    from SATSegmentLib.engine.packages import missing
    from SATSegmentLib.engine.session import foreseen
    from SATSegmentLib.engine.tasks import in_this_process

    names = ["cpu"]
    if missing(["torch"]):
        # A client of a server; no fault of it.
        return []
    try:
        import torch

        names += [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
        names += ["mps"] if torch.backends.mps.is_available() else []
    except ImportError:
        pass  # Said of the CPU below.
    devices = []
    for name in names:
        try:
            devices.append({**in_this_process("check_device", {"device": name}), "error": ""})
        except Exception as error:
            known = foreseen(error)
            devices.append({"device": name, "name": "", "torch": "", "memory_bytes": None, "error": str(known)})
    return devices


def _models() -> list[dict[str, Any]]:
    from SATSegmentLib.errors import SATSegmentError
    from SATSegmentLib.models.catalog import installed_models
    from SATSegmentLib.models.folder import read_description

    models = []
    for folder in installed_models():
        one = {"name": folder.name, "title": "", "sha256": "", "bytes": 0, "error": ""}
        try:
            description = read_description(folder, family=None)
            one |= {"title": description.name, "sha256": description.network_sha256}
            one["bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        except (SATSegmentError, OSError) as error:
            one["error"] = str(error)
        models.append(one)
    return models


def _folders() -> dict[str, dict[str, Any]]:
    from SATSegmentLib.anatomy.personal.user_words import words_home
    from SATSegmentLib.models.catalog import models_home

    places = {"models": models_home(), "words": words_home(), "temporary files": Path(tempfile.gettempdir())}
    return {name: _folder(path) for name, path in places.items()}


def _folder(path: Path) -> dict[str, Any]:
    """Whether a file can be made in a folder, or in the nearest one above that exists: it is made when it is needed."""
    there = next((one for one in (path, *path.parents) if one.is_dir()), path)
    found: dict[str, Any] = {"path": _private(path), "exists": path.is_dir(), "free_bytes": None, "error": ""}
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        found["free_bytes"] = shutil.disk_usage(there).free
    except OSError as error:
        found["error"] = f"cannot be written: {error.strerror or error}"
    return found


def _private(path: Path) -> str:
    """A path without the name of its user, where it lies in the home folder."""
    home = Path.home()
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _print(found: Mapping[str, Any]) -> None:
    from SATSegmentLib.models.download import human_bytes

    def size(count: int | None) -> str:
        return "unknown" if count is None else human_bytes(count)

    print("versions")
    for name, version in found["versions"].items():
        print(f"  {name:<16} {version or 'not installed'}")
    machine = found["machine"]
    print(f"machine\n  {machine['system']}\n  {machine['cpu']}, {machine['cores']} cores")
    print(f"  memory {size(machine['memory_bytes'])}, free {size(machine['free_memory_bytes'])}")
    print("devices")
    if not found["devices"]:
        print("  none: PyTorch is not installed, so models run on a server only (--server URL). To run them here:")
        print("  pip install 'satsegment[local]'")
    for one in found["devices"]:
        print(f"  {one['device']:<8} {one['error'] or one['name']}" + ("" if one["error"] else " · working"))
    print("models")
    for one in found["models"]:
        print(f"  {one['name']:<16} {one['error'] or one['title']} {one['sha256'][:12]} {size(one['bytes'])}")
    print("folders")
    for name, one in found["folders"].items():
        state = one["error"] or f"{size(one['free_bytes'])} free" + ("" if one["exists"] else ", not made yet")
        print(f"  {name:<16} {one['path']}: {state}")
    print("problems" if found["problems"] else "no problems found", file=sys.stdout)
    for problem in found["problems"]:
        print(f"  {problem}")
