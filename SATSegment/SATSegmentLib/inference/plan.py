"""What a run will cost, said before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F

from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.geometry import network_grid
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.sat.cost import encode_macs
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import Image, Orientation

Home = Literal["memory", "memory and disk", "nowhere"]

# A probe long enough to leave the noise of a single call behind, short enough not to be felt.
_PROBE_SIDE = 48
_PROBE_CHANNELS = 64
_PROBE_CALLS = 3

# The prompts' pass reads all features once and works on what is found; per prompt and voxel, in seconds on one
# element-wise pass at the speed that is measured with the probe.
_PASSES_PER_PROMPT = 3.0


@dataclass(frozen=True)
class RunPlan:
    """What a run is expected to take.

    Attributes
    ----------
    device, precision: what it will run on.
    windows: windows of the scan over all passes (one pass for each training orientation among the prompts).
    prompts: structures asked for.
    feature_bytes: image features of all windows.
    features_in: where they will be kept for prompts that come later.
    working_bytes: highest use of memory beside weights and kept features.
    seconds: expected time, from the speed of this device measured just now.
    """

    device: str
    precision: str
    windows: int
    prompts: int
    feature_bytes: int
    features_in: Home
    working_bytes: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.prompts} structures, {self.windows} windows on {self.device} in {self.precision}: "
            f"about {_duration(self.seconds)}, {self.working_bytes / 1e9:.1f} GB of memory; "
            f"image features of {self.feature_bytes / 1e9:.1f} GB are kept in {self.features_in}"
        )


def plan_run(
    network: SATNetwork,
    image: Image,
    passes: Sequence[tuple[Orientation, int]],
    spacing: tuple[float, float, float],
    cache: FeatureCache,
) -> RunPlan:
    """Plan a run from the scan's size alone: nothing is resampled and nothing encoded.

    The crop to the foreground is not known yet, so windows and bytes are upper bounds.

    Parameters
    ----------
    passes: (orientation, number of prompts) of each pass.
    spacing: millimetres of the network's grid.
    """
    dtype, device = network.backbone.dtype, network.position_code.device
    channels = network.architecture.features[0]
    windows = feature_bytes = 0
    seconds = 0.0
    speed, bandwidth = device_speed(device, dtype)
    i, j, k = reversed(image.array.shape)
    for orientation, prompts in passes:
        shape = network_grid((i, j, k), image.ijk_to_ras, orientation, spacing).shape
        boxes = cover(shape, network.window)
        voxels = sum(math.prod(side.stop - side.start for side in box) for box in boxes)
        windows += len(boxes)
        feature_bytes += voxels * channels * dtype.itemsize
        seconds += len(boxes) * encode_macs(network.architecture, network.window) / speed
        seconds += voxels * (channels * dtype.itemsize + 4 * _PASSES_PER_PROMPT * prompts) / bandwidth
    home: Home = (
        "memory"
        if feature_bytes <= cache.memory_bytes
        else "memory and disk"
        if cache.can_hold(feature_bytes)
        else "nowhere"
    )
    return RunPlan(
        device=str(device),
        precision=str(dtype).removeprefix("torch."),
        windows=windows,
        prompts=sum(prompts for _, prompts in passes),
        feature_bytes=feature_bytes,
        features_in=home,
        working_bytes=_encode_bytes(network, dtype),
        seconds=seconds,
    )


@cache
def device_speed(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """(multiply-accumulates per second of a convolution, bytes per second of an element-wise pass), measured once."""
    image = torch.rand(1, _PROBE_CHANNELS, *[_PROBE_SIDE] * 3, device=device).to(dtype)
    kernel = torch.rand(_PROBE_CHANNELS, _PROBE_CHANNELS, 3, 3, 3, device=device).to(dtype)
    with torch.inference_mode():
        convolution = _fastest(lambda: F.conv3d(image, kernel, padding=1), device)
        element_wise = _fastest(lambda: image.sigmoid(), device)
    macs = image[0].numel() * 27 * _PROBE_CHANNELS
    return macs / convolution, 2 * image.nbytes / element_wise


def _fastest(call, device: torch.device) -> float:  # type: ignore[no-untyped-def]
    times = []
    call()
    for _ in range(_PROBE_CALLS):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times)


def _encode_bytes(network: SATNetwork, dtype: torch.dtype) -> int:
    """Full-resolution maps that live at the same time while a window is encoded."""
    return int(1.6 * math.prod(network.window) * network.architecture.features[0] * dtype.itemsize)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
