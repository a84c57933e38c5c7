"""What a window costs a U-Mamba, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math
from itertools import pairwise

import torch

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.streaming import slabs, workers
from SATSegmentLib.sat.backbones.umamba.mamba import layer_bytes
from SATSegmentLib.sat.backbones.umamba.spec import EXPANSION, STATES, TAPS, WIDTH_OVER_RANK, UMambaSpec

_KERNEL_VOXELS = 27


def encode_macs(spec: UMambaSpec, window: Triple) -> int:
    """Convolutions and Mamba layers for one window; everything else is small beside them."""
    sizes, voxels = [], math.prod(window)
    for stride in spec.strides:
        voxels //= math.prod(stride)
        sizes.append(voxels)
    total, before = _KERNEL_VOXELS * sizes[0] * spec.features[0], spec.features[0]
    for size, features in zip(sizes, spec.features, strict=True):
        total += size * features * (_KERNEL_VOXELS * (before + features) + (before if before != features else 0))
        before = features
    for size, features in list(zip(sizes, spec.features, strict=True))[len(sizes) - spec.mamba_layers :]:
        hidden, rank = EXPANSION * features, -(-features // WIDTH_OVER_RANK)
        # Projections in and out, to steps and states, and a state's decay, input and output, walked twice.
        total += size * hidden * (3 * features + 2 * rank + 2 * STATES + TAPS + 6 * STATES)
    for size, features, below in zip(sizes, spec.features, spec.features[1:], strict=False):
        total += size * features * (below + _KERNEL_VOXELS * 3 * features + 2 * features)
    return total


def encode_bytes(spec: UMambaSpec, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """Highest use of memory while a window is encoded, without weights.

    Two finest maps and slabs of them, or what a Mamba layer takes.
    """
    maps, layers, voxels = [], [], math.prod(window)
    at_once = workers.count() if device.type == "cpu" else 1
    for features, stride in zip(spec.features, spec.strides, strict=True):
        voxels //= math.prod(stride)
        maps.append(features * voxels * dtype.itemsize)
        layers.append(layer_bytes(features, voxels, at_once))
    # On the way down the maps so far, and a block's own, twice where its skip is projected (and at first for the stem).
    projected = [True, *(above != below for above, below in pairwise(spec.features))]
    down = [sum(maps[: stage + 1]) + maps[stage] * twice for stage, twice in enumerate(projected)]
    # On the way up the skips that are left, the block's own map and the one below.
    up = [sum(maps[: stage + 1]) + maps[stage] + below for stage, below in enumerate(maps[1:])]
    # A Mamba layer's own tensors, when the map that it replaces is there. There are no slabs then.
    first = len(maps) - spec.mamba_layers
    mamba = [sum(maps[: stage + 1]) + layers[stage] for stage in range(first, len(maps))]
    convolving = max(*down, *up) + slabs.slab_bytes(spec.features[0], window, dtype, device)
    return max(convolving, *mamba) + 4 * math.prod(window)
