"""The selective scan of Mamba (Gu and Dao, 2023), in plain PyTorch.

    h[t] = exp(step[t] * a) * h[t - 1] + step[t] * b[t] * x[t]        y[t] = sum over states of c[t] * h[t]

The sequence is cut into pieces that are walked through side by side, twice: first each from zero, for the state it ends
in; then, when the state that each begins in is known, for its outputs. Nothing is ever divided by a running product,
which underflows: a state decays to nothing within a few dozen steps.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from SATSegmentLib.sat.workers import side_by_side

# States (pieces times channels times states of a channel) that are walked at once: they stay in the CPU's cache.
_AT_ONCE = 1 << 17


def selective_scan(x: Tensor, steps: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Outputs (L, D) float32.

    Parameters
    ----------
    x : Tensor
        (L, D) inputs.
    steps : Tensor
        (L, D) positive step sizes.
    a : Tensor
        (D, N) negative rates of decay.
    b, c : Tensor
        (L, N) how inputs enter the states, and how states are read.
    """
    length = len(x)
    count = max(math.isqrt(length), 1)
    each = -(-length // count)
    # Steps of no size at the end change no state.
    x, steps, b, c = (_pieces(one.float(), count, each) for one in (x, steps, b, c))
    channels = max(_AT_ONCE // (count * a.shape[1]), 1)
    items = zip((steps * x).split(channels, 2), steps.split(channels, 2), a.float().split(channels), strict=True)
    if torch.is_grad_enabled():
        # What is computed in between is L * D * N numbers: computed again on the way back instead of being kept.
        parts = [checkpoint(_scan, *item, b, c, use_reentrant=False) for item in items]
    elif x.device.type != "cpu":
        parts = [_scan(*item, b, c) for item in items]
    else:
        parts = side_by_side(items, lambda item, _: _scan(*item, b, c))
    return torch.cat(parts, dim=2).transpose(0, 1).flatten(0, 1)[:length]


def kept_bytes(length: int, channels: int, states: int, workers: int) -> int:
    """What the exponentials take that a scan on so many workers keeps from its first walk to its second."""
    together = min(max(_AT_ONCE // (max(math.isqrt(length), 1) * states), 1), channels)
    return 4 * length * states * min(workers * together, channels)


def _pieces(sequence: Tensor, count: int, each: int) -> Tensor:
    """(L, C) to (steps of a piece, pieces, C)."""
    padded = F.pad(sequence, (0, 0, 0, count * each - len(sequence)))
    return padded.view(count, each, -1).transpose(0, 1).contiguous()


def _scan(inputs: Tensor, steps: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Outputs (T, K, D) of K pieces of T steps; `inputs` are scaled by the steps."""
    rates = a.T  # channels innermost: what is added up over states stays apart in memory
    state = inputs.new_zeros(inputs.shape[1], *rates.shape)
    decays = []
    for step, entering, gate in zip(steps, inputs, b, strict=True):
        # Of all that is computed, exponentials take longest: kept for the second walk.
        decays.append(torch.exp(step[:, None] * rates))
        state = torch.addcmul(decays[-1] * state, entering[:, None], gate[..., None])
    state = torch.stack(_begun(state, torch.exp(steps.sum(dim=0)[:, None] * rates)))
    outputs = []
    for decay, entering, gate, reading in zip(decays, inputs, b, c, strict=True):
        state = torch.addcmul(decay * state, entering[:, None], gate[..., None])
        outputs.append(torch.bmm(reading[:, None], state)[:, 0])
    return torch.stack(outputs)


def _begun(ends: Tensor, decays: Tensor) -> list[Tensor]:
    """The states (N, D) that pieces begin in, from those that each ends in when it begins in zeros."""
    starts = [torch.zeros_like(ends[0])]
    for end, kept in zip(ends[:-1], decays, strict=False):
        starts.append(kept * starts[-1] + end)
    return starts
