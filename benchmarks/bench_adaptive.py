"""Adaptive windows and less overlap: time on a large scan, and agreement with all windows.

    python benchmarks/bench_adaptive.py [--parts cold places released agreement price] [--threads 2] [--clock cpu]
    python benchmarks/bench_adaptive.py --parts cold --other ../before     # also beside another checkout

cold        One organ on a scan of 36 windows of 32x32x32 voxels, SAT-Nano's widths, in turns: all windows, adaptive,
            and all windows in another checkout. Features are planted as they are encoded, because random weights find
            nothing like an organ: brightness inside the planted ellipsoid is what the prompt looks for.
places      How many windows an organ takes, in twenty places and three sizes (nothing is encoded for it).
released    For released windows on scans of 1x1x3 mm: how many windows touch a box (no network is asked).
agreement   The demonstration model's 32 structures in the demonstration's head, with windows smaller than those
            it was trained with, so that there are many: masks that adaptive windows change at several margins, and Dice
            of less overlap to SAT's own. Without its own windows' context the network finds specks in many places, so
            nearly all windows are needed, and all would be looked at ("giving up"); "to the end" is without that.
price       The same windows, with 1, 5 and 32 structures: seconds of cold adaptive runs over those of all windows.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
# Runs in either checkout: only what both have.
CHILD = """
import dataclasses, hashlib, sys, time
root, threads, clock = sys.argv[1:]
sys.path[:0] = [root + "/SATSegment", root + "/SATSegment/Testing", root + "/benchmarks"]
import numpy as np, torch
torch.set_num_threads(int(threads))
now = {"wall": time.perf_counter, "cpu": time.process_time}[clock]
import synthetic
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.types import Image
WINDOW, LATTICE = (32, 32, 32), (3, 4, 3)
shape = synthetic.shape_of(LATTICE, WINDOW)
def organ(centre, radius):
    # Brightness falls off from the middle of an ellipsoid and passes 40 HU at its border.
    axes = np.meshgrid(*[np.arange(side, dtype=np.float32) for side in shape], indexing="ij", sparse=True)
    scales = (radius, radius, radius)
    away = sum(((a - c * s) / r) ** 2 for a, c, s, r in zip(axes, centre, shape, scales))
    array = 40 + 300 * np.clip(1 - away, -1, 1)
    array[0, 0, 0] = array[-1, -1, -1] = 1  # so that the crop to the foreground keeps the whole grid
    return Image(array.transpose(2, 1, 0).astype(np.int16), np.diag((*synthetic.SPACING, 1.0)))
made = synthetic.network("nano", WINDOW)
one = synthetic.segmenter(made, "float32", FeatureCache(1 << 34, 0))
asked = synthetic.queries(1)
shift = np.zeros(made.architecture.features[0], np.float32)
shift[1] = 1000
counts = [0]
encode = made.encode
def plant(image, cheaply=False):
    array = prepare(image, "ct", "RAS", synthetic.SPACING).array
    low, high = float(array.min()), float(array.max())
    kept = []
    def planted(window):
        counts[0] += 1
        if not (cheaply and kept):
            kept[:] = [encode(window)]
        bright = (window[0, 0] - low) / (high - low) * 2 - 1
        voxels = torch.zeros_like(kept[0].voxels) if cheaply else kept[0].voxels
        voxels[0, 1] = (4 * bright).clamp(-1, 1)
        return dataclasses.replace(kept[0], voxels=voxels)
    made.encode = planted
def run(image, **how):
    one.cache.clear()
    counts[0], started = 0, now()
    (result,) = one.segment_queries(image, asked, "ct", "RAS", None, [shift], **how)
    took = now() - started
    digest = hashlib.sha256(np.packbits(result.mask).tobytes()).hexdigest()[:12]
    return took, counts[0], result.voxels, digest
HOW = {"all": {}, "adaptive": {"windows": "adaptive"}}
"""
COLD = """
one.segment_queries(synthetic.body(WINDOW), asked, "ct")  # the first plan measures how fast the network is
image = organ((0.3, 0.42, 0.55), 5)
plant(image)
print("ready", flush=True)
for line in sys.stdin:
    print(*run(image, **HOW[line.strip()]), flush=True)
"""
PLACES = """
random = np.random.default_rng(0)
for radius in (2, 4, 8):
    found = []
    for _ in range(20):
        image = organ(random.uniform(0.1, 0.9, 3), radius)
        plant(image, cheaply=True)
        everything, few = run(image), run(image, **HOW["adaptive"])
        found.append((few[1], everything[2:] == few[2:]))
    windows = [count for count, _ in found]
    print(radius, np.mean(windows), np.quantile(windows, 0.9), min(windows), max(windows), sum(not s for _, s in found))
