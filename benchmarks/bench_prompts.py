"""Cold against warm: what prompts cost once a scan's features are there, and how time grows with prompts.

    .venv/bin/python benchmarks/bench_prompts.py --shape 432 432 144 --prompts 1 16 306 --out build/prompts.csv

Seeded weights at SAT-Nano's or SAT-Pro's widths and a body-like volume; figures are ratios within one run.
Peak memory is the process's resident set (the system's own high-water mark) beyond what the cache holds.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "SATSegment"), str(ROOT / "SATSegment" / "Testing")]

from helpers.seeded import manifest, seeded_tensor  # noqa: E402
from SATSegmentLib.inference.cache import FeatureCache  # noqa: E402
from SATSegmentLib.inference.segmenter import Segmenter  # noqa: E402
from SATSegmentLib.sat.checkpoint import build_network, check_network  # noqa: E402
from SATSegmentLib.sat.model_folder import ModelDescription  # noqa: E402
from SATSegmentLib.types import Image  # noqa: E402


def seeded_segmenter(name: str, window: tuple[int, int, int], precision: str, cache: FeatureCache) -> Segmenter:
    """A network of released widths, weights made from their own names."""
    keys = {key: shape for key, shape in manifest(name)["keys"].items() if "all_modules" not in key}
    state = {key.removeprefix("module."): seeded_tensor(key, shape) for key, shape in keys.items()}
    network = build_network(check_network(state, name, sha256=name), window)
    return Segmenter(network, ModelDescription(name, window), device="cpu", precision=precision, cache=cache)


def body(shape_ijk: tuple[int, int, int]) -> Image:
    """An ellipsoid of soft tissue with a few organs in air, in Hounsfield units, on SAT's own grid."""
    axes = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32) for size in shape_ijk], indexing="ij")
    array = np.full(shape_ijk, -1000, np.float32)
    noise = np.random.default_rng(0).normal(0, 12, shape_ijk).astype(np.float32)
    array[sum(axis**2 for axis in axes) < 1.6] = 40
    for number in range(12):
        centre = np.random.default_rng(number).uniform(-0.5, 0.5, 3)
        inside = sum(((axis - c) / 0.22) ** 2 for axis, c in zip(axes, centre, strict=True)) < 1
        array[inside] = 60 + 15 * number
    array[0, 0, 0] = array[-1, -1, -1] = 1  # the crop to the foreground keeps the whole grid
    return Image((array + noise * (array > -500)).transpose(2, 1, 0), np.diag((1.0, 1.0, 3.0, 1.0)))


class PeakMemory:
    """Highest resident set while a block runs, in bytes, sampled every 20 ms."""

    def __enter__(self) -> PeakMemory:
        self.start = self.peak = psutil.Process().memory_info().rss
        self._running = True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()

    def _watch(self) -> None:
        while self._running:
            self.peak = max(self.peak, psutil.Process().memory_info().rss)
            time.sleep(0.02)


def measure(segmenter: Segmenter, image: Image, queries: np.ndarray) -> dict[str, float]:
    """Seconds and bytes of one run."""
    with PeakMemory() as memory:
        started = time.perf_counter()
        results = segmenter.segment_queries(image, queries, "ct")
        seconds = time.perf_counter() - started
    found = sum(result.status == "found" for result in results)
    return {"seconds": seconds, "peak_bytes": memory.peak, "grown_bytes": memory.peak - memory.start, "found": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=("sat_nano", "sat_pro"), default="sat_nano")
    parser.add_argument("--shape", type=int, nargs=3, default=(432, 432, 144), help="voxels at 1x1x3 mm (8 windows)")
    parser.add_argument("--window", type=int, nargs=3, default=(288, 288, 96))
    parser.add_argument("--prompts", type=int, nargs="+", default=(1, 4, 16, 64, 306))
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--memory", type=float, default=12.0, help="GB of features in memory")
    parser.add_argument("--disk", type=float, default=0.0, help="GB of features on disk")
    parser.add_argument("--out", type=Path, default=Path("build/prompts.csv"))
    arguments = parser.parse_args()

    cache = FeatureCache(int(arguments.memory * 1e9), int(arguments.disk * 1e9))
    segmenter = seeded_segmenter(arguments.model, tuple(arguments.window), arguments.precision, cache)
    image = body(tuple(arguments.shape))
    queries = np.random.default_rng(1).standard_normal((max(*arguments.prompts, 2), 768)).astype(np.float32)
    cold = measure(segmenter, image, queries[-1:])
    rows = [{"run": "cold", "prompts": 1, **cold}]
    rows += [{"run": "warm", "prompts": n, **measure(segmenter, image, queries[:n])} for n in arguments.prompts]
    for row in rows:
        row["share_of_cold"] = row["seconds"] / cold["seconds"]
        print(
            f"{row['run']} {row['prompts']:4d} prompts  {row['seconds']:8.2f} s  {row['share_of_cold']:7.4f} of cold  "
            f"grew by {row['grown_bytes'] / 1e9:5.2f} GB  found {row['found']}",
            flush=True,
        )
    print(f"cache: {cache.memory_used / 1e9:.2f} GB in memory, {cache.disk_used / 1e9:.2f} GB on disk")
    print(f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    arguments.out.with_suffix(".json").write_text(json.dumps({"precision": segmenter.precision}), encoding="utf-8")


if __name__ == "__main__":
    main()
