"""How long a keystroke waits for its suggestions, how long loading takes, and how much memory it holds.

    python benchmarks/bench_search.py

Every prefix of every trained name is typed in every modality in which the name was trained, as a person would:
letter by letter, with no answer kept from one name to the next.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "SATSegment"))

LIMITS = {"median_ms": 3.0, "p99_ms": 12.0, "load_ms": 300.0, "memory_mb": 60.0}

# Memory and loading are measured in a fresh interpreter: what is there before is NumPy and the package itself.
_FRESH = """
import resource, sys, time
sys.path.insert(0, {path!r})
import SATSegmentLib
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1]) / 1024
before, start, worked = peak(), time.perf_counter(), time.process_time()
from SATSegmentLib import anatomy
anatomy.preload("ct")
seconds, work = time.perf_counter() - start, time.process_time() - worked
anatomy.search("left kidney", "ct"); anatomy.preload("mri"); anatomy.preload("pet"); anatomy.load_tree()
print(seconds * 1000, work * 1000, peak() - before)
"""


def main() -> int:
    loads, load_work, memories = zip(*(_fresh() for _ in range(5)), strict=True)
    keystrokes, work = _keystrokes()
    measured = {
        "median_ms": statistics.median(keystrokes),
        "p99_ms": statistics.quantiles(keystrokes, n=100)[98],
        "load_ms": statistics.median(loads),
        "memory_mb": max(memories),
    }
    print(f"{len(keystrokes)} keystrokes, slowest {max(keystrokes):.1f} ms")
    print(f"keystroke   median {measured['median_ms']:.2f} ms   p99 {measured['p99_ms']:.2f} ms")
    # Other programs lengthen the wait but not the work, so the two together tell a slow search from a busy machine.
    print(f"  its work  median {statistics.median(work):.2f} ms   p99 {statistics.quantiles(work, n=100)[98]:.2f} ms")
    print(f"loading     {measured['load_ms']:.0f} ms (median of {len(loads)}, best {min(loads):.0f} ms)")
    print(f"  its work  {statistics.median(load_work):.0f} ms")
    print(f"memory      {measured['memory_mb']:.0f} MB for three modalities and the tree")
    missed = [name for name, limit in LIMITS.items() if measured[name] > limit]
    print("missed: " + ", ".join(missed) if missed else "all within " + str(LIMITS))
    return 1 if missed else 0


def _fresh() -> tuple[float, float, float]:
    path = str(Path(__file__).parents[1] / "SATSegment")
    out = subprocess.run([sys.executable, "-c", _FRESH.format(path=path)], capture_output=True, text=True, check=True)
    waited, worked, megabytes = map(float, out.stdout.split())
    return waited, worked, megabytes


def _keystrokes() -> tuple[list[float], list[float]]:
    from SATSegmentLib import anatomy
    from SATSegmentLib.anatomy.suggestions import ranking

    for modality in ("ct", "mri", "pet"):
        anatomy.preload(modality)
    waits: list[float] = []
    work: list[float] = []
    for label in anatomy.load_labels():
        ranking.forget()
        for end in range(1, len(label.text) + 1):
            start, worked = time.perf_counter(), time.process_time()
            anatomy.search(label.text[:end], label.modality)
            waits.append((time.perf_counter() - start) * 1000)
            work.append((time.process_time() - worked) * 1000)
    return waits, work


if __name__ == "__main__":
    raise SystemExit(main())
