"""On a GPU: one device throughout, a layout that tensor cores take, and so many bytes; told by tensors without data."""

from __future__ import annotations

import pytest
import torch

from helpers.fake_cuda import GPU, fake_cuda, without_data
from helpers.live_bytes import LiveBytes
from SATSegmentLib.inference import plan
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.plan import PassSize
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.speed import Speed
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.network import SATNetwork

WINDOW = (288, 288, 96)
GB = 10**9
SPEED = Speed(encode_macs=1e14, window=1e-3, prompt=1e-4, voxel=1e-11, voxel_and_prompt=1e-12)
_VOXELS = 288 * 288 * 96
EIGHT_WINDOWS = PassSize(8, 8, 8, 8 * _VOXELS, 5 * _VOXELS, 4 * _VOXELS, 16)


@pytest.mark.parametrize(
    ("model", "precision", "limit"),
    [
        ("nano", torch.float16, 2.6e9),
        pytest.param("pro", torch.bfloat16, 5.5e9, marks=pytest.mark.long),
        pytest.param("nano", torch.float32, 5e9, marks=pytest.mark.long),
    ],
)
def test_a_released_window_stays_on_its_device_within_its_bytes_and_its_plan(monkeypatch, model, precision, limit):
    planned: dict[int, RunPlan] = {}
    with torch.device("meta"):
        network = SATNetwork(NAMED_SPECS[model], WINDOW)
    with fake_cuda():
        without_data(network, precision)
        image = torch.empty(1, 1, *WINDOW, device=GPU)
        with LiveBytes([image, *network.state_dict().values(), network.position_code]) as live:
            features = network.encode(image)
            logits = network.decode(features, torch.empty(2, 768, device=GPU)) if precision == torch.float16 else None
        for free in (24, 8, 6):
            monkeypatch.setattr(plan, "_free_bytes", lambda device, free=free: free * GB if device == GPU else 64 * GB)
            planned[free] = plan.plan_run(network, [EIGHT_WINDOWS], FeatureCache(48 * GB, 0), SPEED)
    print(f"{model} in {str(precision)[6:]}: {live.peak / 1e9:.2f} GB")  # shown by pytest -rP
    assert features.voxels.device == features.tokens.device == GPU
    assert logits is None or (logits.device == GPU and logits.dtype == torch.float32)
    if precision != torch.float32:
        assert features.voxels.is_contiguous(memory_format=torch.channels_last_3d)
    assert 0.8 * limit <= live.peak <= limit
    # Features of eight windows do not fit beside the work on a small GPU; there is no more to it than was counted.
    assert {planned[free].features_in for free in (8, 6)} == {"memory"}
    assert live.peak <= planned[8].peak_bytes <= 1.5 * live.peak
    assert planned[8].fits
    assert planned[24].features_in == ("device" if model == "nano" and precision != torch.float32 else "memory")


@pytest.mark.parametrize("model", ["nano", pytest.param("umamba", marks=pytest.mark.long)])
def test_slabs_stay_on_their_device(model):
    with torch.device("meta"):
        network = SATNetwork(NAMED_SPECS[model], (64, 64, 32))
    with fake_cuda():
        without_data(network, torch.float16).backbone.in_slabs = True
        features = network.encode(torch.empty(1, 1, 64, 64, 32, device=GPU))
    assert features.voxels.device == features.tokens.device == GPU
    assert (features.voxels.dtype, features.tokens.dtype) == (torch.float16, torch.float32)
