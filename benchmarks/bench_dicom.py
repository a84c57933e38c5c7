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


def measure(read, folder: Path, repeats: int) -> tuple[float, float]:
    """Shortest seconds and growth of peak memory in bytes, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (read, folder, repeats))


def _measure(read, folder: Path, repeats: int) -> tuple[float, float]:
    tiny = folder.with_name("tiny")
    read(tiny)  # libraries are loaded, and count for nobody
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        read(folder)
        seconds.append(time.perf_counter() - started)
        if len(seconds) == 1:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(seconds), grown * 1024.0


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
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "ct"
        write_classic(folder, stack(volume, (0, 0, 1.25), intercept=-1024))
        write_classic(folder.with_name("tiny"), stack(volume[:3], intercept=-1024))
        results = {
            read.__name__: measure(read, folder, arguments.repeats) for read in (with_simpleitk, with_satsegment)
        }
    own = volume.size * 2
    for name, (seconds, grown) in results.items():
        print(f"{name:16} {seconds:6.2f} s  {grown / own:.2f} times the volume's {own / 2**20:.0f} MiB")
    print(f"ratio of the times: {results['with_satsegment'][0] / results['with_simpleitk'][0]:.2f}")


if __name__ == "__main__":
    main()
