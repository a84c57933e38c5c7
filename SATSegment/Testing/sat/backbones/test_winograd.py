"""Minimal filtering gives what a direct convolution gives, wherever it is used, and is used where it pays."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from SATSegmentLib.sat.backbones.streaming import slabs, winograd
from SATSegmentLib.sat.backbones.streaming.norm import Moments, mean_and_variance
from SATSegmentLib.sat.backbones.streaming.sources import Map
from SATSegmentLib.sat.backbones.streaming.winograd import convolve_tiled, filtering_pays
from SATSegmentLib.sat.backbones.unet.module import UNet
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

# Of a convolution's standard deviation; rounding alone makes a direct one differ by 1e-6.
TOLERANCE = 2e-5


def channels_last(*shape: int) -> torch.Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(3)).to(memory_format=torch.channels_last_3d)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(1, 14)] * 3), st.integers(1, 9), st.sampled_from([1, 40_000, 1 << 24]))
def test_a_map_can_be_overwritten_with_its_convolution_in_strips_of_any_thickness(sides, channels, strip_bytes):
    x = channels_last(channels, *sides)
    weight = 0.1 * torch.randn(channels, channels, 3, 3, 3, generator=torch.Generator().manual_seed(4))
    expected = F.conv3d(x.double(), weight.double(), padding=1)
    before = winograd.STRIP_BYTES
    winograd.STRIP_BYTES = strip_bytes
    try:
        with torch.inference_mode():
            convolve_tiled(Map(x), weight, x)
    finally:
        winograd.STRIP_BYTES = before
    scale = expected.square().mean().sqrt()
    assert (x - expected).abs().max() <= TOLERANCE * scale


@pytest.mark.parametrize("window", [(24, 16, 8), (12, 20, 4)])
def test_a_network_computed_with_it_agrees_with_its_layers(monkeypatch, window):
    monkeypatch.setattr(winograd, "_LEAST_VOXELS", 1)
    monkeypatch.setattr(winograd, "_MOST_PADDING", 100)
    monkeypatch.setattr(winograd, "STRIP_BYTES", 1 << 20)
    used = []
    monkeypatch.setattr(slabs, "convolve_tiled", lambda *a: used.append(None) or convolve_tiled(*a))
    torch.manual_seed(5)
    unet = UNet(
        UNetSpec(
            features=(32, 40, 48),
            strides=((1, 1, 1), (2, 2, 2), (1, 2, 2)),
            encoder_convs=(2, 2, 2),
            decoder_convs=(2, 2),
            query_dim=8,
            projection_dim=8,
            decoder_layers=1,
            feedforward_dim=8,
            mask_dim=8,
        )
    )
    x = channels_last(1, *window)
    expected_pooled, expected = (tensor.detach() for tensor in unet(x))
    with torch.inference_mode():
        pooled, voxels = unet(x)
    assert len(used) == 7  # the second of each encoder stage, both of each decoder stage
    assert (voxels - expected).abs().max() <= 1e-4 * expected.std()
    assert (pooled - expected_pooled).abs().max() <= 1e-4 * expected_pooled.std()


def test_it_is_used_for_wide_convolutions_of_large_maps_on_processors_only():
    wide, narrow = torch.empty(64, 64, 3, 3, 3), torch.empty(64, 1, 3, 3, 3)
    large, small = torch.empty(1, 64, 32, 32, 32), torch.empty(1, 64, 9, 9, 3)
    assert filtering_pays(wide, (1, 1, 1), large)
    assert not filtering_pays(wide, (2, 2, 2), large)
    assert not filtering_pays(narrow, (1, 1, 1), large)
    assert not filtering_pays(wide, (1, 1, 1), small)
    assert not filtering_pays(wide, (1, 1, 1), large.to("meta"))


def test_zeros_between_voxels_leave_no_trace_in_the_norm():
    layer = nn.InstanceNorm3d(6, affine=True)
    voxels = channels_last(6, 10, 9, 8) + torch.arange(6).view(1, -1, 1, 1, 1)
    plain, padded = Moments(), Moments()
    plain.add(voxels)
    for piece in voxels.permute(0, 2, 3, 4, 1).reshape(-1, 6).split(100):
        rows = F.pad(piece, (0, 0, 0, 30))
        mean, variance = mean_and_variance(rows.T[None, :, :, None, None])
        padded.add_seen(mean[None], variance[None], len(rows), [len(piece)])
    expected = F.instance_norm(voxels, weight=layer.weight, bias=layer.bias)
    for moments in (plain, padded):
        norm = moments.norm(layer)
        ours = voxels * norm.scale.view(-1, 1, 1, 1) + norm.shift.view(-1, 1, 1, 1)
        assert (ours - expected).abs().max() <= 1e-5
