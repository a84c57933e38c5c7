"""What a window costs a U-Mamba, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbone import KERNEL_VOXELS, Triple
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.residual import block_bytes
from SATSegmentLib.sat.backbones.umamba.mamba import layer_bytes
from SATSegmentLib.sat.backbones.umamba.spec import EXPANSION, STATES, TAPS, WIDTH_OVER_RANK, UMambaSpec


def encode_macs(spec: UMambaSpec, window: Triple) -> int:
    """Convolutions and Mamba layers for one window; everything else is small beside them."""
    sizes, voxels = [], math.prod(window)
    for stride in spec.strides:
        voxels //= math.prod(stride)
        sizes.append(voxels)
    total, before = KERNEL_VOXELS * sizes[0] * spec.features[0], spec.features[0]
    for size, features in zip(sizes, spec.features, strict=True):
        total += size * features * (KERNEL_VOXELS * (before + features) + (before if before != features else 0))
        before = features
    for size, features in list(zip(sizes, spec.features, strict=True))[len(sizes) - spec.mamba_layers :]:
        hidden, rank = EXPANSION * features, -(-features // WIDTH_OVER_RANK)
        # Projections in and out, to steps and states, and a state's decay, input and output, walked twice.
        total += size * hidden * (3 * features + 2 * rank + 2 * STATES + TAPS + 6 * STATES)
    for size, features, below in zip(sizes, spec.features, spec.features[1:], strict=False):
        total += size * features * (below + KERNEL_VOXELS * 3 * features + 2 * features)
    return total


def encode_bytes(spec: UMambaSpec, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """Highest use of memory while a window is encoded, without weights.

    Two finest maps and slabs of them, or what a Mamba layer takes.
    """
    shapes = slabs.down_sizes(window, spec.strides)
    maps = [width * math.prod(shape) * dtype.itemsize for width, shape in zip(spec.features, shapes, strict=True)]
    at_once = workers.count() if device.type == "cpu" else 1
    mambas = len(maps) - spec.mamba_layers
    peaks = []
    inputs = (spec.features[0], *spec.features)
    for stage, (width, shape, stride) in enumerate(zip(spec.features, shapes, spec.strides, strict=True)):
        # The maps so far, and the block's own, twice where its skip is projected (and at first for the stem).
        there = sum(maps[: stage + 1]) + maps[stage] * (not stage or inputs[stage] != width)
        peaks.append(there + block_bytes(inputs[stage], width, stride, shape, dtype, device))
        if stage >= mambas:  # its own tensors, when the map that it replaces is there
            peaks.append(sum(maps[: stage + 1]) + layer_bytes(width, math.prod(shape), at_once))
    for stage, width in enumerate(spec.features[:-1]):
        # The skips that are left, the block's own map and the one below.
        there = sum(maps[: stage + 1]) + maps[stage] + maps[stage + 1]
        weights = slabs.upsampling_bytes(spec.features[stage + 1], width, spec.strides[stage + 1], dtype, device)
        peaks.append(there + block_bytes(2 * width, width, (1, 1, 1), shapes[stage], dtype, device, weights))
    # A twentieth for all that is small; and the window, as it comes and as it is stored.
    return max(peaks) * 21 // 20 + (4 + (dtype.itemsize if dtype != torch.float32 else 0)) * math.prod(window)
