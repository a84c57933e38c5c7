"""Slicer starts no slower: the module's import is short and pulls in nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_SCRIPT = """
import sys, time
sys.path[:0] = [{root!r}, {testing!r}]
from rig.start import start
start()
import qt, ctk, slicer, slicer.ScriptedLoadableModule
import importlib.util
spec = importlib.util.spec_from_file_location("SATSegment", {path!r})
module = sys.modules["SATSegment"] = importlib.util.module_from_spec(spec)
began = time.process_time()
spec.loader.exec_module(module)
print("seconds", time.process_time() - began)
if {setup}:
    widget = module.SATSegmentWidget()
    widget.setup()
    widget.cleanup()
heavy = {{"torch", "transformers", "SimpleITK", "huggingface_hub", "tokenizers", "safetensors"}} & set(sys.modules)
assert not heavy, heavy
"""


def run(setup: bool) -> float:
    script = _SCRIPT.format(
        root=str(ROOT), testing=str(ROOT / "Testing"), path=str(ROOT / "SATSegment.py"), setup=setup
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return float(next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("seconds")))


def test_the_module_is_imported_with_150_milliseconds_of_work() -> None:
    seconds = run(setup=False)
    print(f"{seconds * 1000:.0f} ms")
    assert seconds <= 0.15


def test_even_the_open_panel_has_pulled_in_no_torch() -> None:
    run(setup=True)
