"""The U-Net for inference, slab by slab: one full-resolution map at a time, at the speed of its convolutions.

None of this changes what is computed:

* On a CPU every layer is cut into strips (`strips`) that several cores take side by side (`sat.workers`); each walks
  through its strip in slabs along X that stay in its cache. What was read is never read again, but for a strip's
  borders, which are kept for its neighbours; so a convolution with as many outputs as inputs writes over its own input:
  one map instead of two. On a GPU a slab is of whole planes, and comes after the other.
* Instance norm needs statistics of the whole window before the first voxel can be normalised. They are gathered
  while each output slab is still in the cache, and applied (with the activation) when the next layer reads it.
* In the decoder neither the upsampled map nor its concatenation with the skip is made: a slab of both is, and the
  convolution's output goes where the skip was.

Maps are stored in the network's precision; on a CPU with the channels of a voxel next to each other (channels
last), which is the layout it convolves fastest in. Arithmetic may be wider than storage, see `compute_dtype`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.blocks import ConvBlock
from SATSegmentLib.sat.backbones.streaming.compute_dtype import compute_dtype
from SATSegmentLib.sat.backbones.streaming.direct import convolve_direct
from SATSegmentLib.sat.backbones.streaming.norm import Moments, Norm
from SATSegmentLib.sat.backbones.streaming.scripted import scripted
from SATSegmentLib.sat.backbones.streaming.sources import Joined, Map, Overwritable, Source
from SATSegmentLib.sat.backbones.streaming.strip_cost import convolution_bytes, finishing_bytes
from SATSegmentLib.sat.backbones.streaming.strips import even
from SATSegmentLib.sat.backbones.streaming.winograd import convolve_tiled, filtering_pays
from SATSegmentLib.sat.interrupt import check_interrupt
from SATSegmentLib.sat.workers import side_by_side

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_HALO = 1  # planes that a convolution with 3x3x3 taps sees on each side
# Bytes of a slab of a convolution's outputs. Thinner slabs are all halo, thicker ones leave the cache.
SLAB_BYTES = 24 << 20
# A GPU wants more to do at a time: of these, each is hundreds of tiles of a product for each of its processors.
GPU_SLAB_BYTES = 128 << 20
# Of a part of a map that is finished and summed. Smaller ones would stay in a core's own cache, but workers would wait
# for Python's lock to begin them.
CACHED_BYTES = 1 << 21
# Of a map that is finished: as many as keep a dozen cores busy to the end.
_PARTS = 32


def encode(x: Tensor, stages: Sequence[Sequence[ConvBlock]]) -> tuple[list[Tensor], Tensor]:
    """The way down, for one window.

    Parameters
    ----------
    x : Tensor
        (1, 1, X, Y, Z), in the precision of the weights.
    stages : Sequence[Sequence[ConvBlock]]
        The convolution blocks of each stage.

    Returns
    -------
    tuple[list[Tensor], Tensor]
        The maps of all stages, finest first, and their averages over the cells of the coarsest grid, (1, sum of
        channels,
        *cells) float32.
    """
    sides = [list(x.shape[2:])]
    for blocks in stages:
        sides.append([-(-side // step) for side, step in zip(sides[-1], blocks[0].conv.stride, strict=True)])
    levels: list[Tensor] = []
    pooled = []
    for blocks, shape in zip(stages, sides[1:], strict=True):
        level = empty(x, blocks[0].conv.out_channels, *shape)
        norm = convolve(Map(x), blocks[0], level)
        norm = _convolve_in_place(level, norm, blocks[1:])
        pooled.append(average(level, sides[-1], partial(_activate, level, norm)))
        levels.append(x := level)
    return levels, torch.cat(pooled, dim=1)


def decode(
    levels: list[Tensor], upsamplers: Sequence[nn.ConvTranspose3d], stages: Sequence[Sequence[ConvBlock]]
) -> Tensor:
    """The way up, for one window: the finest map, written over the finest skip.

    `levels` is emptied on the way, so that each map is freed once it was used.
    """
    x = levels.pop()
    for upsample, blocks in zip(upsamplers, stages, strict=True):
        level = levels.pop()
        norm = convolve(Joined(x, upsample, level, computed_in(level)), blocks[0], level)
        norm = _convolve_in_place(level, norm, blocks[1:])
        finish(level, partial(_activate, level, norm))
        x = level
    return x


def window_by_window(x: Tensor, run: Callable[[Tensor], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Let `run` see one window (1, 1, X, Y, Z) of a batch at a time, and join both of its results."""
    pooled, finest = zip(*(run(window) for window in x.split(1)), strict=True)
    return (pooled[0], finest[0]) if len(x) == 1 else (torch.cat(pooled), torch.cat(finest))


