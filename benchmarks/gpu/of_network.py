"""Checks of the network alone: golden numbers, and a window's time and memory beside its convolutions'."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from checking import Setup, Targets, Triple
from torch import Tensor

from helpers.seeded import GOLDEN, manifest, seeded_tensor
from SATSegmentLib.inference.device import inferring
from SATSegmentLib.sat.backbones.streaming.slabs import layout
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.released import build_network, check_network
from SATSegmentLib.sat.network import SATNetwork

# Largest and root-mean-square difference of logits, over their standard deviation. Float32's is the golden numbers' own
# tolerance; half precision's are a few times its rounding through two dozen layers.
_TOLERANCES = {"float32": (1e-3, 2e-4), "float16": (0.15, 0.015), "bfloat16": (0.8, 0.15)}
_PEAKS = {"nano": 3e9, "pro": 7e9}
_OVER_CONVOLUTIONS = 1.3


def goldens(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """The reference's logits from the same seeded weights, in each precision."""
    targets = Targets()
    for name in ("tiny",) if setup.small else ("tiny", "sat_nano"):
        window, queries, expected, shape, part = _golden(name)
        keys = {key: one for key, one in manifest(name)["keys"].items() if not re.search("all_modules|mid_mask", key)}
        state = {key.removeprefix("module."): seeded_tensor(key, one) for key, one in keys.items()}
        for precision in setup.precisions():
            network = build_network(check_network(dict(state), name, sha256=""), shape)
            network.settle(setup.device, getattr(torch, precision))
            with inferring():
                logits = network.decode(network.encode(window.to(setup.device)), queries.to(setup.device))
            ours = logits[(..., *[slice(None, None, part)] * 3)].cpu().numpy()
            difference = (ours - expected.reshape(ours.shape)) / expected.std()
            most, typical = _TOLERANCES[precision]
            targets.most(f"{name} {precision} max", float(np.abs(difference).max()), most)
            targets.most(f"{name} {precision} rms", float(np.sqrt((difference**2).mean())), typical)
    return targets.result()


