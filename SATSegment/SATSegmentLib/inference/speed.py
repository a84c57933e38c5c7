"""How fast a network runs on this machine, measured on pieces small enough not to be felt."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.tiles import HighTiles, TileLogits, Tiling
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.sat.timing import seconds_of

_PROMPTS = 16
# As many as their products are a CPU's work; fewer cost what one costs.
_MANY_PROMPTS = 128
# Interpolating, thresholding and cropping: passes over a structure's voxels, in seconds for each.
_RESTORED_VOXEL = 2e-8
# Logit, sigmoid, weight and sum where a prompt is high, tile by tile.
_FOUND_VOXEL = 1e-8


@dataclass(frozen=True)
class Speed:
    """Rates of one network on one device.

    Attributes
    ----------
    encode_macs : float
        multiply-accumulate operations per second of the image encoder.
    window : float
        Seconds to make a window's tokens ready for questions.
    prompt : float
        Seconds for a prompt's mask embedding in one window.
    voxel : float
        Seconds to read a voxel's features.
    voxel_and_prompt : float
        Seconds for a prompt's logit at a voxel, and for looking at it.
    found_voxel : float
        Seconds to add up a prompt's probability at a voxel of a window.
    restored_voxel : float
        Seconds to bring a voxel back to the scan.
    """

    encode_macs: float
    window: float
    prompt: float
    voxel: float
    voxel_and_prompt: float
    found_voxel: float = _FOUND_VOXEL
    restored_voxel: float = _RESTORED_VOXEL

    def after_encoding(self, network: SATNetwork, windows: int, seconds: float) -> Speed:
        """The same, now that encoding so many windows took so long."""
        return replace(self, encode_macs=windows * network.architecture.encode_macs(network.window) / seconds)


def measure_speed(network: SATNetwork) -> Speed:
    """Let the network's own busiest layer, query decoder and mask product run on small pieces."""
    with torch.inference_mode():
        one, many = (_voxel_seconds(network, prompts) for prompts in (1, _MANY_PROMPTS))
        few, twice = (_embedding_seconds(network, prompts) for prompts in (_PROMPTS, 2 * _PROMPTS))
        encoding = network.backbone.probe(network.window)
    each = max(many - one, 0.0) / (_MANY_PROMPTS - 1)
    asking = max(twice - few, 0.0)
    return Speed(encoding, max(few - asking, 0.0), asking / _PROMPTS, max(one - each, 0.0), each)


def _embedding_seconds(network: SATNetwork, prompts: int) -> float:
    device = network.position_code.device
    tokens = torch.zeros(1, *network.position_code.shape, device=device)
    queries = torch.zeros(prompts, network.architecture.query_dim, device=device)
    return seconds_of(lambda: network.embed_masks(tokens, queries), device)


def _voxel_seconds(network: SATNetwork, prompts: int) -> float:
    """A group of tiles: their logits, and the look at them."""
    device, width = network.position_code.device, network.architecture.channels
    tiling = Tiling(network.window, device)
    cells, part = next(tiling.groups(Box.whole(network.window), width, prompts))
    shape = tuple(side.stop - side.start for side in part)
    voxels = torch.zeros(*shape, width, dtype=network.backbone.dtype, device=device).permute(3, 0, 1, 2)
    features = Features(torch.empty(0), voxels[None])
    logits = TileLogits(features, torch.zeros(prompts, width, device=device))
    high = HighTiles(tiling, prompts, 1.0)
    return seconds_of(lambda: high.look(cells, part, logits.of(part)), device) / math.prod(shape)