def convolve(source: Overwritable, block: ConvBlock, out: Tensor) -> Norm:
    """Convolve `source` into `out` (1, C, X, Y, Z) and return the norm to apply to it.

    `out` may be the map that `source` reads: a plane is overwritten only after its last reading.
    """
    conv = block.conv
    dtype = computed_in(out)
    if out.device.type != "cpu":
        return _convolve_in_slabs(source, block, out)
    if dtype == torch.float32 and filtering_pays(conv.weight, conv.stride, out):
        return convolve_tiled(source, conv.weight, out).norm(block.norm)
    return convolve_direct(source, conv, out, dtype).norm(block.norm)


def _convolve_in_slabs(source: Source, block: ConvBlock, out: Tensor) -> Norm:
    """The same on a GPU."""
    conv, dtype = block.conv, computed_in(out)
    weight = conv.weight.to(dtype).contiguous(memory_format=layout(out.device, dtype))
    bias = None if conv.bias is None else conv.bias.to(dtype)
    channels, planes, *sides = source.shape
    step = conv.stride[0]
    depth = (slab_planes(out) - 1) * step + 1 + 2 * _HALO
    kept = max(1 + 2 * _HALO - step, 0)  # planes that a slab shares with the next
    buffer = empty(weight, channels, depth, *sides)
    moments = Moments()
    for first, last in ranges(0, out.shape[2], slab_planes(out)):
        check_interrupt()
        low, high = first * step - _HALO, (last - 1) * step + 1 + _HALO
        start = low
        if first and kept:
            buffer[:, :, :kept] = buffer[:, :, -kept:].clone()
            start = low + kept
        inside = slice(max(start, 0), min(high, planes))
        buffer[:, :, : max(inside.start - low, 0) if start < 0 else 0].zero_()
        source.read(inside, slice(0, sides[0]), buffer[:, :, inside.start - low : inside.stop - low])
        buffer[:, :, inside.stop - low : high - low].zero_()
        slab = F.conv3d(buffer[:, :, : high - low], weight, bias, conv.stride, (0, _HALO, _HALO))
        moments.add(slab)
        out[:, :, first:last].copy_(slab)
    return moments.norm(block.norm)


def _convolve_in_place(voxels: Tensor, norm: Norm, blocks: Sequence[ConvBlock]) -> Norm:
    for block in blocks:
        norm = convolve(Map(voxels, norm), block, voxels)
    return norm


def _activate(voxels: Tensor, norm: Norm, planes: slice, rows: slice) -> Tensor:
    """Apply `norm` to a part of a map, in place, and return it in the precision of the arithmetic."""
    stored = voxels[:, :, planes, rows]
    return in_place(stored, lambda into: norm.activate(stored, into))


