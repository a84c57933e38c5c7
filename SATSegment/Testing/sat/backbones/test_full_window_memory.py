"""A released network's window of 288 x 288 x 96 voxels fits where it has to, counted with tensors that hold no data."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from helpers.live_bytes import LiveBytes
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.backbones.streaming import direct, norm, residual, slabs, strips, winograd
from SATSegmentLib.sat.backbones.umamba import scan
from SATSegmentLib.sat.network import SATNetwork

WINDOW = (288, 288, 96)


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "precision", "limit"),
    [
        ("nano", torch.float32, 5e9),
        ("nano", torch.bfloat16, 2.7e9),
        ("pro", torch.bfloat16, 6.5e9),
        ("umamba", torch.bfloat16, 3.0e9),
        ("swinunetr", torch.bfloat16, 2.4e9),
    ],
)
def test_a_window_keeps_to_its_bytes_weights_included(monkeypatch, model, precision, limit):
    # Pieces several times larger than the real ones: more bytes at once, but far fewer operations to count.
    monkeypatch.setattr(norm, "_PIECE", 1 << 30)
    monkeypatch.setattr(winograd, "STRIP_BYTES", 64 << 20)
    monkeypatch.setattr(direct, "STRIP_BYTES", 64 << 20)
    monkeypatch.setattr(strips, "ENOUGH", 1)
    monkeypatch.setattr(slabs, "SLAB_BYTES", 96 << 20)
    monkeypatch.setattr(scan, "_AT_ONCE", 1 << 24)
    monkeypatch.setattr(residual, "_PIECE_BYTES", 24 << 20)
    monkeypatch.setattr(slabs, "CACHED_BYTES", 24 << 20)
    # The arithmetic is measured otherwise, which tensors without data cannot be.
    monkeypatch.setattr(slabs, "compute_dtype", lambda dtype, device: torch.float32)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        network = SATNetwork(NAMED_SPECS[model], WINDOW)
        for path, module in network.backbone.named_modules():
            # Mamba layers stay in float32.
            stored = torch.float32 if "mamba_layers" in path else precision
            for name, parameter in list(module.named_parameters(recurse=False)):
                empty = torch.empty(parameter.shape, dtype=stored)
                setattr(module, name, nn.Parameter(empty, requires_grad=False))
        image = torch.empty(1, 1, *WINDOW)
        with LiveBytes([image, *network.state_dict().values(), network.position_code]) as live:
            network.encode(image)

    print(f"{model} in {str(precision)[6:]}: {live.peak / 1e9:.2f} GB")  # shown by pytest -rP
    assert 1e9 < live.peak <= limit
