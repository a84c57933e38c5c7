"""A window of each backbone beside the U-Net's, in the same run: time as a ratio.

    python benchmarks/bench_backbones.py                                    released widths, 288 x 288 x 96, float32
    python benchmarks/bench_backbones.py --window 96 96 96 --rounds 3       quick

Weights are synthetic and seeded, widths those of the released networks. All backbones take turns within each round, and
the medians of the rounds' ratios are shown, because only ratios within a round mean something on a machine that does
other things too. Before each window as much memory as it needs is written once and freed: in a virtual machine a page
that its host has not given yet takes up to ten times as long as any other, and networks need different numbers of them.
The target is 1.3 for U-Mamba. Where others compute, `--threads 1 --clock cpu` measures what wall time cannot.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from bench_window import CLOCKS, build  # noqa: E402

BASE = "nano"


def main() -> int:
    """Print each backbone's seconds, and their ratio to the U-Net's."""
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clock, dtype = CLOCKS[arguments.clock], getattr(torch, arguments.precision)
    shape = tuple(arguments.window)
    window = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(1))
    models = [BASE, *(name for name in arguments.models if name != BASE)]
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for number in range(arguments.rounds):
        for name in models:
            # Made anew each time: three networks and a window at once may be more than the machine has.
            network = build(name, shape)
            network.set_encoder_precision(dtype)
            needed = network.architecture.encode_bytes(shape, dtype, torch.device("cpu"))
            torch.empty(needed, dtype=torch.uint8).fill_(1)
            with torch.inference_mode():
                started = clock()
                network.encode(window)
                seconds[name].append(clock() - started)
            print(f"round {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    print(
        f"{'x'.join(map(str, shape))}, {arguments.precision}, {torch.get_num_threads()} threads, {arguments.clock} time"
    )
    for name in models:
        ratio = statistics.median(mine / base for mine, base in zip(seconds[name], seconds[BASE], strict=True))
        print(f"{name:<10} {statistics.median(seconds[name]):8.2f} s   {ratio:5.2f} of the U-Net's")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["umamba", "swinunetr"], choices=["umamba", "swinunetr"])
    parser.add_argument("--window", type=int, nargs=3, default=(288, 288, 96), metavar=("X", "Y", "Z"))
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
