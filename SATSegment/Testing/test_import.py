"""Importing is cheap: Slicer does it at every start."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "SimpleITK", "vtk", "slicer", "matplotlib")


def import_in_new_process(statement: str) -> tuple[float, set[str]]:
    """Seconds that `statement` takes in a new interpreter beyond NumPy, and the heavy modules it brings in."""
    code = (
        "import sys, time, numpy; start = time.process_time(); " + statement + "; "
        f"print(time.process_time() - start, *[name for name in {HEAVY} if name in sys.modules])"
    )
    seconds, *modules = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(seconds), set(modules)


def test_package_imports_in_a_fifth_of_a_second_without_anything_heavy():
    seconds, modules = min(import_in_new_process("import SATSegmentLib") for _ in range(3))
    assert seconds < 0.2
    assert not modules


def test_segmenter_is_offered_by_the_package_and_brings_torch_only_then():
    _, before = import_in_new_process("import SATSegmentLib; SATSegmentLib.Image")
    _, after = import_in_new_process("from SATSegmentLib import Segmenter")
    assert "torch" not in before
    assert "torch" in after
    assert not after & {"transformers", "vtk", "slicer", "matplotlib"}
