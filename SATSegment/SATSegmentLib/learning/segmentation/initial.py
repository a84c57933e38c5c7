"""A network before its first step."""

from __future__ import annotations

import torch
from torch import nn

from SATSegmentLib.sat.backbones.unet.blocks import NEGATIVE_SLOPE, ConvBlock
from SATSegmentLib.sat.backbones.unet.spec import Architecture, Triple
from SATSegmentLib.sat.network import SATNetwork


def new_network(architecture: Architecture, window: Triple, seed: int = 0) -> SATNetwork:
    """A network with random weights: He's for convolutions (He et al., 2015), Xavier's in the query decoder (as DETR).

    Mask embeddings pass a GELU, so they reach -0.17 at the least. Most voxels being background, logits must start from
    large features, or the first thousand steps are spent on growing them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SATNetwork(architecture, window)
        for module in network.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for parameter in network.transformer_decoder.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
    finest: ConvBlock = network.backbone.decoder.stages[-1].convs[-1]  # type: ignore[assignment,index]
    nn.init.constant_(finest.norm.weight, 4.0)
    nn.init.constant_(finest.norm.bias, 2.0)
    nn.init.constant_(network.mask_embed_proj[2].bias, -0.3)  # type: ignore[arg-type]
    return network
