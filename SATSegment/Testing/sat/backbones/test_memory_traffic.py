"""In half precision each number goes through memory as few times as can be, counted in bytes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

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


class BatchNorms(TorchDispatchMode):
    """While entered, notes for each batch norm whether what it reads and writes lies side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bool, bool]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "batch_norm" in str(func):
            self.seen.append((args[0].is_contiguous(), kwargs["out"].is_contiguous()))
        return func(*args, **(kwargs or {}))


def test_batch_norm_is_never_given_voxels_apart_which_take_it_ten_times_as_long(norm):
    with BatchNorms() as batch_norms:
        Map(channels_last(12, 30, 80), norm).read(slice(4, 8), slice(9, 19), channels_last(6, 12, 80)[:, :, 2:, :10])
    assert batch_norms.seen == [(True, True)] * 4


# Where voxels lie and where they go: as a whole, cut along Y, one row of many planes, one plane, cut along Z.
CUTS = {
    "whole": (slice(0, 5), slice(0, 12), slice(0, 40)),
    "rows": (slice(0, 5), slice(2, 12), slice(0, 40)),
    "one row of each plane": (slice(0, 5), slice(3, 4), slice(0, 40)),
    "one plane": (slice(2, 3), slice(0, 12), slice(0, 40)),
    "apart": (slice(0, 5), slice(1, 3), slice(2, 9)),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("room", [0, 8])
@pytest.mark.parametrize("cut", CUTS)
def test_half_precision_is_activated_wherever_it_lies(cut, room, channels, dtype):
    x, y, z = CUTS[cut]
    norm = Norm(torch.linspace(0.5, 2, channels), torch.linspace(-1, 1, channels))
    like = {"dtype": dtype, "memory_format": torch.channels_last_3d}
    voxels = torch.empty(1, channels, 5, 12, 40, **like).random_(-4, 4, generator=torch.Generator().manual_seed(1))
    voxels = voxels[:, :, x, y, z]
    sides = [side + room for side in voxels.shape[2:]]
    into = torch.empty(1, channels, *sides, **like).zero_()
    x, y, z = (slice(0, side) for side in voxels.shape[2:])
    place = into[:, :, x, y, z]
    expected = voxels.float() * norm.scale.view(-1, 1, 1, 1) + norm.shift.view(-1, 1, 1, 1)
    norm.apply(voxels, place)
    torch.testing.assert_close(place.float(), expected, rtol=0.01, atol=0.01)
    norm.activate(voxels, place)
    torch.testing.assert_close(place.float(), torch.nn.functional.leaky_relu(expected, 0.01), rtol=0.01, atol=0.01)
    place.zero_()
    assert not into.any()  # nothing was written elsewhere


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("sides", "cells"), [((6, 8, 10), (3, 2, 5)), ((3, 3, 3), (3, 3, 3)), ((1, 96, 40), (1, 3, 1))]
)
def test_averages_over_cells_are_those_of_what_was_finished(monkeypatch, dtype, sides, cells):
    monkeypatch.setattr(slabs, "compute_dtype", lambda stored, _: stored)
    made = torch.randn(1, 5, *sides, generator=torch.Generator().manual_seed(2))
    voxels = made.to(dtype).contiguous(memory_format=torch.channels_last_3d)
    expected = torch.nn.functional.avg_pool3d(
        2 * voxels.float(), [side // count for side, count in zip(sides, cells, strict=True)]
    )
    for size in (1, 5000, 1 << 19):
        monkeypatch.setattr(slabs, "CACHED_BYTES", size)
        once = voxels.clone(memory_format=torch.preserve_format)
        averages = slabs.average(once, cells, lambda x, y, once=once: once[:, :, x, y].mul_(2))
        assert torch.equal(once, 2 * voxels)
        torch.testing.assert_close(averages, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-2)
        once = voxels.clone(memory_format=torch.preserve_format)
        slabs.finish(once, lambda x, y, once=once: once[:, :, x, y].mul_(2))
        assert torch.equal(once, 2 * voxels)


def test_a_layer_over_its_own_input_takes_seven_passes_and_its_borders(monkeypatch, norm):
    # Two to normalise, two to activate, two into the map, one for statistics; the rest are planes that slabs share,
    # rows that strips share, and zeros around them.
    monkeypatch.setattr(slabs, "compute_dtype", lambda stored, _: stored)
    monkeypatch.setattr(direct, "LEAST_LINES", 1)
    monkeypatch.setattr(direct, "STRIP_BYTES", 100_000)
    monkeypatch.setattr(torch.nn.functional, "conv3d", lambda x, *_: channels_last(x.shape[2] - 2, x.shape[3] - 2, 32))
    voxels = channels_last(32, 48, 32)
    with counting() as traffic:
        slabs.convolve(Map(voxels, norm), ConvBlock(CHANNELS, CHANNELS).bfloat16(), voxels)
    passes = {name: size / (voxels.numel() * voxels.itemsize) for name, size in traffic.bytes[""].items()}
    assert 6 <= sum(passes.values()) - passes["random_"] <= 10.5, passes
