"""A Mamba layer over the voxels of a map (Gu and Dao, 2023; Ma et al., "U-Mamba", 2024), in float32 throughout."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.umamba.scan import kept_bytes, selective_scan
from SATSegmentLib.sat.backbones.umamba.spec import EXPANSION, STATES, TAPS, WIDTH_OVER_RANK
from SATSegmentLib.sat.workers import side_by_side

# Numbers of a hidden channel in each of the pieces of a sequence that are computed at once.
_PIECE = 1 << 17
# Step sizes that a training starts from.
_STEPS = (1e-3, 1e-1)
# Tensors of the hidden width, and of the states, that a layer has at once: counted, see the test of `layer_bytes`.
_HIDDEN_AT_ONCE, _STATES_AT_ONCE = 13, 6


def layer_bytes(width: int, length: int, workers: int) -> int:
    """What a layer takes beside its map and its weights, without gradients."""
    hidden = EXPANSION * width
    columns = hidden * _HIDDEN_AT_ONCE + STATES * _STATES_AT_ONCE
    return 4 * length * columns + kept_bytes(length, hidden, STATES, workers)


class MambaLayer(nn.Module):
    """A norm and a Mamba; what comes out replaces the map, without a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mamba = Mamba(width)

    def forward(self, voxels: Tensor) -> Tensor:
        """(B, C, X, Y, Z) to the same, in its precision; voxels are a sequence with Z fastest."""
        # Half precision is switched off here: the steps are exponents of a long recurrence.
        with torch.autocast(voxels.device.type, enabled=False):
            sequences = voxels.flatten(2).transpose(1, 2)
            replaced = torch.stack([self._replaced(sequence) for sequence in sequences])
        return replaced.transpose(1, 2).unflatten(2, voxels.shape[2:]).to(voxels.dtype)

    def _replaced(self, sequence: Tensor) -> Tensor:
        if torch.is_grad_enabled() or sequence.device.type != "cpu":
            return self.mamba(self.norm(sequence.float()))
        return self.mamba.in_pieces(sequence, self.norm)


class Mamba(nn.Module):
    """Two halves of a projection: one passes a short convolution and the selective scan, the other gates it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden, self._rank = EXPANSION * width, -(-width // WIDTH_OVER_RANK)
        self.in_proj = nn.Linear(width, 2 * hidden, bias=False)
        self.conv1d = nn.Conv1d(hidden, hidden, TAPS, groups=hidden, padding=TAPS - 1)
        self.x_proj = nn.Linear(hidden, self._rank + 2 * STATES, bias=False)
        self.dt_proj = nn.Linear(self._rank, hidden)
        self.A_log = nn.Parameter(torch.zeros(hidden, STATES))
        self.D = nn.Parameter(torch.ones(hidden))
        self.out_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, sequence: Tensor) -> Tensor:
        """(L, C) to the same."""
        before = sequence.new_zeros(TAPS - 1, sequence.shape[1])
        x, steps, b, c, gate = self._before_scan(torch.cat((before, sequence)))
        return self._after_scan(self._scan(x, steps, b, c), x, gate)

    def in_pieces(self, sequence: Tensor, norm: nn.Module) -> Tensor:
        """The same of a sequence (L, C) still to be normalised: pieces of it side by side, without gradients."""
        length, width = sequence.shape
        each = max(_PIECE // (EXPANSION * width), 1)
        starts = range(0, length, each)

        def before(start: int, _: None) -> tuple[Tensor, ...]:
            seen = norm(sequence[max(start - TAPS + 1, 0) : start + each].float())
            missing = max(TAPS - 1 - start, 0)
            return self._before_scan(F.pad(seen, (0, 0, missing, 0)))

        pieces = side_by_side(starts, before)
        x, steps, b, c = (torch.cat(parts) for parts in list(zip(*pieces, strict=True))[:4])
        y = self._scan(x, steps, b, c)
        done = side_by_side(
            zip(y.split(each), pieces, strict=True), lambda item, _: self._after_scan(item[0], item[1][0], item[1][4])
        )
        return torch.cat(done)

    def _before_scan(self, sequence: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Inputs, step sizes, ways in, ways out and gates of the scan; the first `TAPS` - 1 rows are only looked at."""
        hidden, gate = self.in_proj(sequence).chunk(2, dim=1)
        count = len(sequence) - TAPS + 1
        # Causal: the last tap is the present.
        taps = self.conv1d.weight[:, 0].T
        x = torch.addcmul(self.conv1d.bias, hidden[:count], taps[0])  # type: ignore[arg-type]
        for tap in range(1, TAPS):
            x = torch.addcmul(x, hidden[tap : tap + count], taps[tap])
        x = F.silu(x)
        rank, b, c = self.x_proj(x).split((self._rank, STATES, STATES), dim=1)
        return x, F.softplus(self.dt_proj(rank)), b, c, gate[TAPS - 1 :]

    def _scan(self, x: Tensor, steps: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return selective_scan(x, steps, -torch.exp(self.A_log), b, c)

    def _after_scan(self, y: Tensor, x: Tensor, gate: Tensor) -> Tensor:
        return self.out_proj((y + self.D * x) * F.silu(gate))

    def init_weights(self) -> None:
        """Draw the weights a training starts from: decays of 1 to 16, and steps from a thousandth to a tenth."""
        with torch.no_grad():
            self.A_log.copy_(torch.arange(1, STATES + 1).log().expand_as(self.A_log))
            self.D.fill_(1)
            low, high = (math.log(step) for step in _STEPS)
            steps = torch.exp(low + (high - low) * torch.rand_like(self.dt_proj.bias))
            self.dt_proj.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # what softplus makes them of
            bound = self._rank**-0.5
            self.dt_proj.weight.uniform_(-bound, bound)
