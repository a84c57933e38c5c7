"""A process that takes a window one way whenever it is told to; bench_threads.py starts it, for either checkout.

    python window_ways.py TREE WAY PRECISION SIDE MODEL

TREE is the checkout to measure, MODEL the network as OpenVINO keeps it. It prints "ready" and the precision that is
computed in, then answers each line of its input. Only what both checkouts have is used.

    prepare N   once what N threads need and is not timed is done, a first window included: a virtual machine may take
                seconds to give a process its memory
    seconds N   those that a window takes with N threads: the median of as many as are taken in some seconds
    peak        the highest resident memory of the process so far, in bytes
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

TREE, WAY, PRECISION, SIDE, MODEL = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5])
sys.path[:1] = [f"{TREE}/{folder}" for folder in ("SATSegment", "SATSegment/Testing", "benchmarks")]

# isort: off
import SATSegmentLib  # noqa: E402, F401  before torch, as everywhere
import torch  # noqa: E402
# isort: on

Run = Callable[[int], object]
PREPARE: dict[str, Run] = {}  # what a way does once for each number of threads
DTYPE = getattr(torch, PRECISION)
# Where a CPU has no instructions for bfloat16, a whole window of it would take minutes: a part of it tells as much.
_MOST_SECONDS = 20.0
# Of windows of which the median counts.
_LEAST_SECONDS = 4.0


def main() -> None:
    """Answer until the input ends."""
    computed, scale, run = WAYS[WAY]()
    print("ready", computed, flush=True)
    for line in sys.stdin:
        what, *threads = line.split()
        if what == "peak":
            print(_peak(), flush=True)
            continue
        number = int(threads[0])
        torch.set_num_threads(number)
        if what == "prepare":
            PREPARE.get(WAY, lambda threads: None)(number)
            run(number)
            print("done", flush=True)
            continue
        print(scale * _median_seconds(run, number), flush=True)


def _median_seconds(run: Run, threads: int) -> float:
    taken: list[float] = []
    while sum(taken) < _LEAST_SECONDS:
        started = time.perf_counter()
        run(threads)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _network():
    from bench_window import build

    made = build("nano", (SIDE,) * 3)
    made.set_encoder_precision(DTYPE)
    return made


def _window() -> torch.Tensor:
    return torch.randn(1, 1, SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def _layers() -> tuple[str, float, Run]:
    made, window = _network(), _window()

    def run(threads: int) -> None:
        with torch.enable_grad():
            made.encode(window)

    return PRECISION, 1.0, run


def _slabs() -> tuple[str, float, Run]:
    made, window = _network(), _window()

    def run(threads: int) -> None:
        with torch.inference_mode():
            made.encode(window)

    return _computed_in(), 1.0, run


def _computed_in() -> str:
    try:
        from SATSegmentLib.sat.backbones.streaming.compute_dtype import compute_dtype
    except ImportError:  # as it was called once
        from SATSegmentLib.sat.arithmetic import arithmetic_dtype as compute_dtype
    return str(compute_dtype(DTYPE, torch.device("cpu"))).removeprefix("torch.")


def _conv3d() -> tuple[str, float, Run]:
    """64 channels in and out, 27 taps, the whole window: what most of the network's work is."""
    weight = (0.03 * torch.randn(64, 64, 3, 3, 3)).to(DTYPE).contiguous(memory_format=torch.channels_last_3d)
    side, scale = SIDE, 1.0
    torch.set_num_threads(1)
    while True:
        small = max(side // 6, 8)
        seen = torch.randn(1, 64, small, small, small).to(DTYPE).contiguous(memory_format=torch.channels_last_3d)
        started = time.perf_counter()
        torch.conv3d(seen, weight, padding=1)
        if (time.perf_counter() - started) * (side / small) ** 3 < _MOST_SECONDS or side <= 24:
            break
        side, scale = side // 2, scale * 8
    seen = torch.randn(1, 64, side, side, side).to(DTYPE).contiguous(memory_format=torch.channels_last_3d)
    return PRECISION, scale, lambda threads: torch.conv3d(seen, weight, padding=1)


def _openvino() -> tuple[str, float, Run]:
    import openvino

    core, window = openvino.Core(), _window().numpy()
    core.set_property({"CACHE_DIR": str(MODEL.parent / "compiled")})
    half = PRECISION == "bfloat16" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    made: dict[int, Callable[[object], object]] = {}

    def compiled(threads: int) -> None:
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "NUM_STREAMS": 1,
        }
        made[threads] = core.compile_model(MODEL, "CPU", options)

    PREPARE["openvino"] = compiled
    return "bfloat16" if half else "float32", 1.0, lambda threads: made[threads](window)


def _convert() -> tuple[str, float, Run]:
    """The whole image encoder through `openvino.convert_model`, kept beside the results."""
    import openvino

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            backbone = _network().backbone
            self.encoder, self.decoder = backbone.encoder, backbone.decoder

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            levels, pooled = self.encoder(x)
            return pooled, self.decoder(levels)

    def run(threads: int) -> None:
        window = torch.zeros(1, 1, *(2 * SIDE // 3,) * 3)  # is followed through all layers: the smallest that fits
        model = openvino.convert_model(Layers().eval(), example_input=window, input=[1, 1, SIDE, SIDE, SIDE])
        openvino.save_model(model, MODEL, compress_to_fp16=False)

    return "float32", 1.0, run


def _peak() -> float:
    """Bytes; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    return next(1024 * int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


WAYS = {"layers": _layers, "slabs": _slabs, "conv3d": _conv3d, "openvino": _openvino, "convert": _convert}

if __name__ == "__main__":
    main()
