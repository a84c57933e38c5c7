"""Slab by slab, in a fraction of the memory, the U-Net gives what it gives layer by layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.live_bytes import LiveBytes
from helpers.models import TINY_WINDOW, tiny_weights
from helpers.seeded import GOLDEN, seeded_tensor
from SATSegmentLib.sat.backbones.streaming import direct, slabs, whole_maps
from SATSegmentLib.sat.backbones.streaming.compute_dtype import compute_dtype
from SATSegmentLib.sat.backbones.unet.module import UNet
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.released import build_network

CPU = torch.device("cpu")
STEPS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))


def architecture(features, strides, encoder_convs, decoder_convs) -> UNetSpec:
    return UNetSpec(
        features=features,
        strides=((1, 1, 1), *strides),
        encoder_convs=encoder_convs,
        decoder_convs=decoder_convs,
        query_dim=8,
        projection_dim=8,
        decoder_layers=1,
        feedforward_dim=8,
        mask_dim=8,
    )


def seeded_unet(description: UNetSpec) -> UNet:
    unet = UNet(description).eval()
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            parameter.copy_(seeded_tensor(name, list(parameter.shape)))
    return unet


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(11).standard_normal(shape).astype(np.float32))


def layer_by_layer(unet: UNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.enable_grad():
        pooled, voxels = unet(x)
    return pooled.detach(), voxels.detach()


def slab_by_slab(unet: UNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        return unet(x)


def in_whole_maps(unet: UNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As on a GPU."""
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "encode", whole_maps.encode)
        patch.setattr(slabs, "decode", whole_maps.decode)
        return unet(x)


@st.composite
def networks(draw) -> tuple[UNetSpec, tuple[int, ...]]:
    stages = draw(st.integers(2, 4))
    convs = st.integers(1, 3)
    description = architecture(
        features=tuple(draw(st.lists(st.integers(1, 9), min_size=stages, max_size=stages))),
        strides=tuple(draw(st.lists(STEPS, min_size=stages - 1, max_size=stages - 1))),
        encoder_convs=tuple(draw(st.lists(convs, min_size=stages, max_size=stages))),
        decoder_convs=tuple(draw(st.lists(convs, min_size=stages - 1, max_size=stages - 1))),
    )
    cells = draw(st.tuples(st.integers(2, 3), st.integers(2, 3), st.integers(1, 2)))
    window = tuple(count * step for count, step in zip(cells, description.downsampling, strict=True))
    return description, window


@settings(max_examples=40, deadline=None)
@given(networks(), st.integers(1, 2), st.sampled_from([1, 3000, 20_000, 1 << 24]))
def test_any_network_of_the_family_gives_the_same_in_slabs_of_any_thickness(network, batch, slab_bytes):
    description, window = network
    assume(math.prod(window) <= 60_000)
    unet, x = seeded_unet(description), noise(batch, 1, *window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "SLAB_BYTES", slab_bytes)
        patch.setattr(whole_maps, "_SLAB_BYTES", slab_bytes)
        found = [slab_by_slab(unet, x), in_whole_maps(unet, x)]
    expected_pooled, expected_voxels = layer_by_layer(unet, x)
    for pooled, voxels in found:
        torch.testing.assert_close(pooled, expected_pooled, rtol=0, atol=3e-4)
        torch.testing.assert_close(voxels, expected_voxels, rtol=0, atol=3e-4)


def test_golden_features_come_out_without_gradients():
    network = build_network(tiny_weights(), TINY_WINDOW)
    golden = np.load(GOLDEN / "tiny_forward.npz")
    window = torch.from_numpy(
        np.random.Generator(np.random.PCG64(7)).standard_normal((2, 1, *TINY_WINDOW)).astype(np.float32)
    )
    with torch.inference_mode():
        features = network.encode(window)
    tokens = golden["image_tokens"].reshape(features.tokens.transpose(0, 1).shape)
    voxels = golden["features_sub"]
    # The tolerance of the golden numbers is 1e-3; one thread of one CPU gave 1.07e-4, others less than 1e-4.
    assert np.abs(features.tokens.transpose(0, 1).numpy() - tokens).max() <= 2e-4 * tokens.std()
    assert np.abs(features.voxels[:, :, ::8, ::8, ::8].numpy() - voxels).max() <= 1e-4 * voxels.std()


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("computed", ["stored", "float32"])
def test_half_precision_is_as_close_to_full_as_layer_by_layer(monkeypatch, stored, computed):
    monkeypatch.setattr(slabs, "compute_dtype", lambda dtype, _: dtype if computed == "stored" else torch.float32)
    monkeypatch.setattr(slabs, "SLAB_BYTES", 100_000)
    unet = seeded_unet(architecture((16, 24, 32), ((2, 2, 2), (2, 2, 2)), (2, 2, 2), (2, 2)))
    x = noise(1, 1, 24, 24, 24)
    exact = layer_by_layer(unet, x)
    unet.to(stored)
    plain = layer_by_layer(unet, x.to(stored))
    for ours in (slab_by_slab(unet, x.to(stored)), in_whole_maps(unet, x.to(stored))):
        assert ours[1].dtype == stored
        for full, layers, streamed in zip(exact, plain, ours, strict=True):
            assert (streamed.float() - full).square().mean() <= 1.3 * (layers.float() - full).square().mean()


def test_a_shifted_image_keeps_its_statistics():
    # Means far from zero are what sums of squares lose: the stem's norm has to find the noise on top of them.
    unet = seeded_unet(architecture((8, 8), ((2, 2, 2),), (1, 1), (1,)))
    x = noise(1, 1, 32, 32, 32)
    inner = (slice(None), slice(None), slice(6, -6), slice(6, -6), slice(6, -6))
    expected = layer_by_layer(unet.double(), (x + 300).double())[1][inner]
    ours = slab_by_slab(unet.float(), x + 300)[1][inner]
    assert (ours - expected).abs().max() <= 5e-3 * expected.std()


def test_at_most_one_and_a_half_maps_of_full_resolution_are_alive(monkeypatch):
    monkeypatch.setattr(direct, "STRIP_BYTES", 100_000)
    monkeypatch.setattr(direct, "LEAST_LINES", 1)
    unet = seeded_unet(architecture((16, 16, 32), ((2, 2, 2), (2, 2, 2)), (2, 2, 2), (2, 2))).requires_grad_(False)
    x = noise(1, 1, 96, 48, 48)
    one_map = 16 * x.numel() * 4

    def peak(run) -> float:
        with LiveBytes([x, *unet.parameters()]) as live:
            run(unet, x)
        return live.peak / one_map

    assert peak(slab_by_slab) <= 1.5
    assert peak(layer_by_layer) >= 3  # and the count can tell


def test_with_gradients_every_parameter_learns():
    unet = seeded_unet(architecture((4, 6), ((2, 2, 2),), (2, 1), (2,))).train()
    pooled, voxels = unet(noise(1, 1, 8, 8, 8))
    (pooled.square().sum() + voxels.square().sum()).backward()
    assert all(parameter.grad is not None for parameter in unet.parameters())


def test_full_precision_is_never_computed_in_less():
    assert compute_dtype(torch.float32, CPU) == torch.float32
    assert compute_dtype(torch.bfloat16, CPU) in (torch.bfloat16, torch.float32)
