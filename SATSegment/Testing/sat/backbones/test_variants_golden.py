"""Same weights in, same numbers out as the reference, for the other backbones of SAT's family."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.seeded import GOLDEN, manifest, write_released
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.backbones.umamba.module import UMamba
from SATSegmentLib.sat.checkpoint.released import build_network, read_network
from SATSegmentLib.sat.network import SATNetwork

# The tolerance that the golden numbers come with: 1e-3 of their standard deviation.
RELATIVE = 1e-3
CASES = {"umamba": (31, (1, 1, 96, 64, 64), 5), "swinunetr": (32, (2, 1, 64, 64, 32), 4)}


@pytest.fixture(scope="module", params=list(CASES))
def case(request, tmp_path_factory):
    name = request.param
    seed, shape, _ = CASES[name]
    file = write_released(tmp_path_factory.mktemp(name) / f"{name}.pth", manifest(name)["keys"])
    rng = np.random.Generator(np.random.PCG64(seed))
    window = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    queries = torch.from_numpy(rng.standard_normal((4, 48)).astype(np.float32))
    return name, build_network(read_network(file), shape[2:]), window, queries


@pytest.mark.parametrize("gradients", [True, False], ids=["layer by layer", "slab by slab"])
def test_narrow_network_matches_reference_tokens_features_and_logits(case, gradients):
    name, network, window, queries = case
    golden = np.load(GOLDEN / f"{name}_forward.npz")
    every = CASES[name][2]
    with torch.set_grad_enabled(gradients):
        features = network.encode(window)
        logits = network.decode(features, queries)
    assert_close(features.tokens.transpose(0, 1), golden["image_tokens"])
    assert_close(features.voxels[:, :, ::8, ::8, ::8], golden["features_sub"])
    assert_close(logits[:, :, ::every, ::every, ::every], golden["logits"])


def test_encoder_maps_match_the_reference(case):
    name, network, window, _ = case
    golden = np.load(GOLDEN / f"{name}_forward.npz")
    levels = encoder_maps(network, window)
    for number, level in enumerate(levels):
        every = max(1, 16 >> number)
        assert_close(level[:, :, ::every, ::every, ::every], golden[f"skip{number}_sub"])


def encoder_maps(network: SATNetwork, window: torch.Tensor) -> list[torch.Tensor]:
    backbone = network.backbone
    if isinstance(backbone, UMamba):
        return backbone.encoder(window)
    inputs = zip(*(backbone.encoder.swinViT(one) for one in window), strict=True)
    seen = [window, *(torch.stack(level) for level in inputs)]
    return [block(level) for block, level in zip(backbone.encoder.blocks, seen, strict=True)]


def assert_close(ours: torch.Tensor, golden: np.ndarray) -> None:
    golden = golden.reshape(tuple(ours.shape))
    assert np.abs(ours.detach().numpy() - golden).max() <= RELATIVE * golden.std()


@pytest.mark.parametrize("name", ["umamba", "swinunetr"])
def test_released_widths_are_read_off_the_shapes(name):
    keys = {key.removeprefix("module."): tuple(shape) for key, shape in manifest(f"{name}_full")["keys"].items()}
    spec = NAMED_SPECS[name]
    assert type(spec).from_shapes(keys) == spec
    with torch.device("meta"):
        network = SATNetwork(spec, (288, 288, 96))
    parameters = {"umamba": 116_486_976, "swinunetr": 105_227_554}[name]
    # Without the stems' two further channels, and without the norm that no layer uses.
    stems = {"umamba": 64 * 27, "swinunetr": 48 * (8 + 27 + 1)}[name]
    unused = 6 * 2 * 768
    assert sum(one.numel() for one in network.parameters()) == parameters - 2 * stems - unused
