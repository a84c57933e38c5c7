"""One window through the image encoder: how near to the machine's own convolution rate, and in how much memory.

    python benchmarks/bench_window.py                                  SAT-Nano, full window, both precisions
    python benchmarks/bench_window.py --models pro --precisions bfloat16 --paths slabs --rounds 0     memory only
    python benchmarks/bench_window.py --window 96 96 96 --out window.csv                              quick

Weights are synthetic and seeded, widths those of the released networks. "slabs" is what inference uses, "layers" the
same network layer by layer, as training uses it. All paths take turns within each round, after the machine's own rates:
only ratios within a round mean something on a machine that does other things too, and the medians of those are shown.

Columns: share and share_cl are the rate reached over that of conv3d 64 -> 64, 3x3x3, 96^3 at the same precision in the
default layout and with channels last; over_float32 is the time of "layers" in float32 over the path's own; live_gb
counts tensors that are alive (weights, input and output included), rss_gb the whole process, both in one more run by
itself. On a machine where others compute too, `--threads 1 --clock cpu` measures what wall time cannot.
"""

from __future__ import annotations

import argparse
import csv
import gc
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import machine  # noqa: E402
from machine import ResidentPeak, conv_rate, matmul_rate  # noqa: E402

from helpers.live_bytes import LiveBytes  # noqa: E402
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS  # noqa: E402
from SATSegmentLib.sat.backbones.streaming.compute_dtype import compute_dtype  # noqa: E402
from SATSegmentLib.sat.network import SATNetwork  # noqa: E402

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
RATES = {
    "conv": lambda dtype: conv_rate(dtype),
    "conv_cl": lambda dtype: conv_rate(dtype, torch.channels_last_3d),
    "matmul": lambda dtype: matmul_rate(dtype),
}


@dataclass
class Row:
    """One model at one precision on one path; rates in GFLOP/s, memory in GB (1e9 bytes)."""

    model: str
    precision: str
    path: str
    arithmetic: str
    gflop: float
    seconds: float
    rate: float
    conv: float
    conv_cl: float
    matmul: float
    share: float
    share_cl: float
    over_float32: float
    live_gb: float
    rss_gb: float


def main() -> int:
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    machine.now = CLOCKS[arguments.clock]
    rows = [row for model in arguments.models for row in measure(model, arguments)]
    names = list(asdict(rows[0]))
    print("  ".join(f"{name:>12}" for name in names))
    for row in rows:
        print("  ".join(f"{_text(value):>12}" for value in asdict(row).values()))
    if arguments.out:
        with open(arguments.out, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({name: _text(value) for name, value in asdict(row).items()} for row in rows)
    return 0


def measure(model: str, arguments: argparse.Namespace) -> list[Row]:
    """Time the model's paths in turns, then take each one's memory."""
    network = build(model, tuple(arguments.window))
    gflop = 2e-9 * network.architecture.encode_macs(network.window)
    window = torch.from_numpy(torch.randn(1, 1, *network.window, generator=torch.Generator().manual_seed(1)).numpy())
    cases = [(precision, path) for precision in arguments.precisions for path in arguments.paths]
    baseline = ("float32", "layers")
    rounds = []
    for number in range(arguments.rounds):
        measured: dict[tuple[str, str], float] = {}
        for precision in arguments.precisions:
            measured |= {(precision, name): rate(getattr(torch, precision)) for name, rate in RATES.items()}
        for case in cases:
            with _ready(network, *case):
                start = machine.now()
                network.encode(window)
                measured[case] = machine.now() - start
            print(f"round {number + 1}: {model} {' '.join(case)} {measured[case]:.1f} s", file=sys.stderr, flush=True)
        rounds.append(measured)
    rows = []
    for precision, path in cases:
        live, resident = _memory(network, window, precision, path)
        seconds = _median(one[precision, path] for one in rounds)
        conv, conv_cl, matmul = (_median(one[precision, name] for one in rounds) for name in RATES)
        dtype = getattr(torch, precision)
        row = Row(
            model=model,
            precision=precision,
            path=path,
            arithmetic=str(compute_dtype(dtype, torch.device("cpu")) if path == "slabs" else dtype)[6:],
            gflop=gflop,
            seconds=seconds,
            rate=gflop / seconds,
            conv=conv,
            conv_cl=conv_cl,
            matmul=matmul,
            share=_median(gflop / one[precision, path] / one[precision, "conv"] for one in rounds),
            share_cl=_median(gflop / one[precision, path] / one[precision, "conv_cl"] for one in rounds),
            over_float32=_median(one[baseline] / one[precision, path] for one in rounds if baseline in one),
            live_gb=live / 1e9,
            rss_gb=resident / 1e9,
        )
        rows.append(row)
    return rows


def build(model: str, window: tuple[int, int, int]) -> SATNetwork:
    """A network of a released network's widths, with seeded weights."""
    torch.manual_seed(0)
    network = SATNetwork(NAMED_SPECS[model], window)
    return network.eval().requires_grad_(False)


@contextmanager
def _ready(network: SATNetwork, precision: str, path: str) -> Iterator[None]:
    network.set_encoder_precision(getattr(torch, precision))
    with torch.set_grad_enabled(path == "layers"), torch.inference_mode(path == "slabs"):
        compute_dtype(getattr(torch, precision), torch.device("cpu"))  # is measured once, and not here
        yield


def _memory(network: SATNetwork, window: torch.Tensor, precision: str, path: str) -> tuple[float, float]:
    with _ready(network, precision, path):
        gc.collect()
        live = LiveBytes([window, *network.state_dict().values(), network.position_code])
        with ResidentPeak() as resident, live:
            network.encode(window)
    print(f"memory: {precision} {path} {live.peak / 1e9:.2f} GB live", file=sys.stderr, flush=True)
    return live.peak, resident.peak


def _median(values: Iterator[float]) -> float:
    values = list(values)
    return statistics.median(values) if values else float("nan")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(NAMED_SPECS), default=["nano"])
    parser.add_argument(
        "--precisions", nargs="+", choices=["float32", "bfloat16", "float16"], default=["float32", "bfloat16"]
    )
    parser.add_argument("--paths", nargs="+", choices=["slabs", "layers"], default=["layers", "slabs"])
    parser.add_argument("--window", nargs=3, type=int, default=(288, 288, 96), metavar=("X", "Y", "Z"), help="voxels")
    parser.add_argument("--rounds", type=int, default=1, help="timed runs of each; 0 for memory only")
    parser.add_argument("--threads", type=int, help="of torch; as many as it likes by default")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--out", help="write the table as CSV here")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
