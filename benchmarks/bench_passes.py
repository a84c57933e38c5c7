"""What a window takes through memory beside its convolutions, counted operation by operation, and its CPU time.

    git worktree add ../before 77112a2
    python benchmarks/bench_passes.py ../before                       bfloat16, 96 x 96 x 96

The encoder of SAT-Nano's widths in one thread, convolved in the precision that maps are stored in: as on a CPU that has
matrix tiles for bfloat16, whatever this one has.

Bytes are counted with tensors that hold no data. Each operation counts what it reads and what it writes, whether or not
it is in a cache; views and allocations count nothing, and neither do convolutions and matrix products. A pass is the
bytes of all maps that convolutions make at a level: 2 is to read and write each number once.

CPU seconds are those of a whole window in which convolutions and products give back numbers that are there already: of
norms, activations, statistics, casts, joins and pooling alone. Checkouts take turns; medians are shown.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
Levels = dict[str, dict[str, float]]
_PRODUCTS = ("convolution", "mm", "bmm", "addmm", "baddbmm", "linear")
_KINDS = {
    "native_batch_norm": "norm",
    "addcmul": "norm",
    "add": "pooling",
    "mean": "pooling",
    "sum": "pooling",
    "leaky_relu": "activation",
    "batch_norm_update_stats": "statistics",
    "copy": "copies, casts",
    "_to_copy": "copies, casts",
    "clone": "copies, casts",
    "cat": "copies, casts",
    "stack": "copies, casts",
}


def main() -> int:
    options = _options()
    if options.child:
        answer = (count if options.rounds == 0 else seconds)(options.child, options.precision, tuple(options.window))
        print(json.dumps(answer))
        return 0
    trees = {"this": HERE} | ({"other": options.other.resolve()} if options.other else {})
    counted: dict[str, Levels] = {name: _asked(tree, options, 0) for name, tree in trees.items()}
    for name, levels in counted.items():
        _show(name, levels)
    taken: dict[str, list[float]] = {name: [] for name in trees}
    for number in range(options.rounds):
        for name in list(trees) if number % 2 else list(reversed(trees)):
            taken[name].append(_asked(trees[name], options, 1))
    print()
    for name, levels in counted.items():
        size = sum(_all(levels).values()) - _all(levels)["maps"]
        spent = f"{statistics.median(taken[name]):.2f} CPU s" if taken[name] else ""
        print(f"{name:>6}: {size / 1e9:.2f} GB  {spent}")
    return 0


def _show(name: str, levels: Levels) -> None:
    print(f"\n{name}: passes over a level's maps")
    kinds = sorted({kind for level in levels.values() for kind in level if kind != "maps"})
    print("  ".join(f"{one:>13}" for one in ("level", "maps, MB", *kinds, "all")))
    for place, level in [*levels.items(), ("all", _all(levels))]:
        passes = [level.get(kind, 0) / level["maps"] for kind in kinds]
        values = [f"{level['maps'] / 1e6:.1f}", *(f"{one:.2f}" for one in (*passes, sum(passes)))]
        print("  ".join(f"{one:>13}" for one in (place, *values)))


def _all(levels: Levels) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for level in levels.values():
        for kind, size in level.items():
            total[kind] += size
    return total


def _asked(tree: Path, options: argparse.Namespace, rounds: int) -> Any:
    """By a process of its own, because both checkouts name their modules alike."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", str(tree), "--rounds", str(rounds)]
    # What TorchScript does in one go is counted one by one.
    environment = os.environ | ({"PYTORCH_JIT": "0"} if rounds == 0 else {})
    command += ["--precision", options.precision, "--window", *map(str, options.window)]
    return json.loads(subprocess.check_output(command, text=True, env=environment).splitlines()[-1])


