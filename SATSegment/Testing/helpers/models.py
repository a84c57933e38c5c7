"""Small models for tests: the golden tiny network, and one that answers with the image itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from helpers.seeded import manifest, seeded_state
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.models.folder import BANK_FILE, ModelDescription
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.convert import convert
from SATSegmentLib.sat.checkpoint.released import NetworkWeights, build_network, check_network
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.text.bank import EmbeddingBank

TINY_WINDOW = (64, 64, 32)
TINY_QUERY_DIM = 48


def tiny_weights() -> NetworkWeights:
    """The golden tiny network's weights, checked."""
    state = seeded_state(manifest("tiny")["keys"])
    return check_network({key.removeprefix("module."): value for key, value in state.items()}, "tiny", sha256="")


def tiny_segmenter(window: tuple[int, int, int] = TINY_WINDOW, **options) -> Segmenter:
    """A segmenter with the golden tiny network."""
    return Segmenter(build_network(tiny_weights(), window), ModelDescription("tiny", window), device="cpu", **options)


def hand_made_network(channels: int, window: tuple[int, int, int]) -> SATNetwork:
    """A U-Net of two levels whose weights are all zero, for those that a test chooses."""
    architecture = UNetSpec(
        features=(channels, channels),
        strides=((1, 1, 1), (8, 8, 8)),
        encoder_convs=(1, 1),
        decoder_convs=(1,),
        query_dim=8,
        projection_dim=8,
        decoder_layers=1,
        feedforward_dim=8,
        mask_dim=8,
    )
    network = SATNetwork(architecture, window)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    return network


def identity_segmenter(window: tuple[int, int, int], spacing: tuple[float, float, float]) -> Segmenter:
    """A segmenter whose mask is where the normalised image is above zero, whatever the query.

    Real layers with chosen weights: the first channel carries |x| upwards through every convolution, and the mask
    embedding is one; instance norm recentres it, which leaves a two-valued image two-valued and its border in place.
    """
    network = hand_made_network(1, window)
    with torch.no_grad():
        centre = (0, 0, 1, 1, 1)
        stem = network.backbone.encoder.stages[0][0].convs[0]
        last = network.backbone.decoder.stages[0].convs[0]
        for block, channel in ((stem, 0), (last, 1)):  # the decoder's second input channel is the skip
            block.conv.weight[(0, channel, *centre[2:])] = 1
            block.norm.weight.fill_(1)
        network.mask_embed_proj[2].bias.fill_(1e4)  # steep enough for the leaky side too: a step, at zero
    return Segmenter(network.eval(), ModelDescription("identity", window, spacing), device="cpu")


def write_model(folder: Path, labels: Sequence[tuple[str, str]]) -> Path:
    """A model folder with the golden tiny network and seeded queries for these (text, modality) labels."""
    with tempfile.TemporaryDirectory() as scratch:
        network = write_tiny_checkpoint(Path(scratch) / "tiny.pth")
        convert(network, folder, ModelDescription("tiny", TINY_WINDOW, text_sha256="5eed" * 16), released=False)
    EmbeddingBank(labels, queries(len(labels)), "5eed" * 16, "seeded").save(folder / BANK_FILE)
    return folder


def queries(count: int, seed: int = 3, dim: int = TINY_QUERY_DIM) -> np.ndarray:
    """(count, dim) seeded query vectors."""
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def write_tiny_checkpoint(path: Path) -> Path:
    """The tiny network in the released layout."""
    from helpers.seeded import write_released

    return write_released(path, manifest("tiny")["keys"])