"""
WINDOWS = ((32, 48, 32), (32, 32, 32), (16, 32, 16))
PARTS = ("cold", "places", "released", "agreement", "price")
MARGINS = (1.0, 0.3, 0.1)
Row = dict[str, Any]


def main() -> int:
    options = _options()
    parts = {"cold": cold, "places": places, "released": released, "agreement": agreement, "price": price}
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.parts:
        rows = parts[name](options)
        with (options.out / f"adaptive-{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


def cold(options: argparse.Namespace) -> list[Row]:
    """Seconds of cold runs in turns, and whether masks are the same."""
    children = {("this", how): HERE for how in ("all", "adaptive")}
    if options.other:
        children["other", "all"] = options.other.resolve()
    processes = {tree: _start(tree, options) for tree in dict.fromkeys(children.values())}
    seconds: dict[tuple[str, str], list[float]] = {name: [] for name in children}
    windows, masks = {}, {}
    for turn in range(options.turns):
        for name in list(children) if turn % 2 else list(reversed(children)):
            took, count, voxels, digest = _ask(processes[children[name]], name[1])
            seconds[name].append(float(took))
            windows[name], masks[name] = int(count), (int(voxels), digest)
    for process in processes.values():
        process.kill()
    base = statistics.median(seconds["this", "all"])
    rows = []
    for name, taken in seconds.items():
        median = statistics.median(taken)
        same = masks[name] == masks["this", "all"]
        rows.append({"checkout": name[0], "windows": name[1], "encoded": windows[name], "seconds": round(median, 2)})
        rows[-1] |= {"over_all": round(median / base, 3), "voxels": masks[name][0], "same_mask": same}
        if options.other:
            rows[-1]["over_other"] = round(median / statistics.median(seconds["other", "all"]), 3)
        print(rows[-1], flush=True)
    return rows


def places(options: argparse.Namespace) -> list[Row]:
    """How many of 36 windows an organ takes, by its size, and how many masks change."""
    out = subprocess.check_output(_command(HERE, options, PLACES), text=True)
    names = ("radius", "mean", "ninth decile", "least", "most", "changed_masks")
    rows = [dict(zip(names, map(float, line.split()), strict=True)) for line in out.splitlines()]
    print(*rows, sep="\n", flush=True)
    return rows


def released(options: argparse.Namespace) -> list[Row]:
    """How many windows a box takes, by the scan's and the box's size: where it lies is all that counts."""
    sys.path.insert(0, str(HERE / "SATSegment"))
    import numpy as np
    import torch

    from SATSegmentLib.grid.box import Box
    from SATSegmentLib.inference.adaptive import WindowSearch
    from SATSegmentLib.inference.blend import Blend
    from SATSegmentLib.inference.tiles import Tiling
    from SATSegmentLib.inference.windows import cover, fewest
    from SATSegmentLib.types import RELEASED_WINDOW

    rows: list[Row] = []
    for shape in ((400, 300, 130), (500, 500, 170), (400, 300, 300), (500, 400, 480)):
        boxes, tiling = cover(shape, RELEASED_WINDOW), Tiling(shape, torch.device("cpu"))
        blend = Blend(shape, RELEASED_WINDOW, boxes, torch.device("cpu"))
        cores = [tiling.rounded(core, box) for core, box in zip(blend.cores, boxes, strict=True)]
        for millimetres in (30, 80, 160):
            random, counts = np.random.default_rng(0), []
            for _ in range(60):
                side = np.array((millimetres, millimetres, millimetres // 3))
                low = (random.uniform(0, 1, 3) * (np.array(shape) - side)).astype(int)
                needed = torch.zeros(*tiling.counts, 1, dtype=torch.bool)
                needed[tuple(slice(part.start, part.stop) for part in tiling.cells(Box.at(low, side)))] = True
                search = WindowSearch(boxes, cores, fewest(boxes, shape), tiling, 1)
                while search.round():
                    search.ask_all(needed.flatten(0, 2), needed.flatten(0, 2))
                counts.append(int(search.looked_at.sum()))
            row = {"scan": "x".join(map(str, shape)), "windows": len(boxes), "first": len(fewest(boxes, shape))}
            row |= {"box_mm": millimetres, "mean": round(statistics.mean(counts), 1), "most": max(counts)}
            rows.append(row)
            print(row, flush=True)
    return rows


def agreement(options: argparse.Namespace) -> list[Row]:
    """Masks of the demonstration model from fewer windows beside those from all."""
    sys.path.insert(0, str(HERE / "SATSegment"))
    from SATSegmentLib.inference import adaptive, undecided

    rows: list[Row] = []
    margin, gives_up = adaptive._NEARLY, (undecided._SPARED, undecided._DECIDED)
    for window, one, head, queries, names in _demonstrations(options):
        everything = one.segment_queries(head, queries, "mri", names=names)
        ways: list[tuple[str, float, dict[str, Any]]] = [("giving up", margin, {"windows": "adaptive"})]
        ways += [("to the end", share, {"windows": "adaptive"}) for share in MARGINS]
        for way, share, how in [*ways, *[("overlap", overlap, {"overlap": overlap}) for overlap in (0.25, 0.125)]]:
            adaptive._NEARLY = margin if way == "overlap" else share
            ends = (math.inf, math.inf) if way == "to the end" else gives_up
            undecided._SPARED, undecided._DECIDED = ends  # type: ignore[assignment]
            results = one.segment_queries(head, queries, "mri", names=names, **how)
            pairs = [(a, b) for a, b in zip(everything, results, strict=True) if a.voxels or b.voxels]
            dice = [_dice(a, b, head.array.shape) for a, b in pairs]
            looked = [result.windows.looked_at for result in results]
            row: Row = {"window": "x".join(map(str, window)), "windows": everything[0].windows.total, "way": way}
            row |= {"value": share, "of": results[0].windows.total, "mean_looked_at": round(statistics.mean(looked), 1)}
            row |= {"least_looked_at": min(looked), "changed_masks": sum(value < 1 for value in dice)}
            rows.append(row | {"mean_dice": round(statistics.mean(dice), 4), "lowest_dice": round(min(dice), 4)})
            print(rows[-1], flush=True)
    adaptive._NEARLY = margin
    return rows


def price(options: argparse.Namespace) -> list[Row]:
    """What adaptive windows take where nearly all windows are needed, over what all windows take; both cold."""
    now, rows = {"wall": time.perf_counter, "cpu": time.process_time}[options.clock], []
    for window, one, head, queries, names in _demonstrations(options):
        for count in (1, 5, 32):
            seconds: dict[str, list[float]] = {"all": [], "adaptive": []}
            results = {}
            for _ in range(options.turns):
                for rule in seconds:
                    one.cache.clear()
                    started = now()
                    results[rule] = one.segment_queries(head, queries[:count], "mri", names=names[:count], windows=rule)
                    seconds[rule].append(now() - started)
            both = zip(results["all"], results["adaptive"], strict=True)
            changed = sum(_dice(a, b, head.array.shape) < 1 for a, b in both if a.voxels or b.voxels)
            row: Row = {"window": "x".join(map(str, window)), "windows": results["all"][0].windows.total}
            row |= {"structures": count, "all": round(min(seconds["all"]), 2)}
            row |= {"adaptive": round(min(seconds["adaptive"]), 2), "changed_masks": changed}
            rows.append(row | {"ratio": round(min(seconds["adaptive"]) / min(seconds["all"]), 2)})
            print(rows[-1], flush=True)
    return rows


def _demonstrations(options: argparse.Namespace) -> Iterator[tuple[tuple[int, int, int], Any, Any, Any, list[str]]]:
    """The demonstration model with smaller windows, its head, and all its structures' queries and names."""
    sys.path.insert(0, str(HERE / "SATSegment"))
    import numpy as np
    import torch

    from SATSegmentLib.inference.loading import load_network
    from SATSegmentLib.inference.segmenter import Segmenter
    from SATSegmentLib.models.catalog import find_model
    from SATSegmentLib.resources import resource_path
    from SATSegmentLib.scans import read_scan

    torch.set_num_threads(options.threads)
    folder = find_model("demo")
    demo = Segmenter.load(folder, device="cpu", precision="float32")
    names = [text for text, modality in demo.queries.bank.labels if modality == "mri"]
    queries = np.stack([demo.queries.bank.lookup(text, "mri") for text in names])
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    for window in WINDOWS:
        description = dataclasses.replace(demo.description, window=window)
        network, _ = load_network(folder, description)
        yield window, Segmenter(network, description, device="cpu", precision="float32"), head, queries, names


def _dice(one: Any, other: Any, shape: tuple[int, ...]) -> float:
    both = int((one.whole_mask(shape) & other.whole_mask(shape)).sum())
    return 2 * both / (one.voxels + other.voxels)


def _command(tree: Path, options: argparse.Namespace, code: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", CHILD + code, str(tree), str(options.threads), options.clock]


def _start(tree: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        _command(tree, options, COLD),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(options.threads)},
    )
    assert child.stdout is not None
    if child.stdout.readline() != "ready\n":
        raise SystemExit(f"{tree} did not start.")
    return child


def _ask(child: subprocess.Popen[str], how: str) -> list[str]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(how + "\n")
    child.stdin.flush()
    return child.stdout.readline().split()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--other", type=Path, help="another checkout of this repository, for the cold runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=2, help="of the cold runs: half a minute each, and more")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, default=HERE / "build/bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
