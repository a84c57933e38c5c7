"""The Swin transformer of SwinUNETR: attention in shifted windows, and merging of patches (Liu et al., 2021, in 3-D).

Two things are not as the paper has them and are kept, because released weights were trained with them: a window that is
smaller than 7 cells along an axis takes its biases from the corner of the whole window's table, and merging
concatenates two of the eight neighbours twice and two never.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from SATSegmentLib.sat.backbones.swinunetr.spec import MLP_RATIO, OFFSETS, SwinUNETRSpec
from SATSegmentLib.sat.backbones.swinunetr.windows import (
    masked_alike,
    merge,
    partition,
    relative_position_index,
    window_and_shift,
)
from SATSegmentLib.sat.workers import on_cores

# Parities of the eight neighbours in the order they are concatenated in. 110 and 011 never enter.
_MERGED = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1))

# Numbers of scores, and of hidden features, that each worker holds at once.
SCORES = 1 << 22


class SwinTransformer(nn.Module):
    """A window to five maps, each half as fine as the one before; the first is at half resolution."""

    def __init__(self, spec: SwinUNETRSpec) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(spec.feature_size)
        self._stages = len(spec.depths)
        for stage, (depth, heads) in enumerate(zip(spec.depths, spec.heads, strict=True)):
            layer = nn.Sequential(SwinStage(spec.feature_size << stage, depth, heads))
            self.add_module(f"layers{stage + 1}", layer)

    def forward(self, window: Tensor) -> list[Tensor]:
        """Maps (C, X, Y, Z) of (1, X, Y, Z), each normalised over its channels."""
        cells = self.patch_embed(window)
        maps = [_normalised(cells)]
        for stage in range(self._stages):
            cells = self.get_submodule(f"layers{stage + 1}")(cells)
            maps.append(_normalised(cells))
        return maps


def _normalised(cells: Tensor) -> Tensor:
    """(X, Y, Z, C) to (C, X, Y, Z), normalised over the channels: for what leaves the transformer, not what goes on."""
    return F.layer_norm(cells, cells.shape[-1:]).permute(3, 0, 1, 2)


class PatchEmbed(nn.Module):
    """A convolution of 2x2x2 taps and stride 2. It takes one channel: a scan has one, and SAT's three are copies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(1, width, 2, 2)

    def forward(self, window: Tensor) -> Tensor:
        """(1, X, Y, Z) to cells (X/2, Y/2, Z/2, C)."""
        planes = max(SCORES // (window[0, :2].numel() * self.proj.out_channels), 1)
        slabs = window.split(2 * planes, dim=1)
        # For most widths PyTorch's own convolution rounds by how many threads share it.
        cells = on_cores(slabs, lambda slab, _: self._embed(slab), window.device)
        return cells[0] if len(cells) == 1 else torch.cat(cells)

    def _embed(self, slab: Tensor) -> Tensor:
        return self.proj(slab[None])[0].permute(1, 2, 3, 0).contiguous()


class SwinStage(nn.Module):
    """Attention blocks, every second one in shifted windows, then patch merging."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SwinBlock(width, heads, shifted=number % 2 == 1) for number in range(depth))
        self.downsample = PatchMerging(width)

    def forward(self, cells: Tensor) -> Tensor:
        """(X, Y, Z, C) to (X/2, Y/2, Z/2, 2C)."""
        for block in self.blocks:
            cells = block(cells)
        return self.downsample(cells)


class SwinBlock(nn.Module):
    """Attention within windows, then a feed-forward network; both on normalised cells, both added."""

    def __init__(self, width: int, heads: int, shifted: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)
        self._shifted = shifted

    def forward(self, cells: Tensor) -> Tensor:
        """(X, Y, Z, C) to the same."""
        x, y, z = cells.shape[:3]
        window, shift = window_and_shift((x, y, z), self._shifted)
        # Padding comes after the norm: padded cells take part as keys, and theirs are the biases.
        windows = partition(self.norm1(cells), window, shift)
        cells = cells + merge(self.attn(windows, masked_alike((x, y, z), window, shift)), (x, y, z), window, shift)
        lines = cells.flatten(0, 2)
        rows = max(SCORES // (MLP_RATIO * lines.shape[1]), 1)
        fed = on_cores(lines.split(rows), lambda part, _: _remembering_little(self._feed, part), cells.device)
        return torch.cat(fed).view_as(cells)

    def _feed(self, lines: Tensor) -> Tensor:
        return lines + self.mlp(self.norm2(lines))


class WindowAttention(nn.Module):
    """Multi-head attention among the cells of each window, with a bias for each offset."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros(OFFSETS, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self._heads = heads

    def forward(self, windows: Tensor, masks: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
        """(windows, cells, C) to the same; `masks` as `windows.masked_alike` gives them."""
        count = windows.shape[1]
        index = relative_position_index()[:count, :count].flatten().to(windows.device)
        bias = self.relative_position_bias_table[index].view(count, count, -1).permute(2, 0, 1)
        at_once = max(SCORES // (self._heads * count * count), 1)
        attend = self._attend if len(windows) <= at_once else partial(_remembering_little, self._attend)
        order, added = [], []
        for numbers, mask in masks:
            chosen = torch.from_numpy(numbers).to(windows.device).split(at_once)
            order += chosen
            added += [bias + torch.from_numpy(mask).to(bias)] * len(chosen)
        parts = on_cores(
            list(zip(order, added, strict=True)), lambda part, _: attend(windows[part[0]], part[1]), windows.device
        )
        if len(parts) == 1:
            return parts[0]
        return torch.empty_like(windows).index_copy(0, torch.cat(order), torch.cat(parts))

    def _attend(self, windows: Tensor, mask: Tensor) -> Tensor:
        qkv = self.qkv(windows).unflatten(2, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind()
        if torch.is_grad_enabled():
            # With gradients PyTorch's own takes this way, too, but first looks for rows that are masked as a whole.
            scores = torch.softmax((query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + mask, dim=-1)
            seen = scores @ value
        else:
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.proj(seen.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, MLP_RATIO * width)
        self.linear2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, lines: Tensor) -> Tensor:
        """(N, C) to the same."""
        return self.linear2(F.gelu(self.linear1(lines)))


class PatchMerging(nn.Module):
    """Eight neighbours to one cell of twice the width. Which eight, see above."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(8 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(8 * width)

    def forward(self, cells: Tensor) -> Tensor:
        """(X, Y, Z, C) to (X/2, Y/2, Z/2, 2C)."""
        neighbours = torch.cat([cells[a::2, b::2, c::2] for a, b, c in _MERGED], dim=-1)
        lines = neighbours.flatten(0, 2)
        rows = max(SCORES // lines.shape[1], 1)
        merged = on_cores(lines.split(rows), lambda part, _: self.reduction(self.norm(part)), cells.device)
        return torch.cat(merged).view(*neighbours.shape[:3], -1)


def _remembering_little(run, *arguments: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    """With gradients, what a step computes in between is computed again on the way back instead of being kept."""
    if torch.is_grad_enabled():
        return checkpoint(run, *arguments, use_reentrant=False)
    return run(*arguments)
