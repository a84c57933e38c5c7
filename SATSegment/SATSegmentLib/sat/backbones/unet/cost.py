"""How much work a window is, counted from the layer shapes (multiply-accumulate operations)."""

from __future__ import annotations

import math

from SATSegmentLib.sat.backbones.unet.spec import Architecture, Triple

_KERNEL_VOXELS = 27


def encode_macs(architecture: Architecture, window: Triple) -> int:
    """Convolutions of the U-Net for one window; everything else is small beside them."""
    total, channels, voxels = 0, 1, math.prod(window)
    sizes = []
    for features, stride, depth in zip(
        architecture.features, architecture.strides, architecture.encoder_convs, strict=True
    ):
        voxels //= math.prod(stride)
        sizes.append(voxels)
        total += _KERNEL_VOXELS * voxels * features * (channels + (depth - 1) * features)
        channels = features
    upwards = list(zip(reversed(architecture.features[:-1]), reversed(sizes[:-1]), strict=True))
    for (features, size), depth in zip(upwards, architecture.decoder_convs, strict=True):
        total += size * channels * features  # each output voxel of the transposed convolution has one source
        total += _KERNEL_VOXELS * size * features * (2 * features + (depth - 1) * features)
        channels = features
    return total


def decode_macs(architecture: Architecture, voxels: int) -> int:
    """One query's mask over this many voxels."""
    return voxels * architecture.features[0]
