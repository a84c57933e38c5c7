"""What a window costs a U-Net, counted from its layers' shapes: multiply-accumulate operations and bytes."""

from __future__ import annotations

import math

import torch

from SATSegmentLib.sat.backbone import Triple
from SATSegmentLib.sat.backbones.streaming import slabs, whole_maps
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

_KERNEL_VOXELS = 27


def encode_macs(spec: UNetSpec, window: Triple) -> int:
    """Convolutions of the U-Net for one window; everything else is small beside them."""
    total, channels, voxels = 0, 1, math.prod(window)
    sizes = []
    for features, stride, depth in zip(spec.features, spec.strides, spec.encoder_convs, strict=True):
        voxels //= math.prod(stride)
        sizes.append(voxels)
        total += _KERNEL_VOXELS * voxels * features * (channels + (depth - 1) * features)
        channels = features
    upwards = list(zip(reversed(spec.features[:-1]), reversed(sizes[:-1]), strict=True))
    for (features, size), depth in zip(upwards, spec.decoder_convs, strict=True):
        total += size * channels * features  # each output voxel of the transposed convolution has one source
        total += _KERNEL_VOXELS * size * features * (2 * features + (depth - 1) * features)
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
    maps, voxels = 0, math.prod(window)
    for channels, stride in zip(spec.features, spec.strides, strict=True):
        voxels //= math.prod(stride)
        maps += channels * voxels * dtype.itemsize
    # The widest slab is at full resolution, where a map and its skip are read together: read, convolved, written.
    return maps + slabs.slab_bytes(spec.features[0], window, dtype, device) + 4 * math.prod(window)
