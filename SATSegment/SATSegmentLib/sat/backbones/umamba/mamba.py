"""A Mamba layer over the voxels of a map (Gu and Dao, 2023; Ma et al., "U-Mamba", 2024), in float32 throughout."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.umamba.scan import selective_scan
from SATSegmentLib.sat.backbones.umamba.spec import EXPANSION, STATES, TAPS, WIDTH_OVER_RANK

# Step sizes that a training starts from.
_STEPS = (1e-3, 1e-1)


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
            sequences = voxels.float().flatten(2).transpose(1, 2)
            replaced = torch.stack([self.mamba(self.norm(sequence)) for sequence in sequences])
        return replaced.transpose(1, 2).unflatten(2, voxels.shape[2:]).to(voxels.dtype)


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
        x, gate = self.in_proj(sequence).chunk(2, dim=1)
        # Causal: of the padding on both sides, what lies behind the end is cut off.
        x = F.silu(self.conv1d(x.T[None])[0, :, : len(sequence)].T)
        rank, b, c = self.x_proj(x).split((self._rank, STATES, STATES), dim=1)
        steps = F.softplus(self.dt_proj(rank))
        y = selective_scan(x, steps, -torch.exp(self.A_log), b, c) + self.D * x
        return self.out_proj(y * F.silu(gate))

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
