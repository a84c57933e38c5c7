"""A cohort beside single calls: 24 scans by `satsegment cohort`, and by one `satsegment segment` each, in one run.

    python benchmarks/bench_cohort.py [--scans 24] [--single 24] [--prompt "left putamen"] [--clock wall|cpu]

Scans are the demonstration head, moved and flipped. Prints the seconds of both ways, their ratio, and the cohort's
memory (resident, MiB) in each quarter of its time. `--single` may be fewer than `--scans` on a slow machine: seconds a
scan are compared. `--clock cpu` counts processor seconds, for a machine that does other things, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-c", "import sys; from SATSegmentLib.cli import main; sys.exit(main())"]


def write_scans(folder: Path, count: int) -> list[Path]:
    """The demonstration head, moved, and with its voxels stored in other orders."""
    head = sitk.ReadImage(str(ROOT / "SATSegment/Resources/Demo/itk_t1.nii.gz"))
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        turned = sitk.Flip(head, [bool(bit) for bit in rng.integers(0, 2, 3)])
        turned.SetOrigin(
            [float(one + shift) for one, shift in zip(turned.GetOrigin(), rng.normal(0, 20, 3), strict=True)]
        )
        paths.append(folder / f"head{number:02d}.nii.gz")
        sitk.WriteImage(turned, str(paths[-1]))
    return paths


def seconds_of(words: list[str], clock: str, memory: list[float]) -> float:
    """Run a command; returns its seconds, and notes its resident memory every half second."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "SATSegment")}
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            memory.append(watched.memory_info().rss / 2**20)
        except psutil.Error:
            break
        time.sleep(0.5)
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    after, wall = os.times(), time.perf_counter() - started
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used if clock == "cpu" else wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=24)
    parser.add_argument("--single", type=int, default=None)
    parser.add_argument("--prompt", default="left putamen")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()
    singles = arguments.single or arguments.scans
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "scans", Path(scratch) / "out"
        folder.mkdir()
        paths = write_scans(folder, arguments.scans)
        asked = ["--modality", "mri", "--prompt", arguments.prompt, "--device", "cpu"]
        memory: list[float] = []
        cohort = seconds_of(["cohort", str(folder), *asked, "--out", str(out)], arguments.clock, memory)
        single = 0.0
        for path in paths[:singles]:
            words = ["segment", str(path), *asked, "--out", str(Path(scratch) / f"{path.stem}.seg.nrrd")]
            single += seconds_of(words, arguments.clock, [])
    each, one = cohort / arguments.scans, single / singles
    print(f"cohort: {arguments.scans} scans in {cohort:.0f} s ({arguments.clock}), {each:.2f} s a scan")
    print(f"single: {singles} calls in {single:.0f} s ({arguments.clock}), {one:.2f} s a scan")
    print(f"throughput of the cohort: {one / each:.1f} times that of single calls")
    quarters = [memory[len(memory) * n // 4 : len(memory) * (n + 1) // 4] for n in range(4)]
    print("cohort's memory, most in each quarter of its time: " + ", ".join(f"{max(q):.0f} MiB" for q in quarters if q))


if __name__ == "__main__":
    main()
