"""How near a plan's seconds come to the run's, and what the probe behind the first plan costs.

    python benchmarks/bench_plan.py
    python benchmarks/bench_plan.py --threads 2 --window 64 64 32 --models nano

The first plan of a network goes by a probe of small pieces (`inference/speed.py`), later ones by what encoding took.
A ratio of 1 is a plan that was right. The probe's share is of the first run's time without it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import synthetic  # noqa: E402

from SATSegmentLib.inference.cache import FeatureCache  # noqa: E402
from SATSegmentLib.inference.run_plan import RunPlan  # noqa: E402
from SATSegmentLib.inference.segmenter import Segmenter  # noqa: E402
from SATSegmentLib.inference.speed import measure_speed  # noqa: E402
from SATSegmentLib.types import Image  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--window", type=int, nargs=3, default=(96, 96, 96), metavar=("X", "Y", "Z"))
    parser.add_argument("--models", nargs="+", choices=("nano", "pro"), default=("nano", "pro"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    window = tuple(options.window)
    print("model  windows  prompts  probe share  first plan / run  second plan / run")
    for model in options.models:
        made = synthetic.network(model, window)
        probe = _timed(lambda made=made: measure_speed(made))
        for windows in ((1, 1, 1), (2, 1, 1)):
            image = synthetic.body(synthetic.shape_of(windows, window))
            for prompts in (1, 64):
                one = synthetic.segmenter(made, "float32", FeatureCache(1 << 34, 0))
                asked = synthetic.queries(prompts)
                (first, took), (second, again) = (_run(one, image, asked) for _ in range(2))
                print(
                    f"{model}  {np.prod(windows)}  {prompts}  {probe / took:.3f}  "
                    f"{first.seconds / took:.2f}  {second.seconds / again:.2f}",
                    flush=True,
                )
    return 0


def _run(one: Segmenter, image: Image, asked: np.ndarray) -> tuple[RunPlan, float]:
    """The plan, and the seconds from when it is told: what the probe takes is over by then."""
    one.cache.clear()  # both runs encode
    told: list[tuple[RunPlan, float]] = []
    one.segment_queries(image, asked, "ct", on_plan=lambda plan: told.append((plan, time.perf_counter())))
    plan, started = told[-1]
    return plan, time.perf_counter() - started


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
