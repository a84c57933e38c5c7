"""What a layer that is computed strip by strip takes of the memory beside its maps, counted as it is cut."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor, nn

from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbone import KERNEL_VOXELS, Triple
from SATSegmentLib.sat.backbones.streaming import direct, strips, winograd
from SATSegmentLib.sat.backbones.streaming.sources import Source


def convolution_bytes(
    inputs: int, outputs: int, stride: Triple, shape: Triple, over: bool, stored: torch.dtype, computed: torch.dtype
) -> int:
    """What all workers take while they convolve with 3x3x3 taps.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : (int, int, int)
        Of the convolution.
    shape : (int, int, int)
        Voxels of the map that it makes.
    over : bool
        Whether that is the map, or a part of what, it reads.
    stored, computed : torch.dtype
        The precisions that maps are kept and convolved in.
    """
    # Shapes without memory, so that what cuts the layers in a run cuts them here.
    out = torch.empty((), dtype=stored).expand(1, outputs, *shape)
    conv = nn.Conv3d(inputs, outputs, 3, stride, device="meta", dtype=stored)
    seen = [side * step for side, step in zip(shape, stride, strict=True)]
    source = cast(Source, SimpleNamespace(shape=(inputs, *seen)))
    if computed == torch.float32 and winograd.filtering_pays(conv.weight, conv.stride, out):
        return _tiled_bytes(inputs, out, over)
    if direct.by_channels(source, conv, out):
        return _channelwise_bytes(source, conv, out, computed)
    return _direct_bytes(source, conv, out, computed, over)


def finishing_bytes(
    channels: int, shape: Triple, cached: int, parts: int, stored: torch.dtype, computed: torch.dtype
) -> int:
    """What all workers take while a map is finished and averaged: sums of lines, of a plane's at most, and a part.

    A part of `cached` bytes is of a plane at most where that is more, and of as many planes as each of `parts` has. It
    is there where it is widened, and its own sums where a cell is one voxel across.
    """
    plane = channels * shape[1] * shape[2]
    part = min(max(cached, plane * computed.itemsize), plane * -(-shape[0] // parts) * computed.itemsize)
    return workers.count() * (4 * plane + part * (1 if stored == computed else 2))


def _tiled_bytes(inputs: int, out: Tensor, over: bool) -> int:
    outputs, _, rows, depth = out.shape[1:]
    deep = depth + winograd.TAPS - 1
    most, tiles = winograd.strip_rows(inputs, rows, depth)
    cells = winograd.SEEN**2
    transformed = cells * winograd.TAPS * inputs * outputs
    space = tiles * deep * (2 * cells * inputs + (cells + winograd.TILE**2) * outputs)
    space += winograd.SEEN * (winograd.TILE * tiles + 2) * depth * inputs
    return 4 * (transformed + workers.count() * space) + _border_bytes(out, most, 2 * winograd.TILE, over)


def _direct_bytes(source: Source, conv: nn.Conv3d, out: Tensor, computed: torch.dtype, over: bool) -> int:
    rows, planes = direct.thickness(source, conv, out, computed)
    buffer = direct.buffer_shape(source, conv, rows, planes)
    voxels = min(2 * planes, out.shape[2]) * min(rows, out.shape[3]) * out.shape[4]
    space = math.prod(buffer) + voxels * out.shape[1]
    if conv.in_channels <= direct.FEW_INPUTS:
        space += voxels * KERNEL_VOXELS * conv.in_channels
    weights = KERNEL_VOXELS * conv.in_channels * conv.out_channels
    return computed.itemsize * (weights + workers.count() * space) + _border_bytes(out, rows, planes, over)


def _channelwise_bytes(source: Source, conv: nn.Conv3d, out: Tensor, computed: torch.dtype) -> int:
    voxels, outputs = out[0, 0].numel(), out.shape[1]
    taken = source.shape[0] * math.prod(side + 2 for side in source.shape[1:]) + 2 * voxels * outputs
    if voxels <= direct.FEW_VOXELS and computed == torch.float32:
        taken += voxels * KERNEL_VOXELS * source.shape[0]
    if out.dtype != computed:  # weights are widened, group by group
        group = max(part.stop - part.start for part in direct.channel_groups(outputs))
        taken += min(workers.count() * group, outputs) * source.shape[0] * KERNEL_VOXELS
    return taken * computed.itemsize


def _border_bytes(out: Tensor, rows: int, planes: int, over: bool) -> int:
    """Planes between pieces, and rows around the strips in work, where a map is overwritten."""
    if not over:
        return 0
    _, _, all_planes, all_rows, depth = out.shape
    line = out.shape[1] * depth * out.element_size()
    pieces = strips.pieces(all_planes, len(strips.even(all_rows, rows, 1)), planes, 1)
    thickest = max(piece.stop - piece.start for piece in pieces)
    return line * (2 * (len(pieces) - 1) * all_rows + (2 * workers.count() + 1) * thickest)
