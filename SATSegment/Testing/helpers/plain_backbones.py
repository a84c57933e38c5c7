"""U-Mamba and SwinUNETR once more, as plainly as possible, in float64 and from a released file's own tensors.

Written from the structure's description and not from the product's modules: three input channels, no folding, no
slabs, the scan as a loop over voxels, attention window by window with masks counted cell by cell. Slow; for tests.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def plain_encoding(state: State, window: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Encoder maps, finest decoder map and image tokens (B, T, dim) of windows (B, 1, X, Y, Z), all float64.

    Parameters
    ----------
    state : dict of str to Tensor
        As in a released file, names without `module.`.
    window : Tensor
        One channel, repeated here to the three of the reference.
    """
    state = {key: one.double() for key, one in state.items() if one.is_floating_point()}
    x = window.double().repeat(1, 3, 1, 1, 1)
    is_swin = any("swinViT" in key for key in state)
    levels, finest = (_swinunetr if is_swin else _umamba)(state, x)
    cells = levels[-1].shape[2:]
    pooled = torch.cat([F.adaptive_avg_pool3d(level, cells) for level in levels], dim=1)
    tokens = pooled.flatten(2).transpose(1, 2)
    for layer in (0, 2):
        name = f"projection_layer.{layer}"
        tokens = F.gelu(tokens @ state[f"{name}.weight"].T + state[f"{name}.bias"])
    return levels, finest, tokens


