"""The U-Net for inference on a GPU, layer by layer: few and large kernels, at most two full-resolution maps at once.

On a GPU a layer's price beside its convolution is the number of times its map goes through memory, and the number of
kernels. So maps are convolved whole (`slabs` would copy each slab in and out), and after each convolution come one pass
for the norm's statistics, one that normalises in place and one for the activation, with nothing that waits for the
GPU. Statistics are float32 whatever the map; what is normalised is widened and rounded within the kernel.

Only the first convolution of each decoder stage goes slab by slab, and overwrites its skip: neither the upsampled map
nor the concatenation is ever whole, which would be three more maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.blocks import ConvBlock
from SATSegmentLib.sat.backbones.streaming.norm import mean_and_variance, norm_of
from SATSegmentLib.sat.backbones.streaming.slabs import empty, layout

# Bytes of a slab of outputs where two maps are joined: enough work for any GPU, a tenth of SAT-Nano's map.
_SLAB_BYTES = 128 << 20


def encode(x: Tensor, stages: Sequence[Sequence[ConvBlock]]) -> tuple[list[Tensor], Tensor]:
    """The way down, for one window; parameters and results as `slabs.encode`."""
    levels: list[Tensor] = []
    if layout(x.device, x.dtype) == torch.channels_last_3d:
        # One channel lies in memory alike in either layout; by these strides cuDNN takes it for this one.
        x = x.squeeze(1).unsqueeze(-1).movedim(-1, 1)
    for blocks in stages:
        for block in blocks:
            # The map before is held by this name until the next is done: two maps.
            x = _convolve(x, block)
        levels.append(x)
    cells = x.shape[2:]
    return levels, torch.cat([averages(level, cells) for level in levels], dim=1)


def decode(
    levels: list[Tensor], upsamplers: Sequence[nn.ConvTranspose3d], stages: Sequence[Sequence[ConvBlock]]
) -> Tensor:
    """The way up, for one window: the finest map. `levels` is emptied on the way."""
    x = levels.pop()
    for upsample, blocks in zip(upsamplers, stages, strict=True):
        x = _join(x, upsample, levels.pop(), blocks[0])
        for block in blocks[1:]:
            x = _convolve(x, block)
    return x


def averages(level: Tensor, cells: Sequence[int]) -> Tensor:
    """Averages of a map (1, C, X, Y, Z) over each cell, (1, C, *cells) float32.

    First along X alone, where neighbours in memory are neighbours in the result: one pass at full speed.
    """
    x, y, z = cells
    planes = level.permute(0, 2, 3, 4, 1).unflatten(1, (x, -1)).sum(dim=2, dtype=torch.float32)
    blocks = planes.unflatten(3, (z, -1)).unflatten(2, (y, -1))
    return (blocks.mean(dim=(3, 5)) / (level.shape[2] // x)).permute(0, 4, 1, 2, 3)


def arrange(backbone: nn.Module) -> None:
    """Put the weights of all convolutions in the layout of their maps on a GPU, once for all windows."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and module.weight.is_cuda:
            weight = module.weight
            weight.data = weight.data.contiguous(memory_format=layout(weight.device, weight.dtype))


def peak_bytes(finest: int, below: int) -> int:
    """Highest use of memory with a finest map of so many bytes, and one below it: two maps, or one and its joining."""
    # The joined slab is twice as wide as the map; beside it lie the upsampled blocks and the convolution's result.
    return max(2 * finest, finest + below + 4 * min(_SLAB_BYTES, finest))


def _convolve(x: Tensor, block: ConvBlock) -> Tensor:
    # Without its bias, which the norm takes off again.
    conv = block.conv
    voxels = F.conv3d(x, conv.weight, None, conv.stride, conv.padding)
    return _normalise(voxels.contiguous(memory_format=layout(x.device, x.dtype)), block.norm)


def _normalise(voxels: Tensor, layer: nn.InstanceNorm3d) -> Tensor:
    """Norm and activation, in place."""
    mean, variance = mean_and_variance(voxels)
    norm_of(mean.double(), variance.double(), layer, voxels.device).activate(voxels, voxels)
    return voxels


def _join(below: Tensor, upsample: nn.ConvTranspose3d, skip: Tensor, block: ConvBlock) -> Tensor:
    """The convolution of the upsampled map and its skip, written over the skip."""
    conv, upsampled = block.conv, upsample.weight.shape[1]
    channels, planes, *sides = skip.shape[1:]
    thick = min(max(_SLAB_BYTES // skip[0, :, 0].nbytes, 1), planes)
    joined = empty(skip, upsampled + channels, thick + 2, *sides)
    overwritten = None
    for first in range(0, planes, thick):
        last = min(first + thick, planes)
        # A plane on each side is seen as well; beyond the map it is zero.
        low, high = first - 1, last + 1
        inside = slice(max(low, 0), min(high, planes))
        slab = joined[:, :, : high - low]
        slab[:, :, : inside.start - low].zero_()
        slab[:, :, inside.stop - low :].zero_()
        seen = slab[:, :, inside.start - low : inside.stop - low]
        _upsample(below, upsample, inside, seen[:, :upsampled])
        seen[:, upsampled:].copy_(skip[:, :, inside])
        if overwritten is not None:
            slab[:, upsampled:, 0].copy_(overwritten)
        overwritten = skip[:, :, last - 1].clone()
        skip[:, :, first:last].copy_(F.conv3d(slab, conv.weight, None, padding=(0, *conv.padding[1:])))
    return _normalise(skip, block.norm)


def _upsample(below: Tensor, upsample: nn.ConvTranspose3d, planes: slice, into: Tensor) -> None:
    """Write these planes of a transposed convolution whose kernel is its stride: one product, blocks side by side."""
    step = upsample.stride
    seen = slice(planes.start // step[0], -(-planes.stop // step[0]))
    voxels = below[0, :, seen].permute(1, 2, 3, 0)
    weight = upsample.weight.permute(0, 2, 3, 4, 1).flatten(1)
    bias = weight.new_zeros(1) if upsample.bias is None else upsample.bias.repeat(math.prod(step))
    blocks = torch.addmm(bias, voxels.reshape(-1, voxels.shape[3]), weight)
    blocks = blocks.view(*voxels.shape[:3], *step, -1)  # x, y, z, and within a block; then channels
    whole = blocks.permute(6, 0, 3, 1, 4, 2, 5)
    # Along X the blocks may begin before the planes and end after them.
    first = planes.start - seen.start * step[0]
    for offset in range(step[0]):
        start = (offset - first) % step[0]
        count = len(range(start, planes.stop - planes.start, step[0]))
        if not count:
            continue
        block = (first + start) // step[0]
        above = into[0, :, start :: step[0]].unflatten(3, (-1, step[2])).unflatten(2, (-1, step[1]))
        above.copy_(whole[:, block : block + count, offset])
