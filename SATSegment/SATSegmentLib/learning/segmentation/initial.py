"""A network before its first step."""

from __future__ import annotations

import torch
from torch import nn

from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.network import SATNetwork


def new_network(architecture: Spec, window: Triple, seed: int = 0) -> SATNetwork:
    """A network with random weights: the backbone's own, and Xavier's in the query decoder (as DETR)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SATNetwork(architecture, window)
        network.backbone.init_weights()
        for parameter in network.transformer_decoder.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
    nn.init.constant_(network.mask_embed_proj[2].bias, -0.3)  # type: ignore[arg-type]
    return network