def count(tree: Path, precision: str, window: tuple[int, int, int]) -> Levels:
    """Bytes by level ("96x96x96") and kind; "maps" are those of what its convolutions make."""
    module, build = _imported(tree)
    import torch
    from memory_traffic import MemoryTraffic
    from torch._subclasses.fake_tensor import FakeTensorMode

    dtype = getattr(torch, precision)
    with torch.device("meta"):
        backbone = build("nano", window).backbone
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        for layer in backbone.modules():
            for name, weight in list(layer.named_parameters(recurse=False)):
                setattr(layer, name, torch.nn.Parameter(torch.empty(weight.shape, dtype=dtype), requires_grad=False))
        convolve, traffic = module.convolve, MemoryTraffic(_kind)

        def followed(source: Any, block: Any, out: torch.Tensor) -> Any:
            traffic.place = "x".join(map(str, out.shape[2:]))
            traffic.bytes[traffic.place]["maps"] += out.numel() * out.itemsize
            return convolve(source, block, out)

        module.convolve = followed
        image = torch.empty(1, 1, *window, dtype=dtype)
        with traffic:
            backbone(image)
    return {place: dict(sizes) for place, sizes in traffic.bytes.items() if sizes["maps"]}


def seconds(tree: Path, precision: str, window: tuple[int, int, int]) -> float:
    """Of a window, without its convolutions and products."""
    _, build = _imported(tree)
    import torch

    network = build("nano", window)
    network.set_encoder_precision(getattr(torch, precision))
    image = torch.zeros(1, 1, *window, dtype=getattr(torch, precision))
    there: dict[tuple[Any, ...], torch.Tensor] = {}

    def made(like: torch.Tensor, *shape: int) -> torch.Tensor:
        if (shape, like.dtype) not in there:
            layout = torch.channels_last_3d if len(shape) == 5 else torch.contiguous_format
            there[shape, like.dtype] = torch.randn(shape).to(like.dtype).contiguous(memory_format=layout)
        return there[shape, like.dtype]

    def conv3d(x: torch.Tensor, weight: torch.Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Any:
        steps = (stride,) * 3 if isinstance(stride, int) else stride
        added = (padding,) * 3 if isinstance(padding, int) else padding
        sides = zip(x.shape[2:], weight.shape[2:], steps, added, strict=True)
        return made(x, len(x), len(weight), *((side + 2 * more - taps) // step + 1 for side, taps, step, more in sides))

    for reading in ("sources", "strips"):  # TorchScript would multiply out what is left out here
        read_by = sys.modules.get(f"SATSegmentLib.sat.backbones.streaming.{reading}")
        for name, function in list(vars(read_by).items()) if read_by else []:
            if hasattr(function, "__wrapped__"):
                setattr(read_by, name, function.__wrapped__)
    torch.nn.functional.conv3d = conv3d
    torch.nn.functional.linear = lambda x, weight, bias=None: made(x, len(x), len(weight))
    torch.addmm = lambda bias, one, two, out=None: made(one, len(one), two.shape[1]) if out is None else out
    torch.Tensor.__matmul__ = lambda one, two: made(one, len(one), two.shape[1])
    with torch.inference_mode():
        network.backbone(image)
        started = time.process_time()
        network.backbone(image)
        return time.process_time() - started


def _imported(tree: Path) -> tuple[Any, Callable[..., Any]]:
    """The module that convolves slab by slab, told to compute in what maps are stored in; and `bench_window.build`."""
    sys.path[:0] = [str(tree / "SATSegment"), str(tree / "SATSegment" / "Testing"), str(tree / "benchmarks")]
    sys.path.append(str(HERE / "SATSegment" / "Testing" / "helpers"))  # another checkout may lack what is counted with
    importlib.import_module("SATSegmentLib")  # before torch, as everywhere
    try:
        module: Any = importlib.import_module("SATSegmentLib.sat.backbones.streaming.slabs")
        module.compute_dtype = lambda stored, device: stored
    except ModuleNotFoundError:  # as they were called once
        module = importlib.import_module("SATSegmentLib.sat.lean")
        module.arithmetic_dtype = lambda stored, device: stored
    importlib.import_module("torch").set_num_threads(1)
    return module, importlib.import_module("bench_window").build


def _kind(name: str) -> str | None:
    """Of an operation by its name; None for those that do not count."""
    plain = name.rstrip("_")
    return None if plain in _PRODUCTS else _KINDS.get(plain, "other")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="another checkout of this repository")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--window", type=int, nargs=3, default=(96, 96, 96), metavar=("X", "Y", "Z"))
    parser.add_argument("--rounds", type=int, default=3, help="of CPU seconds")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
