"""All checks of a graphics card, one after the other, each in a process of its own with a time limit.

    benchmarks/gpu.sh                         on a machine with a card
    benchmarks/gpu.sh --small --device cpu    the script itself, anywhere, in seconds

Writes gpu.json and gpu.md (the table for Docs/performance.md) into --out. One check that fails, hangs or is killed does
not stop the others. Exit code: 0 all passed, 1 some failed, 2 nothing could be run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE)]

from report import Outcome, table  # noqa: E402

# Seconds for all: the check that comes last gets what is left.
DEADLINE = 460.0
# Each check: seconds that it may take, and the packages that it imports beside PyTorch and NumPy.
NETWORK = ("safetensors",)
ENGINE = (*NETWORK, "SimpleITK", "psutil")
SCANS = (*ENGINE, "pydicom", "nrrd")
CHECKS: dict[str, tuple[float, tuple[str, ...]]] = {
    "goldens": (90, NETWORK),
    "window_nano": (70, NETWORK),
    "window_pro": (90, NETWORK),
    "company": (60, ENGINE),
    "copies": (60, ENGINE),
    "head": (90, SCANS),
    "scan": (120, ENGINE),
    "ladder": (90, ENGINE),
    "cap_8": (90, ENGINE),
    "cap_6": (90, ENGINE),
    "training": (60, ENGINE),
    "team": (60, ENGINE),
}


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; see the module."""
    asked = _arguments(arguments)
    if missing := _missing(("torch", "numpy")):
        print(f"Nothing can be run: {' and '.join(missing)} cannot be imported by {sys.executable}.", file=sys.stderr)
        print("Install PyTorch with CUDA (pip install torch), or name another Python: PYTHON=...", file=sys.stderr)
        return 2
    device, trouble = _device(asked.device)
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    started = time.monotonic()
    outcomes = []
    for name in asked.only or CHECKS:
        limit, packages = CHECKS[name]
        if missing := _missing(packages):
            outcome = Outcome(
                name, "not run", {}, [f"needs {', '.join(missing)}: pip install {' '.join(_pip(missing))}"]
            )
        else:
            left = DEADLINE - (time.monotonic() - started)
            command = [
                sys.executable,
                str(HERE / "child.py"),
                name,
                asked.device,
                *(["--small"] if asked.small else []),
            ]
            outcome = here(name, asked) if asked.together else apart(name, command, min(limit, left))
        outcomes.append(outcome)
        print(f"{outcome.name:<12} {outcome.status:<8} {outcome.seconds:6.1f} s  {outcome.said}", flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    report = {"device": device, "seconds": time.monotonic() - started, "checks": [one.as_dict() for one in outcomes]}
    (asked.out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    text = table(device, outcomes)
    (asked.out / "gpu.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nin {report['seconds']:.0f} s; {asked.out / 'gpu.json'}, {asked.out / 'gpu.md'}")
    if all(one.status == "not run" for one in outcomes):
        return 2
    return int(any(one.status == "failed" for one in outcomes))


def apart(name: str, command: list[str], limit: float) -> Outcome:
    """A check in a process of its own: whatever becomes of it, there is an outcome."""
    started = time.monotonic()
    if limit <= 1:
        return Outcome(name, "failed", {}, ["no time was left for it"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(name, "failed", {}, [f"took more than {limit:.0f} s"], time.monotonic() - started)
    seconds = time.monotonic() - started
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
        return Outcome(name, answer["status"], answer["numbers"], answer["notes"], seconds)
    except (IndexError, KeyError, TypeError, json.JSONDecodeError):
        tail = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Outcome(name, "failed", {}, [f"ended with exit code {done.returncode}: {tail[:300]}"], seconds)


def here(name: str, asked: argparse.Namespace) -> Outcome:
    """A check in this process, for tests of this script."""
    from child import answer

    started = time.monotonic()
    found = answer(name, asked.device, asked.small)
    return Outcome(name, found["status"], found["numbers"], found["notes"], time.monotonic() - started)


def _device(name: str) -> tuple[dict[str, Any], str]:
    """What is measured, for the report; and why nothing can be."""
    import torch

    found: dict[str, Any] = {"name": platform.processor() or platform.machine(), "torch": torch.__version__}
    found |= {"python": platform.python_version(), "cuda": torch.version.cuda, "cudnn": None, "memory_bytes": None}
    if name == "cpu":
        return found, ""
    if not torch.cuda.is_available():
        build = "is built without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        return found, f"PyTorch {torch.__version__} {build}. To try the script itself: --small --device cpu."
    one = torch.cuda.get_device_properties(torch.device(name))
    found |= {"name": one.name, "memory_bytes": one.total_memory, "cudnn": torch.backends.cudnn.version()}
    return found | {"devices": torch.cuda.device_count(), "capability": f"{one.major}.{one.minor}"}, ""


def _missing(packages: tuple[str, ...]) -> list[str]:
    return [name for name in packages if importlib.util.find_spec(name) is None]


def _pip(modules: list[str]) -> list[str]:
    return [{"nrrd": "pynrrd"}.get(name, name) for name in modules]


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:0, cuda:1, ... or cpu (default: cuda:0)")
    parser.add_argument(
        "--small", action="store_true", help="narrow networks and small windows, for tests of the script"
    )
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), help="these checks alone")
    parser.add_argument("--together", action="store_true", help="all in this process, without time limits")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build/gpu", help="folder of the report (default: build/gpu)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
