"""A cohort beside single calls: 24 scans by `satsegment cohort`, and by one `satsegment segment` each, in one run.

    python benchmarks/bench_cohort.py [--scans 24] [--single 24] [--prompt "left putamen"] [--clock wall|cpu]
    python benchmarks/bench_cohort.py --overlap [--rounds 3] [--scans 6] [--waits 0 1]

Scans are the demonstration head, moved and flipped. Prints the seconds of both ways, their ratio, and the cohort's
memory (resident, MiB) in each quarter of its time. `--single` may be fewer than `--scans` on a slow machine: seconds a
scan are compared. `--clock cpu` counts processor seconds, for a machine that does other things, too.

`--overlap` compares a cohort with the same one whose scans are read, segmented and written one after the other, in one
process with a model that is loaded, in turns: seconds a scan of both, and of reading, network and writing alone.
`--waits`: so many seconds more a scan, in which nothing is computed, stand for a slow disk or share to read from.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "SATSegment"))
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


@contextlib.contextmanager
def one_after_the_other() -> Iterator[dict[str, float]]:
    """Within this nothing of a cohort overlaps; gives the seconds of what would."""
    from SATSegmentLib.cohort import run

    seconds: dict[str, float] = {}
    in_background = run.in_background

    def at_once(call: Callable[..., Any], *what: Any) -> Future[Any]:
        future: Future[Any] = Future()
        began = time.perf_counter()
        future.set_result(call(*what))
        seconds[call.__name__] = seconds.get(call.__name__, 0.0) + time.perf_counter() - began
        return future

    run.in_background = at_once
    try:
        yield seconds
    finally:
        run.in_background = in_background


def overlap(paths: list[Path], prompt: str, rounds: int, waits: list[float], scratch: Path) -> None:
    """Print a cohort's seconds beside those of the same one without overlap."""
    from SATSegmentLib.cohort import run
    from SATSegmentLib.cohort.asked import Asked
    from SATSegmentLib.cohort.listing import find_tasks
    from SATSegmentLib.engine.api import RunListener, RunOptions
    from SATSegmentLib.engine.local import LocalEngine

    engine, tasks, read_scan = LocalEngine(), find_tasks(paths[0].parent), run.read_scan
    folders = (scratch / f"out{number}" for number in itertools.count())

    def seconds(tasks: list[Any], wait: float) -> float:
        run.read_scan = lambda *what: (time.sleep(wait), read_scan(*what))[1]
        cohort = run.CohortRun(next(folders), Asked("mri", (prompt,)), RunOptions("demo", "cpu"), engine)
        began = time.perf_counter()
        assert cohort.run(tasks, lambda event: None, RunListener()).failed == 0
        return (time.perf_counter() - began) / len(tasks)

    seconds(tasks[:2], 0.0)
    ratios: dict[float, list[float]] = {wait: [] for wait in waits}
    for number in range(rounds):
        for wait in waits:
            with one_after_the_other() as parts:
                apart = seconds(tasks, wait)
            together = seconds(tasks, wait)
            ratios[wait].append(apart / together)
            reading, writing = (parts[name] / len(tasks) for name in ("_ready", "_written"))
            network = apart - reading - writing
            print(
                f"round {number + 1}: {together:.2f} s a scan, {apart:.2f} s one after the other (reading "
                f"{reading:.2f}, network {network:.2f}, writing {writing:.2f}); ratio {ratios[wait][-1]:.2f}"
            )
    for wait, found in ratios.items():
        print(f"overlap, {wait:g} s of waiting a scan: {statistics.median(found):.2f} times the throughput")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=None)
    parser.add_argument("--overlap", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waits", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--single", type=int, default=None)
    parser.add_argument("--prompt", default="left putamen")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()
    arguments.scans = arguments.scans or (6 if arguments.overlap else 24)
    singles = arguments.single or arguments.scans
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "scans", Path(scratch) / "out"
        folder.mkdir()
        paths = write_scans(folder, arguments.scans)
        if arguments.overlap:
            overlap(paths, arguments.prompt, arguments.rounds, arguments.waits, Path(scratch))
            return
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