def in_place(stored: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Let `compute` write a part of a map in the precision of the arithmetic, which is returned, and store that."""
    dtype = computed_in(stored)
    if stored.dtype == dtype:
        return compute(stored)
    made = torch.empty_like(stored, dtype=dtype, memory_format=layout(stored.device))
    stored.copy_(compute(made))
    return made


def finish(voxels: Tensor, finished: Callable[[slice, slice], Tensor]) -> None:
    """Let `finished` finish all planes and rows of a map, several parts at a time."""

    def work(planes: tuple[int, int], _: None) -> None:
        for part in _cached(voxels, *planes, rows=1):
            finished(*part)

    planes = -(-voxels.shape[2] // _PARTS)
    each(voxels.device, ranges(0, voxels.shape[2], planes), work)


def average(voxels: Tensor, cells: Sequence[int], finished: Callable[[slice, slice], Tensor]) -> Tensor:
    """Averages over each cell, (1, C, *cells) float32, of a map that is finished on the way.

    Parameters
    ----------
    voxels : Tensor
        The map, (1, C, X, Y, Z).
    cells : sequence of int
        Along each axis.
    finished : callable
        Finishes planes along X and rows along Y, and returns them; for several parts at a time.
    """
    thick, *sides = (side // count for side, count in zip(voxels.shape[2:], cells, strict=True))
    planes = -(-thick * cells[0] // _PARTS) if voxels.device.type == "cpu" else thick
    parts = -(-thick // planes)  # of each cell, along X

    def summed(part: int, _: None) -> Tensor:
        cell, number = divmod(part, parts)
        first, last = (cell * thick + thick * bound // parts for bound in (number, number + 1))
        sums = torch.zeros(cells[1], voxels[0, :, 0, 0].numel(), device=voxels.device)
        for planes, rows in _cached(voxels, first, last, sides[0]):
            made = finished(planes, rows)
            # On a CPU these sums are rounded once, to bfloat16.
            wide = made.dtype == torch.float16 or made.device.type != "cpu"
            _add_lines(made, wide, sides[0], sums[rows.start // sides[0] : rows.stop // sides[0]])
        return sums.view(*cells[1:], sides[1], -1).sum(dim=2) / (thick * sides[0] * sides[1])

    layers = each(voxels.device, range(cells[0] * parts), summed)
    return torch.stack(layers).unflatten(0, (-1, parts)).sum(dim=1).permute(3, 0, 1, 2)[None]


@scripted
def _add_lines(voxels: Tensor, wide: bool, rows: int, sums: Tensor) -> None:
    """Add up planes, and so many rows at a time, of (1, C, planes, Y, Z) to each line of `sums`, (Y / rows, Z * C)."""
    # First over whole lines along Z: many times faster.
    lines = voxels.permute(0, 2, 3, 4, 1)[0].flatten(2).unflatten(1, [-1, rows])
    across = lines.sum(dim=2, dtype=torch.float32) if wide else lines.sum(dim=2)
    sums += across[0] if across.size(0) == 1 else across.sum(dim=0, dtype=torch.float32)


def _cached(voxels: Tensor, first: int, last: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """The planes [first, last) in parts that stay in a cache: of whole planes, or of so many rows or more.

    On a GPU they are slabs.
    """
    row_bytes = voxels[0, :, 0, 0].numel() * computed_in(voxels).itemsize
    plane_bytes = row_bytes * voxels.shape[3]
    thick, most = max(CACHED_BYTES // plane_bytes, 1), max(CACHED_BYTES // (row_bytes * rows), 1) * rows
    if voxels.device.type != "cpu":
        thick, most = max(slab_planes(voxels) // 4, 1), voxels.shape[3]
    for low, high in ranges(first, last, thick):
        for part in even(voxels.shape[3], most, rows):
            yield slice(low, high), part


def each(device: torch.device, items: Iterable[_Item], work: Callable[[_Item, None], _Result]) -> list[_Result]:
    """Side by side on a CPU; a GPU is one worker."""
    return side_by_side(items, work) if device.type == "cpu" else [work(item, None) for item in items]


def ranges(first: int, last: int, planes: int) -> Iterator[tuple[int, int]]:
    """[first, last) in steps of so many planes."""
    for low in range(first, last, planes):
        yield low, min(low + planes, last)


def slab_planes(voxels: Tensor) -> int:
    """How many planes of a map make a slab."""
    plane_bytes = voxels[0, :, 0].numel() * computed_in(voxels).itemsize
    return min(max(_slab_limit(voxels.device) // plane_bytes, 1), voxels.shape[2])


def _slab_limit(device: torch.device) -> int:
    return SLAB_BYTES if device.type == "cpu" else GPU_SLAB_BYTES


def empty(like: Tensor, *shape: int) -> Tensor:
    """A map (1, *shape) of the precision and on the device of another tensor, in the layout convolved fastest there."""
    return torch.empty(1, *shape, dtype=like.dtype, device=like.device, memory_format=layout(like.device, like.dtype))


def layout(device: torch.device, dtype: torch.dtype = torch.float32) -> torch.memory_format:
    """Of maps and weights on a device: the one convolved fastest there.

    Tensor cores take half precision with a voxel's channels next to each other, as CPUs do anything; cuDNN's float32
    kernels, which use no tensor cores where TF32 is off, are made for whole channels.
    """
    half = dtype in (torch.float16, torch.bfloat16)
    nearby = device.type == "cpu" or (device.type == "cuda" and half)
    return torch.channels_last_3d if nearby else torch.contiguous_format


def computed_in(voxels: Tensor) -> torch.dtype:
    """The precision that a map is computed in, whatever it is stored in."""
    return compute_dtype(voxels.dtype, voxels.device)


def layer_bytes(
    inputs: int, outputs: int, stride: Triple, shape: Triple, over: bool, dtype: torch.dtype, device: torch.device
) -> int:
    """What a convolution into a map of this shape takes beside its maps; `over`: into a map that it reads."""
    computed = compute_dtype(dtype, device)
    if device.type == "cpu":
        return convolution_bytes(inputs, outputs, stride, shape, over, dtype, computed)
    seen, made = inputs * math.prod(stride[1:]), outputs
    plane = math.prod(shape[1:]) * computed.itemsize
    planes = min(max(GPU_SLAB_BYTES // (plane * outputs), 1), shape[0])
    return plane * (seen * (planes * stride[0] + 2) + 2 * made * planes)


def upsampling_bytes(below: int, above: int, stride: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """What the weights of an upsampling take as they are multiplied."""
    return below * above * math.prod(stride) * compute_dtype(dtype, device).itemsize


def finish_bytes(channels: int, shape: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """What finishing a map and averaging it takes beside the map."""
    computed = compute_dtype(dtype, device)
    if device.type == "cpu":
        return finishing_bytes(channels, shape, CACHED_BYTES, _PARTS, dtype, computed)
    plane = channels * math.prod(shape[1:])
    planes = min(max(GPU_SLAB_BYTES // (plane * computed.itemsize), 1), shape[0])
    return plane * (4 + 2 * planes * computed.itemsize)


def down_sizes(window: Triple, strides: Sequence[Triple]) -> list[Triple]:
    """Voxels of the map of each stage."""
    shapes: list[Triple] = []
    for stride in strides:
        x, y, z = (side // step for side, step in zip(shapes[-1] if shapes else window, stride, strict=True))
        shapes.append((x, y, z))
    return shapes
