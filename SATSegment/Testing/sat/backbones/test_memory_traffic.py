"""In half precision each number goes through memory as few times as can be, counted in bytes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers.memory_traffic import MemoryTraffic
from SATSegmentLib.sat.backbones.blocks import ConvBlock
from SATSegmentLib.sat.backbones.streaming import direct, slabs
from SATSegmentLib.sat.backbones.streaming.norm import Norm
from SATSegmentLib.sat.backbones.streaming.sources import Map

CHANNELS = 16
_PRODUCTS = {"convolution", "mm", "addmm"}


def channels_last(*sides: int) -> Tensor:
    made = torch.empty(1, CHANNELS, *sides, dtype=torch.bfloat16, memory_format=torch.channels_last_3d)
    return made.random_(-4, 4, generator=torch.Generator().manual_seed(1))


def counting() -> MemoryTraffic:
    return MemoryTraffic(lambda name: None if name in _PRODUCTS else name)


@pytest.fixture
def norm() -> Norm:
    return Norm(torch.linspace(0.5, 2, CHANNELS), torch.linspace(-1, 1, CHANNELS))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


def test_a_strip_is_normalised_and_activated_in_two_passes(norm):
    voxels = channels_last(12, 30, 40)
    into = channels_last(6, 12, 40)[:, :, 2:, :10]
    with counting() as traffic:
        Map(voxels, norm).read(slice(4, 8), slice(9, 19), into)
    size = into.numel() * into.itemsize
    assert 4 * size <= sum(traffic.bytes[""].values()) <= 4.1 * size
    expected = voxels[:, :, 4:8, 9:19].float() * norm.scale.view(-1, 1, 1, 1) + norm.shift.view(-1, 1, 1, 1)
    torch.testing.assert_close(into.float(), torch.nn.functional.leaky_relu(expected, 0.01), rtol=0.01, atol=0.01)


def test_batch_norm_is_never_given_voxels_apart_which_take_it_ten_times_as_long(monkeypatch, norm):
    seen = []
    batch_norm = torch.native_batch_norm

    def watched(voxels: Tensor, *args, out):
        seen.append([one.is_contiguous(memory_format=torch.channels_last_3d) for one in (voxels, out[0])])
        return batch_norm(voxels, *args, out=out)

    monkeypatch.setattr(torch, "native_batch_norm", watched)
    Map(channels_last(12, 30, 8), norm).read(slice(4, 8), slice(9, 19), channels_last(6, 12, 8)[:, :, 2:, :10])
    assert seen == [[True, True]] * 4


def test_a_layer_over_its_own_input_takes_eight_passes_and_its_borders(monkeypatch, norm):
    # Two to normalise, two to activate, two into the map, one for statistics, one for planes that slabs share; the rest
    # are rows that strips share, and zeros around them.
    monkeypatch.setattr(slabs, "compute_dtype", lambda stored, _: stored)
    monkeypatch.setattr(direct, "LEAST_LINES", 1)
    monkeypatch.setattr(direct, "STRIP_BYTES", 100_000)
    monkeypatch.setattr(torch.nn.functional, "conv3d", lambda x, *_: channels_last(x.shape[2] - 2, x.shape[3] - 2, 32))
    voxels = channels_last(32, 48, 32)
    with counting() as traffic:
        slabs.convolve(Map(voxels, norm), ConvBlock(CHANNELS, CHANNELS).bfloat16(), voxels)
    passes = {name: size / (voxels.numel() * voxels.itemsize) for name, size in traffic.bytes[""].items()}
    assert 8 <= sum(passes.values()) - passes["random_"] <= 10.5, passes
