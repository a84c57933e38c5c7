"""Where a window's time goes: each layer with one thread and with several, in turns.

    python benchmarks/bench_layers.py                          float32, 1 and 2 threads
    python benchmarks/bench_layers.py --precision bfloat16 --threads 4

The encoder of SAT-Nano's widths, weights synthetic and seeded. Columns are medians over the rounds: seconds with one
thread and with so many, the speed-up, processor time beside that of one thread, what of the threads' time was not
computed in (that others on the machine have taken is part of it), and how often a thread has waited (for others, for
work, or for Python's lock) with so many threads.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import torch  # noqa: E402
from bench_window import build  # noqa: E402

from SATSegmentLib.sat.backbones.streaming import slabs  # noqa: E402


@dataclass(frozen=True)
class Taken:
    """By one layer; seconds, and voluntary switches of all threads."""

    wall: float
    cpu: float
    waits: float


class Layers:
    """Follows the layers of windows."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Taken]] = []
        named: dict[str, Callable[..., str]] = {
            "convolve": lambda source, block, out: (
                f"{type(source).__name__} {source.shape[0]} -> {_map(out)}, step {block.conv.stride[0]}"
            ),
            "average": lambda voxels, *_: f"average {_map(voxels)}",
            "finish": lambda voxels, *_: f"finish {_map(voxels)}",
        }
        for name, title in named.items():
            setattr(slabs, name, self._followed(getattr(slabs, name), title))

    def _followed(self, function: Callable[..., Any], title: Callable[..., str]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            before = _now()
            made = function(*args)
            self.taken.append((title(*args), _since(before)))
            return made

        return call

    def of(self, run: Callable[[], object], threads: int) -> list[tuple[str, Taken]]:
        """All layers of one window, and the whole of it."""
        torch.set_num_threads(threads)
        self.taken = []
        before = _now()
        run()
        return [*self.taken, ("all", _since(before))]


def main() -> int:
    options = _options()
    network = build("nano", (options.side,) * 3)
    network.set_encoder_precision(getattr(torch, options.precision))
    window = torch.randn(1, 1, *network.window, generator=torch.Generator().manual_seed(1))
    layers, counts = Layers(), (1, options.threads)

    @torch.inference_mode()
    def run() -> None:
        network.encode(window)

    layers.of(run, options.threads)
    rounds: dict[int, list[list[tuple[str, Taken]]]] = {count: [] for count in counts}
    for number in range(options.rounds):
        for count in counts if number % 2 else reversed(counts):
            rounds[count].append(layers.of(run, count))
    print(f"{'layer':34} {'1 thread':>9} {options.threads:>7} {'speed-up':>9} {'cpu':>6} {'idle':>6} {'waits':>6}")
    for place, (name, _) in enumerate(rounds[1][0]):
        one, several = ([taken[place][1] for taken in rounds[count]] for count in counts)
        print(
            f"{name:34} {median(t.wall for t in one):9.3f} {median(t.wall for t in several):7.3f}"
            f" {median(a.wall / b.wall for a, b in zip(one, several, strict=True)):9.2f}"
            f" {median(b.cpu / a.cpu for a, b in zip(one, several, strict=True)):6.2f}"
            f" {median(1 - t.cpu / t.wall / options.threads for t in several):6.2f}"
            f" {median(t.waits for t in several):6.0f}"
        )
    return 0


def _map(voxels: torch.Tensor) -> str:
    return f"{voxels.shape[1]} at {voxels.shape[2]}"


def _now() -> Taken:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Taken(time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_nvcsw)


def _since(before: Taken) -> Taken:
    now = _now()
    return Taken(now.wall - before.wall, now.cpu - before.cpu, now.waits - before.waits)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=2, help="beside one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=96, help="voxels of the window along each axis")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
