"""Same weights in, same numbers out as the reference."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from helpers.seeded import GOLDEN, manifest, seeded_tensor, write_released
from SATSegmentLib.sat.checkpoint.released import build_network, check_network, read_network

# The tolerance that the golden numbers come with: 1e-3 of the logits' standard deviation.
RELATIVE = 1e-3


@pytest.mark.parametrize("gradients", [True, False], ids=["layer by layer", "slab by slab"])
def test_tiny_network_matches_reference_tokens_features_and_logits(tmp_path, gradients):
    tiny = manifest("tiny")
    network = build_network(read_network(write_released(tmp_path / "tiny.pth", tiny["keys"])), (64, 64, 32))
    golden = np.load(GOLDEN / "tiny_forward.npz")
    rng = np.random.Generator(np.random.PCG64(7))
    window = torch.from_numpy(rng.standard_normal((2, 1, 64, 64, 32)).astype(np.float32))
    queries = torch.from_numpy(rng.standard_normal((4, 48)).astype(np.float32))

    with torch.set_grad_enabled(gradients):
        features = network.encode(window)
        logits = network.decode(features, queries)

    assert_close(features.tokens.transpose(0, 1), golden["image_tokens"])
    assert_close(features.voxels[:, :, ::8, ::8, ::8], golden["features_sub"])
    assert_close(logits[:, :, ::4, ::4, ::4], golden["logits"])


# SAT-Pro's widths take a minute of one core: `make test-long`.
@pytest.mark.parametrize("name", ["sat_nano", pytest.param("sat_pro", marks=pytest.mark.long)])
def test_released_widths_match_reference_logits(name):
    # Gigabytes of tensors: kept in memory, and each made once, for what is needed and not stored twice.
    keys = {key: shape for key, shape in manifest(name)["keys"].items() if not re.search("all_modules|mid_mask", key)}
    state = {key.removeprefix("module."): seeded_tensor(key, shape) for key, shape in keys.items()}
    network = build_network(check_network(state, name, sha256=""), (96, 96, 96))
    rng = np.random.Generator(np.random.PCG64(21))
    window = torch.from_numpy(rng.standard_normal((1, 1, 96, 96, 96)).astype(np.float32))
    queries = torch.from_numpy(rng.standard_normal((3, 768)).astype(np.float32))

    with torch.inference_mode():
        logits = network.decode(network.encode(window), queries)

    assert_close(logits[:, :, ::8, ::8, ::8], np.load(GOLDEN / f"{name}_forward96.npz")["logits_sub"])


def assert_close(ours: torch.Tensor, golden: np.ndarray) -> None:
    golden = golden.reshape(tuple(ours.shape))
    assert np.abs(ours.numpy() - golden).max() <= RELATIVE * golden.std()
