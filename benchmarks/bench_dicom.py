"""Reading a CT series beside SimpleITK's own reader: time as a ratio in one run, and memory as copies of the volume.

python benchmarks/bench_dicom.py [--slices 500] [--size 512]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "SATSegment"), str(ROOT / "SATSegment" / "Testing")]

from helpers.dicom_files import stack, write_classic  # noqa: E402


def with_simpleitk(folder: Path) -> None:
    """As its documentation reads a series."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    (series,) = reader.GetGDCMSeriesIDs(str(folder))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series))
    SimpleITK.GetArrayViewFromImage(reader.Execute())


def with_satsegment(folder: Path) -> None:
    """As every command reads a series."""
    from SATSegmentLib.scans import read_scan

    read_scan(folder)


def measure_seconds(folder: Path, repeats: int) -> dict[str, tuple[float, float]]:
    """Shortest wall and processor seconds of each; they take turns, so that both meet the same neighbours."""
    found = {read.__name__: (float("inf"), float("inf")) for read in READERS}
    for _ in range(repeats):
        for read in READERS:
            wall, processor = time.perf_counter(), time.process_time()
            read(folder)
            taken = time.perf_counter() - wall, time.process_time() - processor
            found[read.__name__] = min(found[read.__name__][0], taken[0]), min(found[read.__name__][1], taken[1])
    return found


def grown_bytes(read, folder: Path) -> int:
    """By how much reading raises the peak of memory, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_grown_bytes, (read, folder))


def _grown_bytes(read, folder: Path) -> int:
    read(folder.with_name("tiny"))  # libraries are loaded, and count for nobody
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read(folder)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


READERS = (with_simpleitk, with_satsegment)


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    base = rng.normal(1000, 30, (arguments.size, arguments.size)).astype(np.int16)
    volume = np.broadcast_to(base, (arguments.slices, *base.shape))
    own = volume.size * 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "ct"
        write_classic(folder, stack(volume, (0, 0, 1.25), intercept=-1024))
        write_classic(folder.with_name("tiny"), stack(volume[:3], intercept=-1024))
        grown = {read.__name__: grown_bytes(read, folder) for read in READERS}
        seconds = measure_seconds(folder, arguments.repeats)
    for name, (wall, processor) in seconds.items():
        copies = grown[name] / own
        print(f"{name:16} {wall:6.2f} s, {processor:6.2f} s of processor, {copies:.2f} times the {own / 2**20:.0f} MiB")
    (wall, processor), (own_wall, own_processor) = seconds["with_satsegment"], seconds["with_simpleitk"]
    print(f"ratios: {wall / own_wall:.2f} in time, {processor / own_processor:.2f} in processor time")


if __name__ == "__main__":
    main()
