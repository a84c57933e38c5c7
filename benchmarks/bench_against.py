"""Another checkout beside this one: window, warm prompt, loading and keystrokes, as ratios of CPU time.

    git worktree add ../before 77112a2
    python benchmarks/bench_against.py ../before [--turns 15] [--threads 1]

Each checkout runs in a process of its own; turns alternate, so that what else the machine does meets both. A ratio is
the median over the turns of this version's CPU time to the other's, with its quartiles; below 1 is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
# Runs in either checkout: only what both have.
CHILD = """
import sys, time
root = sys.argv[1]
sys.path[:0] = [root + "/SATSegment", root + "/SATSegment/Testing", root + "/benchmarks"]
import torch
torch.set_num_threads(int(sys.argv[2]))
import synthetic
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.segmenter import Segmenter
WINDOW = (96, 96, 96)
image = synthetic.body(synthetic.shape_of((1, 1, 1), WINDOW))
made = synthetic.network("nano", WINDOW)
one = synthetic.segmenter(made, "float32", FeatureCache(1 << 32, 0))
asked = synthetic.queries(8)
def window():
    one.cache.clear()
    one.segment_queries(image, asked[:1], "ct")
def warm():
    one.segment_queries(image, asked, "ct")
def load():
    Segmenter.load(root + "/SATSegment/Resources/Models/demo", device="cpu")
work = {"window": window, "warm prompts": warm, "load": load}
window(), warm(), load()
print("ready", flush=True)
for line in sys.stdin:
    started = time.process_time()
    work[line.strip()]()
    print(time.process_time() - started, flush=True)
"""
# Every 40th label, letter by letter, in a new process: what was searched once is remembered.
KEYSTROKES = """
import statistics, sys, time
sys.path.insert(0, sys.argv[1] + "/SATSegment")
from SATSegmentLib import anatomy
anatomy.preload("ct"), anatomy.preload("mri")
waits = []
for label in [one for one in anatomy.load_labels() if one.modality in ("ct", "mri")][::40]:
    for end in range(1, len(label.text) + 1):
        started = time.process_time()
        anatomy.search(label.text[:end], label.modality)
        waits.append(time.process_time() - started)
print(statistics.mean(waits), statistics.quantiles(waits, n=100)[98])
"""
REPEATS = {"window": 1, "warm prompts": 8, "load": 4}


def main() -> int:
    options = _options()
    trees = {"this": HERE, "other": options.other.resolve()}
    children = {name: _start(tree, options.threads) for name, tree in trees.items()}
    print("work  ratio (quartiles)  this s  other s")
    report: dict[str, Any] = {}
    for work, repeats in REPEATS.items():
        seconds: dict[str, list[float]] = {name: [] for name in children}
        for turn in range(options.turns):
            order = list(children) if turn % 2 else list(reversed(children))
            for name in order:
                seconds[name].append(sum(_ask(children[name], work) for _ in range(repeats)) / repeats)
        ratios = [this / other for this, other in zip(seconds["this"], seconds["other"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        report[work] = {
            "ratio": middle,
            "quartiles": [low, high],
            **{k: statistics.median(v) for k, v in seconds.items()},
        }
        one = report[work]
        print(f"{work}  {middle:.3f} ({low:.3f} to {high:.3f})  {one['this']:.3f}  {one['other']:.3f}", flush=True)
    for child in children.values():
        child.kill()
    _keystrokes(trees)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


def _keystrokes(trees: dict[str, Path], pairs: int = 3) -> None:
    print("keystrokes, English  mean  99th percentile")
    for _ in range(pairs):
        command = [sys.executable, "-W", "ignore", "-c", KEYSTROKES]
        found = [
            [float(part) for part in subprocess.check_output([*command, str(tree)], text=True).split()]
            for tree in trees.values()
        ]
        mean, last = (this / other for this, other in zip(*found, strict=True))
        print(f"ratio  {mean:.2f}  {last:.2f}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    return parser.parse_args()


def _start(tree: Path, threads: int) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(tree), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    assert child.stdout is not None
    if child.stdout.readline() != "ready\n":
        raise SystemExit(f"{tree} did not start.")
    return child


def _ask(child: subprocess.Popen[str], work: str) -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(work + "\n")
    child.stdin.flush()
    return float(child.stdout.readline())


if __name__ == "__main__":
    sys.exit(main())
