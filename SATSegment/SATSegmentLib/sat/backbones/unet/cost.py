"""What a window costs a U-Net, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat.backbone import KERNEL_VOXELS, Triple
from SATSegmentLib.sat.backbones.streaming import slabs, whole_maps
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

_ONE = (1, 1, 1)


def encode_macs(spec: UNetSpec, window: Triple) -> int:
    """Convolutions of the U-Net for one window; everything else is small beside them."""
    total, channels, voxels = 0, 1, math.prod(window)
    sizes = []
    for features, stride, depth in zip(spec.features, spec.strides, spec.encoder_convs, strict=True):
        voxels //= math.prod(stride)
        sizes.append(voxels)
        total += KERNEL_VOXELS * voxels * features * (channels + (depth - 1) * features)
        channels = features
    upwards = list(zip(reversed(spec.features[:-1]), reversed(sizes[:-1]), strict=True))
    for (features, size), depth in zip(upwards, spec.decoder_convs, strict=True):
        total += size * channels * features  # each output voxel of the transposed convolution has one source
        total += KERNEL_VOXELS * size * features * (2 * features + (depth - 1) * features)
        channels = features
    return total


def encode_bytes(spec: UNetSpec, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
    """Highest use of memory while a window is encoded, without weights: its maps, and what slabs of them need.

    On a GPU two maps of full resolution.
    """
    if device.type == "cuda":
        below = spec.features[1] * math.prod(window) // math.prod(spec.strides[1]) * dtype.itemsize
        return whole_maps.peak_bytes(spec.features[0] * math.prod(window) * dtype.itemsize, below) + (
            (4 + dtype.itemsize) * math.prod(window)
        )
    shapes = slabs.down_sizes(window, spec.strides)
    maps = [width * math.prod(shape) * dtype.itemsize for width, shape in zip(spec.features, shapes, strict=True)]
    peaks = []
    inputs = (1, *spec.features)
    for stage, (width, stride, depth) in enumerate(zip(spec.features, spec.strides, spec.encoder_convs, strict=True)):
        shape = shapes[stage]
        layers = [slabs.layer_bytes(inputs[stage], width, stride, shape, False, dtype, device)]
        layers += [slabs.layer_bytes(width, width, _ONE, shape, True, dtype, device)] * (depth > 1)
        peaks.append(sum(maps[: stage + 1]) + max(*layers, slabs.finish_bytes(width, shape, dtype, device)))
    for stage, width in enumerate(spec.features[:-1]):
        weights = slabs.upsampling_bytes(spec.features[stage + 1], width, spec.strides[stage + 1], dtype, device)
        joining = slabs.layer_bytes(2 * width, width, _ONE, shapes[stage], True, dtype, device)
        peaks.append(sum(maps[: stage + 2]) + weights + joining)
    # A twentieth for all that is small; and the window, as it comes and as it is stored.
    return max(peaks) * 21 // 20 + (4 + (dtype.itemsize if dtype != torch.float32 else 0)) * math.prod(window)
