"""What a window costs a U-Mamba, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.streaming import slabs
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
    """Highest use of memory while a window is encoded, without weights: two finest maps, and slabs of them."""
    voxels = math.prod(window)
    # On the way up: the skip, the block's own map and the one below. On the way down there are two finest maps, too.
    maps = (2 * voxels * spec.features[0] + voxels // math.prod(spec.strides[1]) * spec.features[1]) * dtype.itemsize
    return maps + slabs.slab_bytes(spec.features[0], window, dtype, device) + 4 * voxels
