"""One window by one thread and by several: this version, another checkout, plain layers, conv3d itself and OpenVINO.

    git worktree add ../before 77112a2
    python benchmarks/bench_threads.py ../before                       1, 2, 4 ... threads
    python benchmarks/bench_threads.py ../before --threads 2 --busy    with a busy process on each core

The encoder of SAT-Nano's widths on 96x96x96 voxels, weights synthetic and seeded. Each way runs in a process of its
own; turns alternate, so that what else the machine does meets all. Seconds are medians; a speed-up is the median over
the rounds of one thread's time to that of so many, "of conv3d's" that to conv3d's own; "this is ahead" is the median of
the way's time to this version's. "resident GB" is what the process grows by while it encodes with the most threads.
OpenVINO takes part where it is installed (`pip install satsegment[bench]`): the whole network, converted by
`openvino.convert_model`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parents[1]
# Runs in either checkout: only what both have.
CHILD = """
import gc, sys, time
root, way, precision = sys.argv[1:4]
side = int(sys.argv[4])
sys.path[:0] = [root + "/SATSegment", root + "/SATSegment/Testing", root + "/benchmarks"]
import SATSegmentLib  # before torch, as everywhere
import torch
from bench_window import build
from machine import ResidentPeak
dtype = getattr(torch, precision)
x = torch.randn(1, 1, side, side, side, generator=torch.Generator().manual_seed(1))

def conv3d():
    seen = torch.randn(1, 64, side, side, side).to(dtype).contiguous(memory_format=torch.channels_last_3d)
    weight = (0.03 * torch.randn(64, 64, 3, 3, 3)).to(dtype).contiguous(memory_format=torch.channels_last_3d)
    return lambda threads: torch.conv3d(seen, weight, padding=1)

def network(grad):
    made = build("nano", (side,) * 3)
    made.set_encoder_precision(dtype)
    def run(threads):
        with torch.set_grad_enabled(grad), torch.inference_mode(not grad):
            made.encode(x)
    return run

def openvino():
    import openvino as ov
    made = build("nano", (side,) * 3).backbone
    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = made.encoder, made.decoder
        def forward(self, x):
            levels, pooled = self.encoder(x)
            return pooled, self.decoder(levels)
    model = ov.convert_model(Layers().eval(), example_input=x, input=[1, 1, side, side, side])
    compiled = {}
    def run(threads):
        if threads not in compiled:
            compiled.clear()
            kind = {"float32": "f32", "bfloat16": "bf16"}[precision]
            options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": kind, "NUM_STREAMS": 1}
            compiled[threads] = ov.Core().compile_model(model, "CPU", options)
            compiled[threads](x.numpy())
        compiled[threads](x.numpy())
    return run

ways = {"layers": lambda: network(True), "slabs": lambda: network(False), "conv3d": conv3d, "openvino": openvino}
run = ways[way]()
print("ready", flush=True)
for line in sys.stdin:
    what, threads = line.split()
    torch.set_num_threads(int(threads))
    if what == "resident":
        gc.collect()
        before = int(open("/proc/self/statm").read().split()[1]) * 4096 if sys.platform == "linux" else float("nan")
        with ResidentPeak(0.005) as resident:
            run(int(threads))
        print(resident.peak - before, flush=True)
        continue
    if way == "openvino" or what == "warm":
        run(int(threads))
    started = time.perf_counter()
    run(int(threads))
    print(time.perf_counter() - started, flush=True)
"""


def main() -> int:
    options = _options()
    rows = [row for precision in options.precisions for row in measure(precision, options)]
    names = list(rows[0])
    print("  ".join(f"{name:>12}" for name in names))
    for row in rows:
        print("  ".join(f"{_text(row[name]):>12}" for name in names))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with options.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    return 0


def measure(precision: str, options: argparse.Namespace) -> list[dict[str, str | float]]:
    """One row for each way and number of threads."""
    ways = {"this": (HERE, "slabs"), "layers": (HERE, "layers"), "conv3d": (HERE, "conv3d")}
    if options.other:
        ways["other"] = (options.other.resolve(), "slabs")
    if importlib.util.find_spec("openvino") and not options.without_openvino:
        ways["openvino"] = (HERE, "openvino")
    children = {name: _start(*way, precision, options.side) for name, way in ways.items()}
    seconds: dict[tuple[str, int], list[float]] = {(name, n): [] for name in children for n in options.threads}
    try:
        for child in children.values():
            _ask(child, "warm", options.threads[0])
        with _busy(options.busy):
            for turn in range(options.rounds):
                for name, threads in list(seconds) if turn % 2 else list(reversed(seconds)):
                    seconds[name, threads].append(_ask(children[name], "seconds", threads))
                    print(f"{precision} {name} {threads}: {seconds[name, threads][-1]:.2f} s", file=sys.stderr)
        grown = {name: _ask(child, "resident", options.threads[-1]) for name, child in children.items()}
    finally:
        for child in children.values():
            child.kill()
    first = options.threads[0]
    return [
        {
            "precision": precision,
            "busy": options.busy,
            "way": name,
            "threads": threads,
            "seconds": statistics.median(taken),
            "speed-up": _ratio(seconds[name, first], taken),
            "of conv3d's": _ratio(seconds[name, first], taken)
            / _ratio(seconds["conv3d", first], seconds["conv3d", threads]),
            "this is ahead": _ratio(taken, seconds["this", threads]),
            "resident GB": grown[name] / 1e9 if threads == options.threads[-1] else float("nan"),
        }
        for (name, threads), taken in seconds.items()
    ]


def _ratio(numerators: list[float], denominators: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but keep a core busy."""
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def _start(tree: Path, way: str, precision: str, side: int) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(tree), way, precision, str(side)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    while (line := child.stdout.readline()) != "ready\n":
        if not line:
            raise SystemExit(f"{way} in {tree} did not start.")
    return child


def _ask(child: subprocess.Popen[str], what: str, threads: int) -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{what} {threads}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def _text(value: str | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="another checkout of this repository")
    parser.add_argument("--precisions", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    cores = _cores()
    counts = sorted(
        {1, *(1 << power for power in range(1, 5) if 1 << power <= cores), 4 * cores if cores < 4 else cores}
    )
    parser.add_argument("--threads", type=int, nargs="+", default=counts, help="of each way, in this order")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=96, help="voxels of the window along each axis")
    parser.add_argument(
        "--busy", type=int, nargs="?", const=cores, default=0, help="processes that keep a core busy; one for each core"
    )
    parser.add_argument("--without-openvino", action="store_true")
    parser.add_argument("--out", type=Path, help="write the table as CSV here")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
