"""The widths and depths of SAT's own networks."""

from __future__ import annotations

from SATSegmentLib.sat.backbones.unet.spec import Architecture

_HALVED = ((1, 1, 1), *((2, 2, 2),) * 5)

NANO = Architecture(
    features=(64, 64, 128, 256, 512, 768),
    strides=_HALVED,
    encoder_convs=(2,) * 6,
    decoder_convs=(2,) * 5,
    query_dim=768,
    projection_dim=768,
    decoder_layers=6,
    feedforward_dim=2048,
    mask_dim=256,
)

PRO = Architecture(
    features=(128, 128, 256, 512, 1024, 1536),
    strides=_HALVED,
    encoder_convs=(3,) * 6,
    decoder_convs=(3,) * 5,
    query_dim=768,
    projection_dim=1536,
    decoder_layers=6,
    feedforward_dim=2048,
    mask_dim=384,
)

ARCHITECTURES = {"nano": NANO, "pro": PRO}
