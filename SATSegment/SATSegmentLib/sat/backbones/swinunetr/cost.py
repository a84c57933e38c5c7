"""What a window costs a SwinUNETR, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat.backbone import COPIES, Triple
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.swinunetr.spec import MLP_RATIO, WINDOW, SwinUNETRSpec

_TAPS = 27


def encode_macs(spec: SwinUNETRSpec, window: Triple) -> int:
    """Convolutions, attention and linear layers for one window; everything else is small beside them."""
    voxels = [math.prod(window) >> (3 * level) for level in range(len(spec.widths))]
    total = voxels[1] * 8 * spec.feature_size
    for stage, depth in enumerate(spec.depths):
        width, cells = spec.feature_size << stage, voxels[stage + 1]
        within = min(WINDOW**3, cells)
        total += depth * cells * width * ((4 + 2 * MLP_RATIO) * width + 2 * within)
        total += cells // 8 * 16 * width * width
    # Only the finest block's skip has a convolution, of the one channel; none where files have as many channels in.
    inputs = (1, *spec.widths[1:])
    for size, seen, width in zip(voxels, inputs, spec.widths, strict=True):
        total += size * width * _TAPS * (seen + width)
    total += voxels[0] * spec.feature_size * (spec.feature_size != COPIES)
    for size, width, below in zip(voxels, spec.widths, spec.widths[1:], strict=False):
        total += size * width * (below + _TAPS * 3 * width + 2 * width)
    return total


def encode_bytes(spec: SwinUNETRSpec, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """Highest use of memory while a window is encoded, without weights: two finest maps, and slabs of them."""
    voxels = math.prod(window)
    # The finest block's own map and its projected skip, when all coarser maps are there.
    sizes = [width * (voxels >> (3 * level)) for level, width in enumerate(spec.widths)]
    maps = (sizes[0] + sum(sizes)) * dtype.itemsize
    return maps + slabs.slab_bytes(spec.feature_size, window, dtype, device) + 4 * voxels
