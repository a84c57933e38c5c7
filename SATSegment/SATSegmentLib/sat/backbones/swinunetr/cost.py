"""What a window costs a SwinUNETR, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat.backbone import COPIES, Triple
from SATSegmentLib.sat.backbones.streaming import slabs, workers
from SATSegmentLib.sat.backbones.swinunetr import transformer
from SATSegmentLib.sat.backbones.swinunetr.spec import MLP_RATIO, WINDOW, SwinUNETRSpec

_TAPS = 27
# Maps of the transformer's finest stage, in float32, that are there at once beside what workers take; and with that,
# where all is done at once. Counted at the released widths.
_STAGE_MAPS, _STAGE_MAPS_AT_ONCE = 10, 15
# Ways in which shifted windows are masked.
_MASKS = 8


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
    """Highest use of memory while a window is encoded, without weights.

    Two finest maps and slabs of them, or what the transformer takes, which is computed in float32.
    """
    voxels = math.prod(window)
    # The finest block's own map and its projected skip, when all coarser maps are there.
    sizes = [width * (voxels >> (3 * level)) for level, width in enumerate(spec.widths)]
    maps = (sizes[0] + sum(sizes)) * dtype.itemsize
    convolving = maps + slabs.slab_bytes(spec.feature_size, window, dtype, device)
    at_once = workers.count() if device.type == "cpu" else 1
    transforming = transformer_bytes(spec, window, dtype, at_once)
    return max(convolving, transforming) + 4 * voxels


def transformer_bytes(spec: SwinUNETRSpec, window: Triple, dtype: torch.dtype, at_once: int) -> int:
    """What the transformer takes beside the window, without its weights as they are stored."""
    stage = 4 * spec.feature_size * math.prod(window) // 8
    total = min(_STAGE_MAPS * stage + 4 * transformer.SCORES * at_once, _STAGE_MAPS_AT_ONCE * stage)
    total += _MASKS * 4 * spec.heads[0] * WINDOW**6
    if dtype != torch.float32:  # its weights, widened
        widths = [spec.feature_size << number for number in range(len(spec.depths))]
        for depth, width in zip(spec.depths, widths, strict=True):
            total += 4 * ((4 + 2 * MLP_RATIO) * depth + 16) * width**2
    return total
