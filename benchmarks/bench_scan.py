"""A whole scan, stage by stage; prompts that come later; and how time and memory grow.

    make bench              small windows, minutes
    make bench FULL=1       the released window of 288x288x96 voxels, an hour or more
    python benchmarks/bench_scan.py --threads 1 --clock cpu     on a machine that does other things too

Weights are synthetic and seeded, widths those of the released networks, the scan is a body-like volume. What prompts
find on kept features decides what they cost, and random weights find nothing like a body's structures. So for "warm"
and "prompts" features are planted after they were encoded: prompts find ellipsoids, 1 % of the scan each (306 together:
three times the scan). "scattered" are 2 % of the voxels, wherever random weights find them, all over the scan;
"anywhere" is half of all voxels, the worst case. Time and memory of everything but the constant parts are proportional
to voxels, so the ratios of a small window are nearly those of a large one.

Writes a table for each part (stages.csv, single.csv, warm.csv, body.csv, windows.csv, prompts.csv) and a picture of the
growth into --out.
"""

from __future__ import annotations

import argparse
import csv
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import machine  # noqa: E402
import synthetic  # noqa: E402
from machine import ResidentPeak, conv_rate, matmul_rate  # noqa: E402

from helpers.live_bytes import LiveBytes  # noqa: E402
from SATSegmentLib.inference.cache import FeatureCache  # noqa: E402
from SATSegmentLib.inference.preprocess import prepare  # noqa: E402
from SATSegmentLib.inference.progress import Run  # noqa: E402
from SATSegmentLib.inference.query import Output, Query  # noqa: E402
from SATSegmentLib.inference.restore import restore  # noqa: E402
from SATSegmentLib.inference.run_plan import RunPlan  # noqa: E402
from SATSegmentLib.inference.segmenter import Segmenter  # noqa: E402
from SATSegmentLib.scans import read_scan  # noqa: E402
from SATSegmentLib.storage import write_segmentation  # noqa: E402
from SATSegmentLib.types import Image, Prompt  # noqa: E402

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SHARE = 0.02
ALL_PROMPTS = 306
BODY = (400, 300, 130)
Row = dict[str, Any]


