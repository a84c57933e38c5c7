"""On a GPU: one device throughout, a layout that tensor cores take, and so many bytes; told by tensors without data."""

from __future__ import annotations

import pytest
import torch

from helpers.fake_cuda import GPU, fake_cuda, without_data
from helpers.live_bytes import LiveBytes
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.network import SATNetwork

WINDOW = (288, 288, 96)


@pytest.mark.parametrize(
    ("model", "precision", "limit"),
    [
        ("nano", torch.float16, 2.6e9),
        pytest.param("pro", torch.bfloat16, 5.5e9, marks=pytest.mark.long),
        pytest.param("nano", torch.float32, 5e9, marks=pytest.mark.long),
    ],
)
def test_a_released_window_stays_on_its_device_and_within_its_bytes(model, precision, limit):
    with torch.device("meta"):
        network = SATNetwork(NAMED_SPECS[model], WINDOW)
    with fake_cuda():
        without_data(network, precision)
        image = torch.empty(1, 1, *WINDOW, device=GPU)
        with LiveBytes([image, *network.state_dict().values(), network.position_code]) as live:
            features = network.encode(image)
            logits = network.decode(features, torch.empty(2, 768, device=GPU)) if precision == torch.float16 else None
    print(f"{model} in {str(precision)[6:]}: {live.peak / 1e9:.2f} GB")  # shown by pytest -rP
    assert features.voxels.device == features.tokens.device == GPU
    assert logits is None or (logits.device == GPU and logits.dtype == torch.float32)
    if precision != torch.float32:
        assert features.voxels.is_contiguous(memory_format=torch.channels_last_3d)
    assert 0.8 * limit <= live.peak <= limit