def window_nano(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """A released window through SAT-Nano."""
    return _window(setup, "nano")


def window_pro(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """A released window through SAT-Pro."""
    return _window(setup, "pro")


def _window(setup: Setup, model: str) -> tuple[dict[str, Any], list[str]]:
    targets = Targets()
    spec = setup.spec(model)
    torch.manual_seed(0)
    with torch.device(setup.device):
        network = SATNetwork(spec, setup.window).eval().requires_grad_(False)
    image = torch.randn(1, 1, *setup.window, device=setup.device)
    gflop = 2e-9 * spec.encode_macs(setup.window)
    for precision in setup.precisions()[-2:]:
        dtype = getattr(torch, precision)
        network.settle(setup.device, dtype)
        with inferring():
            setup.fresh()
            taken = setup.milliseconds(lambda: network.encode(image))
            targets.most(f"{precision} peak bytes", setup.peak(), _PEAKS[model])
            alone = _convolutions(setup, spec, dtype)
            rate = _rate(setup, dtype)
        targets.note(**{f"{precision} ms": taken, f"{precision} convolutions ms": alone})
        # Of a processor other things are asked; there this only shows that the script runs.
        targets.most(f"{precision} over its convolutions", taken / alone, _OVER_CONVOLUTIONS, setup.on_card)
        targets.note(**{f"{precision} share of conv3d's rate": 1000 * gflop / taken / rate})
        if setup.on_card and precision == "float16":
            targets.note(**_other_ways(setup, network, image))
    return targets.result()


def _other_ways(setup: Setup, network: SATNetwork, image: Tensor) -> dict[str, float]:
    """What was left out for want of a measurement: slabs, and cuDNN's search for the fastest algorithm."""
    found = {}
    with inferring():
        network.backbone.in_slabs = True
        setup.fresh()
        found["in slabs ms"] = setup.milliseconds(lambda: network.encode(image), 2)
        found["in slabs peak bytes"] = setup.peak()
        network.backbone.in_slabs = False
        torch.backends.cudnn.benchmark = True
        setup.fresh()
        found["searched algorithms ms"] = setup.milliseconds(lambda: network.encode(image), 2)
        found["searched algorithms peak bytes"] = setup.peak()
        torch.backends.cudnn.benchmark = False
    return found


def _convolutions(setup: Setup, spec: UNetSpec, dtype: torch.dtype) -> float:
    """Milliseconds of all of a U-Net's convolutions, each alone on a map of its size."""
    total = 0.0
    for run, scale in _layers(setup, spec, dtype):
        total += scale * setup.milliseconds(run, 2)
    return total


def _layers(setup: Setup, spec: UNetSpec, dtype: torch.dtype) -> list[tuple[Callable[[], Tensor], float]]:
    sides, runs = [setup.window], []
    for stride in spec.strides:
        x, y, z = (side // step for side, step in zip(sides[-1], stride, strict=True))
        sides.append((x, y, z))
    inputs = 1
    for features, stride, depth, seen, made in zip(
        spec.features, spec.strides, spec.encoder_convs, sides, sides[1:], strict=False
    ):
        runs.append(_layer(setup, dtype, inputs, features, seen, stride, 1))
        runs.append(_layer(setup, dtype, features, features, made, (1, 1, 1), depth - 1))
        inputs = features
    for features, stride, depth, made in zip(
        spec.features[-2::-1], spec.strides[:0:-1], spec.decoder_convs, sides[-2:0:-1], strict=True
    ):
        below = tuple(side // step for side, step in zip(made, stride, strict=True))
        runs.append(_upsampling(setup, dtype, inputs, features, below, stride))
        runs.append(_layer(setup, dtype, 2 * features, features, made, (1, 1, 1), 1))
        runs.append(_layer(setup, dtype, features, features, made, (1, 1, 1), depth - 1))
        inputs = features
    return runs


def _layer(
    setup: Setup, dtype: torch.dtype, inputs: int, outputs: int, seen: Triple, stride: Triple, times: int
) -> tuple[Callable[[], Tensor], float]:
    form = layout(setup.device, dtype)

    def run() -> Tensor:
        x, weight = made
        return F.conv3d(x, weight, None, stride, 1)

    # Made when it is first run, so that one layer's maps are there at a time.
    made = _Made(
        lambda: (
            torch.randn(1, inputs, *seen, device=setup.device, dtype=dtype).contiguous(memory_format=form),
            torch.randn(outputs, inputs, 3, 3, 3, device=setup.device, dtype=dtype).contiguous(memory_format=form),
        )
    )
    return run, float(times)


def _upsampling(
    setup: Setup, dtype: torch.dtype, inputs: int, outputs: int, below: Triple, stride: Triple
) -> tuple[Callable[[], Tensor], float]:
    made = _Made(
        lambda: (
            torch.randn(math.prod(below), inputs, device=setup.device, dtype=dtype),
            torch.randn(inputs, outputs * math.prod(stride), device=setup.device, dtype=dtype),
        )
    )

    def run() -> Tensor:
        x, weight = made
        return x @ weight

    return run, 1.0


class _Made:
    """Two tensors that are made for the runs of one layer, and gone with the next one's."""

    _last: _Made | None = None

    def __init__(self, make: Callable[[], tuple[Tensor, Tensor]]) -> None:
        self._make = make
        self._tensors: tuple[Tensor, Tensor] | None = None

    def __iter__(self):
        if self._tensors is None:
            if _Made._last is not None:
                _Made._last._tensors = None
            self._tensors, _Made._last = self._make(), self
        return iter(self._tensors)


def _rate(setup: Setup, dtype: torch.dtype) -> float:
    """GFLOP/s of conv3d, 64 to 64 channels, in the layout that is fastest here."""
    side, width = (16, 8) if setup.small else (128, 64)
    run, _ = _layer(setup, dtype, width, width, (side,) * 3, (1, 1, 1), 1)
    return 2e-6 * 27 * width * width * side**3 / setup.milliseconds(run)


def _golden(name: str) -> tuple[Tensor, Tensor, np.ndarray, Triple, int]:
    """The window, queries, expected logits, the window's shape, and of how many voxels one is expected."""
    seed, batch, shape, queries, part = (
        (7, 2, (64, 64, 32), (4, 48), 4) if name == "tiny" else (21, 1, (96, 96, 96), (3, 768), 8)
    )
    rng = np.random.Generator(np.random.PCG64(seed))
    window = torch.from_numpy(rng.standard_normal((batch, 1, *shape)).astype(np.float32))
    asked = torch.from_numpy(rng.standard_normal(queries).astype(np.float32))
    with np.load(GOLDEN / ("tiny_forward.npz" if name == "tiny" else f"{name}_forward96.npz")) as golden:
        return window, asked, golden["logits" if name == "tiny" else "logits_sub"], shape, part
