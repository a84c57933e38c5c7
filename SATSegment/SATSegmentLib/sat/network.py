"""The SAT network: a backbone that sees the image and a query decoder that sees the prompts.

The two never mix before the last product, which is the seam everything here is built on:
`encode` looks at the image once, `decode` answers any number of prompts from what it found.
(Zhao et al., "Large-Vocabulary Segmentation for Medical Images with Text Prompts": a 3-D backbone,
image tokens pooled from all encoder levels of its backbone, a DETR-style decoder without self-attention, and
masks as the product of mask embeddings with the finest feature map.)

Module names follow the released checkpoints, so that a state dict loads without a table of renames.
"""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.features import Features
from SATSegmentLib.sat.query_decoder import QueryDecoder, sinusoidal_position_code
from SATSegmentLib.sat.workers import on_cores

# A matrix product's rounding depends on its number of rows. Queries are decoded in chunks of one fixed size, filled up
# with zeros, so that a prompt's mask is the same to the last bit whatever other prompts come with it.
_CHUNK = 16
# How many tokens a core projects at a time.
_TOKENS = 64


class SATNetwork(nn.Module):
    """One network of the SAT family, with any backbone, of any width and depth.

    Parameters
    ----------
    architecture : Spec
        Widths and depths.
    window : Triple
        Voxels of a window along the three axes of the oriented grid (R-L, P-A, I-S for RAS);
        each a multiple of `architecture.downsampling`. The position code is built from it.
    """

    position_code: Tensor

    def __init__(self, architecture: Spec, window: Triple) -> None:
        super().__init__()
        if any(side % step or side < step for side, step in zip(window, architecture.downsampling, strict=True)):
            raise ValueError(f"A window's sides must be multiples of {architecture.downsampling}, not {window}.")
        self.architecture = architecture
        self.window = window
        dim = architecture.query_dim
        self.backbone = architecture.build()
        self.projection_layer = nn.Sequential(
            nn.Linear(architecture.token_channels, architecture.projection_dim),
            nn.GELU(),
            nn.Linear(architecture.projection_dim, dim),
            nn.GELU(),
        )
        self.transformer_decoder = QueryDecoder(dim, architecture.decoder_layers, architecture.feedforward_dim)
        self.mask_embed_proj = nn.Sequential(
            nn.Linear(dim, architecture.mask_dim),
            nn.GELU(),
            nn.Linear(architecture.mask_dim, architecture.channels),
            nn.GELU(),
        )
        self.register_buffer("position_code", self.position_code_for(architecture, window), persistent=False)

    @staticmethod
    def position_code_for(architecture: Spec, window: Triple) -> Tensor:
        """(T, query_dim) position code of a window's tokens; it is in no checkpoint."""
        x, y, z = (side // step for side, step in zip(window, architecture.downsampling, strict=True))
        return sinusoidal_position_code(x, y, z, architecture.query_dim)

    def set_encoder_precision(self, dtype: torch.dtype) -> None:
        """Run the backbone in `dtype`. The query decoder stays in float32: it is small, and it decides."""
        self.backbone.set_precision(dtype)

    def settle(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Move to a device for inference, the backbone in `dtype` and laid out as it is fastest there."""
        self.set_encoder_precision(dtype)
        self.to(device).eval()
        self.backbone.arrange()
        return self

    def encode(self, window: Tensor) -> Features:
        """The features of a batch of windows. The prompts have no part in it.

        Parameters
        ----------
        window : Tensor
            (B, 1, X, Y, Z), preprocessed intensities; X, Y, Z as the network's `window`.
        """
        if tuple(window.shape[1:]) != (1, *self.window):
            raise ValueError(f"encode() takes (B, 1, {self.window}), not {tuple(window.shape)}.")
        pooled, voxels = self.backbone(window.to(self.backbone.dtype))
        cells = pooled.flatten(2).transpose(1, 2)
        rows = cells.split(_TOKENS if cells.device.type == "cpu" else cells.shape[1], dim=1)
        tokens = on_cores(rows, lambda some, _: self.projection_layer(some), cells.device)
        return Features(tokens=tokens[0] if len(tokens) == 1 else torch.cat(tokens, dim=1), voxels=voxels)

    def embed_masks(self, tokens: Tensor, queries: Tensor) -> Tensor:
        """The mask embedding of each query in each window.

        Parameters
        ----------
        tokens : Tensor
            (B, T, query_dim), from `encode`.
        queries : Tensor
            (N, query_dim) text queries; they do not influence each other.

        Returns
        -------
        Tensor
            (B, N, C) float32, C the channels of `Features.voxels`.
        """
        seen = self.transformer_decoder.project(tokens, self.position_code)

        def embed(chunk: Tensor, _: None) -> Tensor:
            full = F.pad(chunk, (0, 0, 0, _CHUNK - len(chunk))).expand(len(tokens), -1, -1)
            decoded = self.transformer_decoder.answer(full, seen)
            return self.mask_embed_proj(decoded)[:, : len(chunk)]

        return torch.cat(on_cores(queries.float().split(_CHUNK), embed, tokens.device), dim=1)

    def decode(self, features: Features, queries: Tensor) -> Tensor:
        """The logits of each query at each voxel: (B, N, X, Y, Z) float32.

        Parameters
        ----------
        features : Features
            From `encode`.
        queries : Tensor
            (N, query_dim) text queries.
        """
        return mask_logits(features.dequantize(), self.embed_masks(features.tokens, queries))


def mask_logits(voxels: Tensor, mask_embeddings: Tensor) -> Tensor:
    """Logits (B, N, X, Y, Z) float32 from voxel features (B, C, X, Y, Z) and mask embeddings (B, N, C)."""
    products = [_product(embedding, voxel.flatten(1)) for embedding, voxel in zip(mask_embeddings, voxels, strict=True)]
    # A batch of one, as in every run, is not copied into a batch.
    batch = products[0][None] if len(products) == 1 else torch.stack(products)
    return batch.unflatten(2, voxels.shape[2:])


def _product(embeddings: Tensor, voxels: Tensor) -> Tensor:
    """(N, C) float32 times (C, V), in float32.

    Features in half precision are multiplied as they are, because widening them would cost ten times the time of the
    product. Each embedding is split into two half-precision numbers that add up to it, so that only the result is
    rounded, relative to its own size: logits near zero, which decide a mask's border, keep their sign.
    """
    rows = len(embeddings)
    if voxels.dtype == torch.float32:
        # One row alone would be rounded in another way than in company.
        return (embeddings if rows > 1 else embeddings.expand(2, -1)).mm(voxels)[:rows]
    high = embeddings.to(voxels.dtype)
    low = (embeddings - high).to(voxels.dtype)
    product = torch.cat((high, low)).mm(voxels)
    return product[:rows].float().add_(product[rows:])
