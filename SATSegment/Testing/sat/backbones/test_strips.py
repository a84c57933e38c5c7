"""Strips side by side: the same bits for any number of threads, errors reach the caller, and memory is as planned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers.live_bytes import LiveBytes
from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbones.blocks import ConvBlock
from SATSegmentLib.sat.backbones.streaming import direct, slabs, strips, winograd
from SATSegmentLib.sat.backbones.streaming.norm import Norm
from SATSegmentLib.sat.backbones.streaming.sources import Joined, Map
from SATSegmentLib.sat.backbones.unet.module import UNet
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

ROOT = Path(__file__).parents[3]
THREADS = (1, 2, 3, 8)


@pytest.fixture(autouse=True)
def many_cores(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(workers, "cores", lambda: 8)
    yield
    torch.set_num_threads(before)


def channels_last(*shape: int, seed: int = 3) -> torch.Tensor:
    made = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))
    return made.to(memory_format=torch.channels_last_3d)


def unet(*features: int) -> UNet:
    torch.manual_seed(5)
    steps = len(features) - 1
    return UNet(
        UNetSpec(
            features=features,
            strides=((1, 1, 1), *((2, 2, 2),) * steps),
            encoder_convs=(2,) * (steps + 1),
            decoder_convs=(2,) * steps,
            query_dim=8,
            projection_dim=8,
            decoder_layers=1,
            feedforward_dim=8,
            mask_dim=8,
        )
    )


# What is convolved, how, and whether over its own input: (channels in, out, voxels, stride).
LAYERS = {
    "stem": (1, 16, (20, 24, 16), 1),
    "narrow": (16, 16, (21, 19, 18), 1),
    "tiled": (32, 32, (22, 26, 20), 1),
    "strided": (32, 48, (24, 22, 20), 2),
    "by channels": (48, 64, (11, 9, 8), 1),
    "few voxels": (64, 96, (5, 4, 4), 2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", list(LAYERS))
def test_every_kind_of_layer_gives_the_same_bits_for_any_number_of_threads(monkeypatch, kind, dtype):
    monkeypatch.setattr(slabs, "compute_dtype", lambda stored, _: stored)
    # So thin that small maps are cut as large ones are.
    monkeypatch.setattr(direct, "STRIP_BYTES", 60_000)
    monkeypatch.setattr(direct, "_LEAST_OUTPUTS", 1)
    monkeypatch.setattr(winograd, "STRIP_BYTES", 200_000)
    inputs, outputs, sides, stride = LAYERS[kind]
    torch.manual_seed(6)
    block = ConvBlock(inputs, outputs, (stride,) * 3).to(dtype)
    x = channels_last(inputs, *sides).to(dtype)
    shape = [-(-side // stride) for side in sides]
    expected = F.conv3d(x.double(), block.conv.weight.double(), block.conv.bias.double(), stride, 1)
    with torch.inference_mode():
        seen = []
        for threads in THREADS:
            torch.set_num_threads(threads)
            source = x.clone()
            out = source if inputs == outputs else slabs.empty(x, outputs, *shape)
            norm = slabs.convolve(Map(source), block, out)
            seen.append((out, norm.scale, norm.shift))
        ours = slabs.empty(x, outputs, *shape)
        norm = Norm(*seen[0][1:])
        ours = norm.apply(seen[0][0].float(), ours.float()).double()
    # Up to the bias, which minimal filtering leaves to the norm.
    close = F.instance_norm(expected, eps=1e-5)
    assert (ours - close).abs().max() <= (2e-4 if dtype == torch.float32 else 0.1)
    for other in seen[1:]:
        assert all(torch.equal(one, two) for one, two in zip(seen[0], other, strict=True))


@settings(max_examples=8, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
    st.sampled_from([1, 20_000]),
    st.sampled_from([3, 32]),
)
def test_a_joined_map_is_overwritten_with_the_same_bits_by_any_number_of_threads(cells, strip_bytes, channels):
    below = channels_last(2 * channels, *cells, seed=1)
    skip = channels_last(channels, *(2 * side for side in cells), seed=2)
    torch.manual_seed(6)
    upsample = nn.ConvTranspose3d(2 * channels, channels, 2, 2)
    block = ConvBlock(2 * channels, channels)
    joined = torch.cat([upsample(below), skip], dim=1)
    expected = F.conv3d(joined.double(), block.conv.weight.double(), padding=1).detach()
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        for module, name in ((direct, "STRIP_BYTES"), (winograd, "STRIP_BYTES")):
            patch.setattr(module, name, strip_bytes)
        patch.setattr(direct, "_LEAST_OUTPUTS", 1)
        patch.setattr(direct, "LEAST_LINES", 1)
        patch.setattr(direct, "_OUTPUTS_PER_WEIGHT", 0)
        patch.setattr(winograd, "_LEAST_VOXELS", 1)
        patch.setattr(winograd, "_MOST_PADDING", 100)
        seen = []
        for threads in THREADS:
            torch.set_num_threads(threads)
            level = skip.clone()
            slabs.convolve(Joined(below, upsample, level, torch.float32), block, level)
            seen.append(level)
    bias = 0 if channels == 32 else block.conv.bias.detach().view(-1, 1, 1, 1).double()
    assert (seen[0] - expected - bias).abs().max() <= 1e-4
    assert all(torch.equal(seen[0], other) for other in seen[1:])


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_a_network_gives_the_same_bits_for_any_number_of_threads(stored):
    made = unet(32, 32, 48).to(stored)
    x = channels_last(1, 32, 48, 16).to(stored)
    results = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            results.append(made(x))
    for pooled, voxels in results[1:]:
        assert torch.equal(pooled, results[0][0])
        assert torch.equal(voxels, results[0][1])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 8))
def test_parts_cover_a_length_once_and_keep_to_their_bounds(length, bound, unit):
    for parts in (strips.even(length, bound, unit), strips.thick(length, bound, unit)):
        assert [place for part in parts for place in range(part.start, part.stop)] == list(range(length))
        assert all(part.start % unit == 0 and part.stop > part.start for part in parts)
    assert max(part.stop - part.start for part in strips.even(length, bound, unit)) <= max(bound, unit)
    thick = [part.stop - part.start for part in strips.thick(length, bound, unit)]
    assert len(thick) == 1 or min(thick[:-1]) >= bound


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_an_error_in_one_strip_reaches_the_caller_of_the_network(monkeypatch, threads, error):
    torch.set_num_threads(threads)
    made = unet(32, 32)
    convolve = winograd._convolve
    strips: list[None] = []

    def fail(*tensors):
        strips.append(None)
        if len(strips) == 12:
            raise error("of a strip")
        return convolve(*tensors)

    monkeypatch.setattr(winograd, "_convolve", fail)
    with pytest.raises(error, match="of a strip"), torch.inference_mode():
        made(channels_last(1, 32, 32, 16))
    monkeypatch.undo()
    with torch.inference_mode():
        made(channels_last(1, 16, 16, 16))


def test_only_borders_of_strips_in_work_are_kept():
    voxels = channels_last(4, 64, 64, 4)
    with torch.inference_mode(), LiveBytes([voxels]) as live:
        for strip in strips.strips(Map(voxels), voxels, 8, 64):
            strip.read(slice(0, 4), strip.rows, torch.empty(1, 4, 4, strip.rows.stop - strip.rows.start, 4))
    row = voxels[0, :, :, 0].nbytes
    assert live.peak <= voxels.nbytes + 5 * row


RESIDENT = """
import sys, threading, time
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/Testing"]
import torch
from sat.backbones.test_strips import unet
from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbones.unet.cost import encode_bytes
workers.cores = lambda: 2
torch.set_num_threads(2)
made, x = unet(32, 32, 48).requires_grad_(False), torch.randn(1, 1, 64, 96, 64)
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
peak, ended = 0, threading.Event()
def follow():
    global peak
    while not ended.wait(0.002):
        peak = max(peak, resident())
with torch.inference_mode():
    made(x[..., :32, :32, :32])
    before = resident()
    follower = threading.Thread(target=follow)
    follower.start()
    made(x)
    ended.set()
    follower.join()
print((peak - before) / encode_bytes(made._spec, (64, 96, 64), torch.float32, torch.device("cpu")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_resident_memory_with_two_threads_is_what_is_planned():
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RESIDENT, str(ROOT)], capture_output=True, text=True, check=True
    )
    share = float(answer.stdout)
    assert 1 / 1.5 <= share <= 1.5  # as of any plan: test_plan.py