def main() -> int:
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    machine.now = CLOCKS[arguments.clock]
    full = arguments.full
    window = (288, 288, 96) if full else (96, 96, 32)
    small = (96, 96, 32) if full else (64, 64, 32)
    arguments.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], list[Row]]] = {
        "stages": lambda: stages("nano", window, arguments.precision) + stages("pro", window, arguments.precision),
        "warm": lambda: warm(window if full else small, arguments.precision, full),
        "single": lambda: single(window, arguments.precision),
        "body": lambda: body(window, BODY if full else synthetic.shape_of((2, 2, 2), small), arguments.precision),
        "windows": lambda: growth_over_windows(small, arguments.precision, (1, 2, 4, 8, 18, 36)),
        "prompts": lambda: growth_over_prompts(small, arguments.precision, (1, 4, 16, 64, 153, ALL_PROMPTS)),
    }
    for name in arguments.parts:
        rows = parts[name]()
        _print(name, rows)
        with (arguments.out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({key: _text(value) for key, value in row.items()} for row in rows)
    if {"windows", "prompts"} <= {path.stem for path in arguments.out.glob("*.csv")}:
        draw(arguments.out)
    return 0


class Measure:
    """Seconds and the peak of the resident set while entered."""

    def __enter__(self) -> Measure:
        gc.collect()
        self._resident = ResidentPeak()
        self._resident.__enter__()
        self._started = machine.now()
        return self

    def __exit__(self, *_: Any) -> None:
        self.seconds = machine.now() - self._started
        self._resident.__exit__(None, None, None)
        self.resident = self._resident.peak


def stages(model: str, window: synthetic.Triple, precision: str) -> list[Row]:
    """One window's scan through every stage, with 16 prompts."""
    made = synthetic.network(model, window)
    one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
    dtype = getattr(torch, one.precision)
    conv, matmul = conv_rate(dtype), matmul_rate(dtype)
    gflop = 2e-9 * made.architecture.encode_macs(window)
    asked = synthetic.queries(16)
    prompts = [Prompt(f"structure {number}", "ct", trained=False) for number in range(len(asked))]
    state: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        _write_scan(Path(folder) / "scan.nii.gz", synthetic.body(synthetic.shape_of((1, 1, 1), window)))

        def read() -> None:
            state["image"] = read_scan(Path(folder) / "scan.nii.gz")

        def preprocess() -> None:
            state["scan"] = prepare(state["image"], "ct", "RAS", synthetic.SPACING)

        def encode() -> None:
            one.cache.clear()
            state["pass"] = one._pass(state["scan"], [], Output(0.5))
            state["pass"].features(0)

        def decode() -> None:
            shifts = state.setdefault("shifts", None) or [None] * len(asked)
            asks = [Query(n, *each) for n, each in enumerate(zip(prompts, asked, shifts, strict=True))]
            state["pass"] = one._pass(state["scan"], asks, Output(0.5))
            state["answers"] = list(
                state["pass"].answers(Run(), one._runner.plan([state["pass"]], one.cache), range(len(asks)))
            )

        def restore() -> None:
            state["results"] = [state["pass"]._finish(answer) for _, answer in state["answers"]]

        def write() -> None:
            target = Path(folder) / "out.seg.nrrd"
            write_segmentation(target, state["image"], state["results"], algorithm="benchmark", overwrite=True)

        rows = []
        with torch.inference_mode():
            for stage in (read, preprocess, encode, decode, restore, write):
                if stage is decode:
                    state["shifts"] = synthetic.scattered(made, one, state["image"], asked, SHARE)
                with Measure() as measure:
                    stage()
                with LiveBytes([*made.state_dict().values(), made.position_code]) as live:
                    stage()
                rows.append(
                    {
                        "model": model,
                        "precision": one.precision,
                        "window": "x".join(map(str, window)),
                        "stage": stage.__name__,
                        "seconds": measure.seconds,
                        "live_gb": live.peak / 1e9,
                        "rss_gb": measure.resident / 1e9,
                        "conv_gflops": conv,
                        "matmul_gflops": matmul,
                        "share_of_conv": gflop / measure.seconds / conv if stage is encode else float("nan"),
                    }
                )
    total = sum(row["seconds"] for row in rows)
    return [{**row, "share_of_time": row["seconds"] / total} for row in rows]


def warm(window: synthetic.Triple, precision: str, full: bool) -> list[Row]:
    """Eight windows cold, then prompts on their features, in memory and on disk."""
    made = synthetic.network("nano", window)
    image = synthetic.body(synthetic.shape_of((2, 2, 2), window))
    one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
    asked = synthetic.queries(ALL_PROMPTS)
    cold = _segment(one, image, asked[:1], None)
    rows: list[Row] = []

    def add(name: str, row: Row) -> None:
        rows.append({"run": name, **row, "over_cold": row["seconds"] / cold["seconds"]})
        _print(name, rows[-1:])

    def prompts(name: str, count: int, shifts: list[np.ndarray] | None) -> None:
        add(f"{name}, {count} prompts", _segment(one, image, asked[:count], shifts[:count] if shifts else None))

    add("cold, 1 prompts", cold)
    if not full:
        prompts("warm, found anywhere", ALL_PROMPTS, None)
    shifts = synthetic.scattered(made, one, image, asked, SHARE)
    for count in (1, 16) if full else (1, 16, ALL_PROMPTS):
        prompts("warm, scattered", count, shifts)
    synthetic.plant_organs(one, image)
    shifts = synthetic.organ_shifts(ALL_PROMPTS, made.architecture.channels)
    for count in (1, 1, 16, 64, ALL_PROMPTS):
        prompts("warm", count, shifts)
    one.cache.disk_bytes, one.cache.memory_bytes = shutil.disk_usage(tempfile.gettempdir()).free // 2, 0
    one.cache.use(0, 0)
    for count in (1, 1, 16, ALL_PROMPTS):
        prompts("warm from disk", count, shifts)
    one.cache.clear()
    return rows


def body(window: synthetic.Triple, shape: synthetic.Triple, precision: str) -> list[Row]:
    """A whole body cold and then all prompts: memory beside the features that are kept."""
    gc.collect()
    with ResidentPeak() as before:
        time.sleep(0.1)
    image = synthetic.body(shape)
    made = synthetic.network("nano", window)
    one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
    asked = synthetic.queries(ALL_PROMPTS)
    rows = []
    for count in (1, ALL_PROMPTS):
        shifts = synthetic.organ_shifts(count, made.architecture.channels) if count > 1 else None
        with Measure() as measure:
            one.segment_queries(image, asked[:count], "ct", mask_embedding_offsets=shifts)
        kept = one.cache.memory_used
        rows.append(
            {
                "scan": "x".join(map(str, shape)),
                "prompts": count,
                "seconds": measure.seconds,
                "features_gb": kept / 1e9,
                "beside_them_gb": (measure.resident - before.peak - kept) / 1e9,
            }
        )
        synthetic.plant_organs(one, image)
    one.cache.clear()
    return rows


def single(window: synthetic.Triple, precision: str) -> list[Row]:
    """One prompt on one window: the program, and no more than encoding, decoding everywhere and thresholding."""
    made = synthetic.network("nano", window)
    one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
    image, asked = synthetic.body(window), synthetic.queries(1)

    def program() -> None:
        one.cache.clear()
        one.segment_queries(image, asked, "ct")

    def least() -> None:
        scan = prepare(image, "ct", "RAS", synthetic.SPACING)
        with torch.inference_mode():
            features = made.encode(torch.from_numpy(scan.array)[None, None])
            probability = made.decode(features, torch.from_numpy(asked))[0, 0].sigmoid().numpy()
        restore(probability, scan.grid, 0.5)

    rows = []
    for number in range(4):
        for run in (program, least):
            with Measure() as measure:
                run()
            rows.append({"round": number + 1, "run": run.__name__, "seconds": measure.seconds})
    return rows


def growth_over_windows(window: synthetic.Triple, precision: str, counts: tuple[int, ...]) -> list[Row]:
    """Cold with one prompt and warm with 16, on scans of more and more windows."""
    lattices = {1: (1, 1, 1), 2: (1, 1, 2), 4: (1, 2, 2), 8: (2, 2, 2), 18: (3, 3, 2), 36: (3, 4, 3)}
    made = synthetic.network("nano", window)
    asked = synthetic.queries(16)
    rows = []
    for count in counts:
        one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
        image = synthetic.body(synthetic.shape_of(lattices[count], window))
        cold = _segment(one, image, asked[:1], None)
        synthetic.plant_organs(one, image)
        shifts = synthetic.organ_shifts(len(asked), made.architecture.channels)
        later = _segment(one, image, asked, shifts)
        rows.append(
            {
                "windows": count,
                "cold_seconds": cold["seconds"],
                "warm_16_seconds": later["seconds"],
                "features_gb": one.cache.memory_used / 1e9,
                "warm_16_grown_gb": later["grown_gb"],
            }
        )
    return rows


def growth_over_prompts(window: synthetic.Triple, precision: str, counts: tuple[int, ...]) -> list[Row]:
    """More and more prompts on the cached features of eight windows."""
    made = synthetic.network("nano", window)
    one = synthetic.segmenter(made, precision, FeatureCache(1 << 36, 0))
    image = synthetic.body(synthetic.shape_of((2, 2, 2), window))
    asked = synthetic.queries(max(counts))
    shifts = synthetic.organ_shifts(len(asked), made.architecture.channels)
    _segment(one, image, asked[:1], shifts[:1])
    synthetic.plant_organs(one, image)
    return [{"prompts": n, **_segment(one, image, asked[:n], shifts[:n])} for n in counts]


def _segment(one: Segmenter, image: Image, asked: np.ndarray, shifts: list[np.ndarray] | None) -> Row:
    plans: list[RunPlan] = []
    with ResidentPeak() as before:
        time.sleep(0.1)
    with Measure() as measure:
        results = one.segment_queries(image, asked, "ct", mask_embedding_offsets=shifts, on_plan=plans.append)
    return {
        "seconds": measure.seconds,
        "planned": plans[0].seconds,
        "grown_gb": (measure.resident - before.peak) / 1e9,
        "found": sum(result.voxels for result in results) / image.array.size / len(results),
    }


def _write_scan(path: Path, image: Image) -> None:
    scan = SimpleITK.GetImageFromArray(image.array)
    scan.SetSpacing(synthetic.SPACING)
    SimpleITK.WriteImage(scan, str(path))


def draw(folder: Path) -> None:
    """growth.png from windows.csv and prompts.csv."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    windows, prompts = (_columns(folder / f"{name}.csv") for name in ("windows", "prompts"))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    unit = windows["cold_seconds"][0]
    left.loglog(windows["windows"], windows["cold_seconds"] / unit, "o-", label="cold, 1 prompts")
    left.loglog(windows["windows"], windows["warm_16_seconds"] / unit, "s-", label="warm, 16 prompts")
    left.set(xlabel="windows", ylabel="time / one window cold", title="Growth over windows")
    eight = windows["cold_seconds"][list(windows["windows"]).index(8)]
    right.semilogx(prompts["prompts"], prompts["seconds"] / eight, "o-", label="time / 8 windows cold")
    right.semilogx(prompts["prompts"], prompts["grown_gb"], "s--", label="memory beside features, GB")
    right.set(xlabel="prompts on the features of 8 windows", title="Growth over prompts", ylim=(0, None))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(folder / "growth.png", dpi=110)


def _columns(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def _print(name: str, rows: list[Row]) -> None:
    print(f"\n{name}\n" + "  ".join(f"{key:>14}" for key in rows[0]))
    for row in rows:
        print("  ".join(f"{_text(value):>14}" for value in row.values()), flush=True)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("stages", "single", "warm", "body", "windows", "prompts")
    parser.add_argument("--parts", nargs="+", choices=names, default=names)
    parser.add_argument("--full", action="store_true", help="the released window instead of a small one")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, help="of torch; as many as it likes by default")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
