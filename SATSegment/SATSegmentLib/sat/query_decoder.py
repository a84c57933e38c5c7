"""The half of SAT that sees the prompts: DETR decoder layers without self-attention, and the tokens' position code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.workers import on_cores

# Not in any tensor's shape: the released networks all use eight heads.
ATTENTION_HEADS = 8


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
        return on_cores(list(self.layers), lambda layer, _: layer.project(keys, tokens), tokens.device)  # type: ignore[operator]

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
    # On the CPU even while a network is laid out without memory: there PyTorch would load its compiler for this.
    frequencies = 10000.0 ** (-torch.arange(0, per_axis, 2, dtype=torch.float32, device="cpu") / per_axis)
    code = torch.zeros(cells_x, cells_y, cells_z, 3 * per_axis, device="cpu")
    for axis, cells in enumerate((cells_x, cells_y, cells_z)):
        angles = torch.arange(cells, dtype=torch.float32, device="cpu")[:, None] * frequencies
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)
        shape = [1, 1, 1, per_axis]
        shape[axis] = cells
        code[..., axis * per_axis : (axis + 1) * per_axis] = waves.view(shape)
    return code[..., :dim].reshape(-1, dim)
