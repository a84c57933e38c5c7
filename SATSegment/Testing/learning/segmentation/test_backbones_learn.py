"""Each backbone is trained by the same trainer, and what it wrote is read as a released file is."""

from __future__ import annotations

import pytest
import torch
from learning.segmentation.toy_training import WINDOW, Cubes, losses, settings, toy_queries

from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.trainer import fit
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec
from SATSegmentLib.sat.checkpoint.released import build_network, read_network

_HEAD = {"query_dim": 16, "projection_dim": 16, "decoder_layers": 1, "feedforward_dim": 16, "mask_dim": 16}
SPECS: dict[str, Spec] = {
    "umamba": UMambaSpec(features=(16, 16, 16), strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)), mamba_layers=2, **_HEAD),
    "swinunetr": SwinUNETRSpec(feature_size=12, depths=(2,), heads=(3,), **_HEAD),
}


@pytest.mark.long
@pytest.mark.parametrize("name", list(SPECS))
def test_it_learns_and_is_read_back(name, tmp_path):
    network = new_network(SPECS[name], WINDOW, seed=1)
    before = {key: tensor.clone() for key, tensor in network.backbone.state_dict().items()}
    fit(network, toy_queries(), Cubes(), settings(steps=40, learning_rate=5e-3), tmp_path)
    curve = losses(tmp_path)
    assert sum(curve[-10:]) < 0.8 * sum(curve[:10])
    after = network.backbone.state_dict()
    still = [key for key, tensor in before.items() if torch.equal(tensor, after[key])]
    assert not still, "some parameters never learn"

    weights = read_network(tmp_path / "last.pth")
    assert weights.architecture == SPECS[name]
    again = build_network(weights, WINDOW)
    window = torch.randn(1, 1, *WINDOW, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        ours, theirs = again.encode(window), network.eval().encode(window)
    torch.testing.assert_close(ours.tokens, theirs.tokens)
    torch.testing.assert_close(ours.voxels, theirs.voxels)


@pytest.mark.parametrize("name", list(SPECS))
def test_without_gradients_it_gives_what_it_gives_with_them(name):
    network = new_network(SPECS[name], WINDOW, seed=1).eval()
    window = torch.randn(2, 1, *WINDOW, generator=torch.Generator().manual_seed(2))
    layer_by_layer = network.encode(window)
    with torch.inference_mode():
        streamed = network.encode(window)
    torch.testing.assert_close(streamed.tokens, layer_by_layer.tokens.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(streamed.voxels, layer_by_layer.voxels.detach(), rtol=1e-4, atol=1e-3)
