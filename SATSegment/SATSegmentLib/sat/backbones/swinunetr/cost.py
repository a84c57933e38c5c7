"""What a window costs a SwinUNETR, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbone import COPIES, KERNEL_VOXELS, Triple
from SATSegmentLib.sat.backbones.streaming import slabs
from SATSegmentLib.sat.backbones.streaming.residual import block_bytes
from SATSegmentLib.sat.backbones.swinunetr import transformer
from SATSegmentLib.sat.backbones.swinunetr.spec import MLP_RATIO, WINDOW, SwinUNETRSpec

# Of a stage whose cells are fed forward at once: its maps in float32 that are there together, and windows' paddings.
_STAGE_MAPS, _PADDINGS = 10, 5


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
        total += size * width * KERNEL_VOXELS * (seen + width)
    total += voxels[0] * spec.feature_size * (spec.feature_size != COPIES)
    for size, width, below in zip(voxels, spec.widths, spec.widths[1:], strict=False):
        total += size * width * (below + KERNEL_VOXELS * 3 * width + 2 * width)
    return total


def encode_bytes(spec: SwinUNETRSpec, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """Highest use of memory while a window is encoded, without weights.

    Two finest maps and slabs of them, or what the transformer takes, which is computed in float32.
    """
    shapes = slabs.down_sizes(window, ((1, 1, 1), *((2, 2, 2),) * (len(spec.widths) - 1)))
    maps = [width * math.prod(shape) * dtype.itemsize for width, shape in zip(spec.widths, shapes, strict=True)]
    peaks = []
    inputs = (1, *spec.widths[1:])
    for stage, (seen, width, shape) in enumerate(zip(inputs, spec.widths, shapes, strict=True)):
        # What the finer blocks read, this block's own map and its projected skip, when all coarser maps are there.
        there = sum(maps[1:]) + maps[stage] * (1 + (seen != width))
        peaks.append(there + block_bytes(seen, width, (1, 1, 1), shape, dtype, device))
        if stage + 1 < len(maps):
            there = sum(maps[: stage + 1]) + maps[stage] + maps[stage + 1]
            weights = slabs.upsampling_bytes(spec.widths[stage + 1], width, (2, 2, 2), dtype, device)
            peaks.append(there + block_bytes(2 * width, width, (1, 1, 1), shape, dtype, device, weights))
    at_once = workers.count() if device.type == "cpu" else 1
    peaks.append(transformer_bytes(spec, window, dtype, at_once))
    # A twentieth for all that is small; and the window, as it comes and as it is stored.
    return max(peaks) * 21 // 20 + (4 + (dtype.itemsize if dtype != torch.float32 else 0)) * math.prod(window)


def transformer_bytes(spec: SwinUNETRSpec, window: Triple, dtype: torch.dtype, at_once: int) -> int:
    """What the transformer takes beside the window, without its weights as they are stored."""
    peaks, before = [], 0
    for number, (heads, depth) in enumerate(zip(spec.heads, spec.depths, strict=True)):
        grid = [side // (2 << number) for side in window]
        stage = 4 * (spec.feature_size << number) * math.prod(grid)
        padded = stage * math.prod(-(-side // WINDOW) * WINDOW if side > WINDOW else side for side in grid)
        padded //= math.prod(grid)
        # The table's rows and biases, and these with each mask: along an axis that is shifted the last window differs.
        masks = 2 ** sum(side > WINDOW for side in grid) if depth > 1 else 1
        biases = math.prod(min(side, WINDOW) for side in grid) ** 2 * (8 + 4 * heads * (1 + masks))
        if MLP_RATIO * stage // 4 <= transformer.SCORES:
            taken = _STAGE_MAPS * stage + _PADDINGS * (padded - stage) + biases
        else:
            # The stage's map, what it began with and what a block did; the windows, what is made of them part by part,
            # and that put together and in its order. Or, when these are gone, the fed cells, part by part.
            scores = 4 * transformer.SCORES * at_once
            attending = 3 * stage + max(5 * padded, 2 * padded + scores) + biases
            taken = max(attending, 5 * stage + padded + 2 * scores)
        peaks.append(before + taken)
        before += stage
    total = max(peaks)
    if dtype != torch.float32:  # its weights, widened
        widths = [spec.feature_size << number for number in range(len(spec.depths))]
        for depth, width in zip(spec.depths, widths, strict=True):
            total += 4 * ((4 + 2 * MLP_RATIO) * depth + 16) * width**2
    return total