def _conv_norm(state: State, key: str, x: Tensor, stride: int | Sequence[int] = 1) -> Tensor:
    kernel = state[f"{key}.conv.weight"]
    y = F.conv3d(x, kernel, state.get(f"{key}.conv.bias"), stride, padding=kernel.shape[2] // 2)
    mean = y.mean((2, 3, 4), keepdim=True)
    y = (y - mean) / torch.sqrt(((y - mean) ** 2).mean((2, 3, 4), keepdim=True) + 1e-5)
    if f"{key}.norm.weight" in state:
        y = y * state[f"{key}.norm.weight"][:, None, None, None] + state[f"{key}.norm.bias"][:, None, None, None]
    return y


def _leaky(x: Tensor) -> Tensor:
    return torch.where(x >= 0, x, 0.01 * x)


def _residual(state: State, key: str, x: Tensor, skip_key: str, stride: Sequence[int] = (1, 1, 1)) -> Tensor:
    y = _conv_norm(state, f"{key}.conv2", _leaky(_conv_norm(state, f"{key}.conv1", x, stride)))
    skip = F.avg_pool3d(x, list(stride), list(stride)) if max(stride) > 1 else x
    if f"{key}.{skip_key}.conv.weight" in state:
        skip = _conv_norm(state, f"{key}.{skip_key}", skip)
    return _leaky(y + skip)


def _umamba(state: State, x: Tensor) -> tuple[list[Tensor], Tensor]:
    encoder, decoder = "backbone.encoder", "backbone.decoder"
    stages = 1 + max(int(key.split(".")[3]) for key in state if key.startswith(f"{encoder}.stages."))
    mambas = 1 + max(int(key.split(".")[3]) for key in state if key.startswith(f"{encoder}.mamba_layers."))
    strides = [(1, 1, 1)]
    strides += [tuple(state[f"{decoder}.transpconvs.{i}.weight"].shape[2:]) for i in reversed(range(stages - 1))]
    x = _leaky(_conv_norm(state, f"{encoder}.stem.convs.0", x))
    levels = []
    for stage, stride in enumerate(strides):
        # Where the block strides, the average is the skip's first layer, and the convolution its second.
        skip = "skip.1" if max(stride) > 1 else "skip.0"
        x = _residual(state, f"{encoder}.stages.{stage}.blocks.0", x, skip, stride)
        if stage >= stages - mambas:
            x = _mamba(state, f"{encoder}.mamba_layers.{stage - stages + mambas}", x)
        levels.append(x)
    for step in range(stages - 1):
        key = f"{decoder}.transpconvs.{step}"
        kernel = state[f"{key}.weight"]
        up = F.conv_transpose3d(x, kernel, state[f"{key}.bias"], stride=tuple(kernel.shape[2:]))
        x = _residual(state, f"{decoder}.stages.{step}.blocks.0", torch.cat((up, levels[-2 - step]), 1), "skip.0")
    return levels, x


def _mamba(state: State, key: str, x: Tensor) -> Tensor:
    """The layer's output in place of the map."""
    out = torch.empty_like(x)
    for number, one in enumerate(x):
        sequence = one.flatten(1).T  # the third axis fastest
        norm = F.layer_norm(sequence, sequence.shape[1:], state[f"{key}.norm.weight"], state[f"{key}.norm.bias"])
        out[number] = plain_mamba(_below(state, f"{key}.mamba."), norm).T.view(one.shape)
    return out


def _below(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def plain_mamba(layer: State, sequence: Tensor) -> Tensor:
    """A Mamba block over (L, C), step by step."""
    hidden, states = layer["A_log"].shape
    rank = layer["dt_proj.weight"].shape[1]
    projected = sequence @ layer["in_proj.weight"].T
    inputs, gate = projected[:, :hidden], projected[:, hidden:]
    taps = layer["conv1d.weight"][:, 0]
    state, outputs, past = torch.zeros(hidden, states, dtype=sequence.dtype), [], []
    for t in range(len(sequence)):
        past.append(inputs[t])
        x = layer["conv1d.bias"].clone()
        for back in range(taps.shape[1]):
            if t - back >= 0:
                x = x + taps[:, -1 - back] * past[t - back]
        x = x * torch.sigmoid(x)
        mixed = layer["x_proj.weight"] @ x
        b, c = mixed[rank : rank + states], mixed[rank + states :]
        delta = torch.log1p(torch.exp(layer["dt_proj.weight"] @ mixed[:rank] + layer["dt_proj.bias"]))
        state = torch.exp(delta[:, None] * -torch.exp(layer["A_log"])) * state + (delta * x)[:, None] * b
        y = state @ c + layer["D"] * x
        outputs.append(y * gate[t] * torch.sigmoid(gate[t]))
    return torch.stack(outputs) @ layer["out_proj.weight"].T


def _swinunetr(state: State, x: Tensor) -> tuple[list[Tensor], Tensor]:
    encoder = "backbone.encoder"
    maps = [torch.stack(level) for level in zip(*(_swin(state, f"{encoder}.swinViT", one) for one in x), strict=True)]
    levels = [_residual(state, f"{encoder}.encoder{n}.layer", one, "conv3") for n, one in enumerate((x, *maps), 1)]
    y = levels[-1]
    for number in range(len(levels) - 1, 0, -1):
        key = f"backbone.decoder{number}"
        up = F.conv_transpose3d(y, state[f"{key}.transp_conv.conv.weight"], stride=2)
        y = _residual(state, f"{key}.conv_block", torch.cat((up, levels[number - 1]), 1), "conv3")
    return levels, y


def _swin(state: State, key: str, window: Tensor) -> list[Tensor]:
    """Maps (C, X, Y, Z) of one window (3, X, Y, Z)."""
    patch = f"{key}.patch_embed.proj"
    cells = F.conv3d(window[None], state[f"{patch}.weight"], state[f"{patch}.bias"], 2)[0].permute(1, 2, 3, 0)
    maps = [_unweighted_norm(cells)]
    stage = 1
    while f"{key}.layers{stage}.0.downsample.norm.weight" in state:
        block = 0
        while f"{key}.layers{stage}.0.blocks.{block}.norm1.weight" in state:
            cells = _swin_block(state, f"{key}.layers{stage}.0.blocks.{block}", cells, block % 2 == 1)
            block += 1
        cells = _merging(state, f"{key}.layers{stage}.0.downsample", cells)
        maps.append(_unweighted_norm(cells))
        stage += 1
    return maps


def _unweighted_norm(cells: Tensor) -> Tensor:
    return F.layer_norm(cells, cells.shape[-1:]).permute(3, 0, 1, 2)


def _norm(state: State, key: str, cells: Tensor) -> Tensor:
    return F.layer_norm(cells, cells.shape[-1:], state[f"{key}.weight"], state[f"{key}.bias"], 1e-5)


def _linear(state: State, key: str, x: Tensor) -> Tensor:
    bias = state.get(f"{key}.bias")
    return x @ state[f"{key}.weight"].T + (0 if bias is None else bias)


def _swin_block(state: State, key: str, cells: Tensor, shifted: bool) -> Tensor:
    sides = cells.shape[:3]
    window = [min(side, 7) for side in sides]
    shift = [3 if shifted and side > 7 else 0 for side in sides]
    whole = [-(-side // one) * one for side, one in zip(sides, window, strict=True)]
    padded = torch.zeros(*whole, cells.shape[3], dtype=cells.dtype)
    padded[: sides[0], : sides[1], : sides[2]] = _norm(state, f"{key}.norm1", cells)
    rolled = torch.roll(padded, [-one for one in shift], (0, 1, 2))
    attended = torch.empty_like(rolled)
    for corner in itertools.product(*(range(0, side, one) for side, one in zip(whole, window, strict=True))):
        place = tuple(slice(low, low + one) for low, one in zip(corner, window, strict=True))
        regions = [_region(place[axis], whole[axis], window[axis], shift[axis]) for axis in range(3)]
        names = [region for region in itertools.product(*regions)]
        lines = rolled[place].flatten(0, 2)
        attended[place] = _attention(state, f"{key}.attn", lines, names).view(rolled[place].shape)
    back = torch.roll(attended, shift, (0, 1, 2))[: sides[0], : sides[1], : sides[2]]
    cells = cells + back
    hidden = F.gelu(_linear(state, f"{key}.mlp.linear1", _norm(state, f"{key}.norm2", cells)))
    return cells + _linear(state, f"{key}.mlp.linear2", hidden)


def _region(place: slice, whole: int, window: int, shift: int) -> list[int]:
    """Which of three stretches of a shifted axis each cell of a window lies in; all in one where nothing is shifted."""
    if not shift:
        return [0] * (place.stop - place.start)
    return [0 if i < whole - window else 1 if i < whole - shift else 2 for i in range(place.start, place.stop)]


def _attention(state: State, key: str, lines: Tensor, regions: list[tuple[int, ...]]) -> Tensor:
    """Attention among the cells of one window."""
    count, width = lines.shape
    table = state[f"{key}.relative_position_bias_table"]
    heads = table.shape[1]
    query, keys, values = _linear(state, f"{key}.qkv", lines).view(count, 3, heads, width // heads).permute(1, 2, 0, 3)
    rows = _bias_rows()[:count, :count]
    numbers = torch.tensor([9 * a + 3 * b + c for a, b, c in regions])
    apart = torch.where(numbers[:, None] == numbers, 0.0, -100.0)
    scores = (query / math.sqrt(width // heads)) @ keys.transpose(1, 2) + table[rows].permute(2, 0, 1) + apart
    mixed = torch.softmax(scores, -1) @ values
    return _linear(state, f"{key}.proj", mixed.transpose(0, 1).reshape(count, width))


@cache
def _bias_rows() -> Tensor:
    """Rows of the bias table for the offsets between cells of a window of 7 x 7 x 7.

    A smaller window takes those of as many first cells, whatever its own sides are.
    """
    cells = list(itertools.product(range(7), repeat=3))
    return torch.tensor(
        [[sum((a - b + 6) * 13**n for a, b, n in zip(p, q, (2, 1, 0), strict=True)) for q in cells] for p in cells]
    )


def _merging(state: State, key: str, cells: Tensor) -> Tensor:
    order = ["000", "100", "010", "001", "101", "010", "001", "111"]
    parts = [cells[int(a) :: 2, int(b) :: 2, int(c) :: 2] for a, b, c in order]
    return _linear(state, f"{key}.reduction", _norm(state, f"{key}.norm", torch.cat(parts, -1)))
