"""The SAT network: a U-Net that sees the image and a query decoder that sees the prompts.

The two never mix before the last product, which is the seam everything here is built on:
`encode` looks at the image once, `decode` answers any number of prompts from what it found.
(Zhao et al., "Large-Vocabulary Segmentation for Medical Images with Text Prompts": a 3-D U-Net,
image tokens pooled from all its encoder levels, a DETR-style decoder without self-attention, and
masks as the product of mask embeddings with the finest feature map.)

Module names follow the released checkpoints, so that a state dict loads without a table of renames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.unet.module import UNet
from SATSegmentLib.sat.backbones.unet.spec import ATTENTION_HEADS, Architecture, Triple
from SATSegmentLib.sat.features import Features

# A matrix product's rounding depends on its number of rows. Queries are decoded in chunks of one fixed size, filled up
# with zeros, so that a prompt's mask is the same to the last bit whatever other prompts come with it.
_CHUNK = 16


class SATNetwork(nn.Module):
    """One network of the SAT family, of any width and depth.

    Parameters
    ----------
    architecture: widths and depths.
    window: voxels of a window along the three axes of the oriented grid (R-L, P-A, I-S for RAS);
        each a multiple of `architecture.downsampling`. The position code is built from it.
    """

    position_code: Tensor

    def __init__(self, architecture: Architecture, window: Triple) -> None:
        super().__init__()
        if any(side % step or side < step for side, step in zip(window, architecture.downsampling, strict=True)):
            raise ValueError(f"A window's sides must be multiples of {architecture.downsampling}, not {window}.")
        self.architecture = architecture
        self.window = window
        dim = architecture.query_dim
        self.backbone = UNet(architecture)
        self.projection_layer = nn.Sequential(
            nn.Linear(sum(architecture.features), architecture.projection_dim),
            nn.GELU(),
            nn.Linear(architecture.projection_dim, dim),
            nn.GELU(),
        )
        self.transformer_decoder = QueryDecoder(dim, architecture.decoder_layers, architecture.feedforward_dim)
        self.mask_embed_proj = nn.Sequential(
            nn.Linear(dim, architecture.mask_dim),
            nn.GELU(),
            nn.Linear(architecture.mask_dim, architecture.features[0]),
            nn.GELU(),
        )
        self.register_buffer("position_code", self.position_code_for(architecture, window), persistent=False)

    @staticmethod
    def position_code_for(architecture: Architecture, window: Triple) -> Tensor:
        """(T, query_dim) position code of a window's tokens; it is in no checkpoint."""
        x, y, z = (side // step for side, step in zip(window, architecture.downsampling, strict=True))
        return sinusoidal_position_code(x, y, z, architecture.query_dim)

    def set_encoder_precision(self, dtype: torch.dtype) -> None:
        """Run the U-Net in `dtype`. The query decoder stays in float32: it is small, and it decides."""
        self.backbone.to(dtype)

    def encode(self, window: Tensor) -> Features:
        """The features of a batch of windows. The prompts have no part in it.

        Parameters
        ----------
        window: (B, 1, X, Y, Z), preprocessed intensities; X, Y, Z as the network's `window`.
        """
        if tuple(window.shape[1:]) != (1, *self.window):
            raise ValueError(f"encode() takes (B, 1, {self.window}), not {tuple(window.shape)}.")
        pooled, voxels = self.backbone(window.to(self.backbone.dtype))
        tokens = pooled.flatten(2).transpose(1, 2)
        return Features(tokens=self.projection_layer(tokens), voxels=voxels)

    def embed_masks(self, tokens: Tensor, queries: Tensor) -> Tensor:
        """The mask embedding of each query in each window.

        Parameters
        ----------
        tokens: (B, T, query_dim), from `encode`.
        queries: (N, query_dim) text queries; they do not influence each other.

        Returns
        -------
        (B, N, C) float32, C the channels of `Features.voxels`.
        """
        seen = self.transformer_decoder.project(tokens, self.position_code)
        chunks = []
        for chunk in queries.float().split(_CHUNK):
            full = F.pad(chunk, (0, 0, 0, _CHUNK - len(chunk))).expand(len(tokens), -1, -1)
            decoded = self.transformer_decoder.answer(full, seen)
            chunks.append(self.mask_embed_proj(decoded)[:, : len(chunk)])
        return torch.cat(chunks, dim=1)

    def decode(self, features: Features, queries: Tensor) -> Tensor:
        """The logits of each query at each voxel: (B, N, X, Y, Z) float32.

        Parameters
        ----------
        features: from `encode`.
        queries: (N, query_dim) text queries.
        """
        return mask_logits(features.widened(), self.embed_masks(features.tokens, queries))


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


class QueryDecoder(nn.Module):
    """Pre-norm DETR decoder layers without self-attention (Carion et al., 2020)."""

    def __init__(self, dim: int, depth: int, feedforward_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(QueryDecoderLayer(dim, feedforward_dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, queries: Tensor, tokens: Tensor, position_code: Tensor) -> Tensor:
        """(B, N, dim) queries that have looked at (B, T, dim) tokens."""
        return self.answer(queries, self.project(tokens, position_code))

    def project(self, tokens: Tensor, position_code: Tensor) -> list[Projected]:
        """What each layer makes of (B, T, dim) tokens, whatever is asked of them: for any number of `answer`s."""
        keys = tokens + position_code
        return [layer.project(keys, tokens) for layer in self.layers]  # type: ignore[operator]

    def answer(self, queries: Tensor, seen: list[Projected]) -> Tensor:
        """(B, N, dim) queries that have looked at the tokens that `project` has seen."""
        for layer, projected in zip(self.layers, seen, strict=True):
            queries = layer(queries, projected)
        return self.norm(queries)


class QueryDecoderLayer(nn.Module):
    """Each query attends to the image tokens, then passes a feed-forward network."""

    def __init__(self, dim: int, feedforward_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        # Only its weights are used: called as a module it would project the tokens anew for each handful of queries.
        self.multihead_attn = nn.MultiheadAttention(dim, ATTENTION_HEADS, dropout=dropout, batch_first=True)
        self.linear1 = nn.Linear(dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, dim)
        # Released files also hold a norm1, made for a self-attention that was never used.
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def project(self, keys: Tensor, values: Tensor) -> Projected:
        """Keys and values (B, T, dim) as the heads see them, (B, heads, T, dim / heads)."""
        _, (key, value) = self._weights()
        return _heads(F.linear(keys, *key)), _heads(F.linear(values, *value))

    def forward(self, queries: Tensor, projected: Projected) -> Tensor:
        """(B, N, dim) from queries (B, N, dim) and what `project` made of the tokens."""
        query, _ = self._weights()
        asked = _heads(F.linear(self.norm2(queries), *query))
        dropout = self.multihead_attn.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(asked, *projected, dropout_p=dropout).transpose(1, 2).flatten(2)
        queries = queries + self.dropout(self.multihead_attn.out_proj(attended))
        hidden = self.dropout(F.relu(self.linear1(self.norm3(queries))))
        return queries + self.dropout(self.linear2(hidden))

    def _weights(self) -> tuple[_Linear, tuple[_Linear, _Linear]]:
        """Weight and bias for queries; for keys and for values."""
        attention = self.multihead_attn
        weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
        query, key, value = zip(weights, biases, strict=True)
        return query, (key, value)


Projected = tuple[Tensor, Tensor]
_Linear = tuple[Tensor, Tensor]


def _heads(x: Tensor) -> Tensor:
    """(B, N, dim) to (B, heads, N, dim / heads)."""
    return x.unflatten(2, (ATTENTION_HEADS, -1)).transpose(1, 2)


def sinusoidal_position_code(cells_x: int, cells_y: int, cells_z: int, dim: int) -> Tensor:
    """(T, dim) sine-cosine code of each cell, x slowest, z fastest.

    A third of the channels for each axis, sine and cosine interleaved, wavelengths up to 10000 * 2 pi
    (Vaswani et al., 2017, extended to three axes). Thirds are rounded up to an even number, and what
    goes beyond `dim` is cut off.
    """
    per_axis = 2 * -(-dim // 6)
    # On the processor even while a network is laid out without memory: there PyTorch would load its compiler for this.
    frequencies = 10000.0 ** (-torch.arange(0, per_axis, 2, dtype=torch.float32, device="cpu") / per_axis)
    code = torch.zeros(cells_x, cells_y, cells_z, 3 * per_axis, device="cpu")
    for axis, cells in enumerate((cells_x, cells_y, cells_z)):
        angles = torch.arange(cells, dtype=torch.float32, device="cpu")[:, None] * frequencies
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)
        shape = [1, 1, 1, per_axis]
        shape[axis] = cells
        code[..., axis * per_axis : (axis + 1) * per_axis] = waves.view(shape)
    return code[..., :dim].reshape(-1, dim)
