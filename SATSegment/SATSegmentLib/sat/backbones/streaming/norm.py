"""Instance norm of a map that is never seen as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE

# Voxels that are summed one by one in float32; further sums are float64.
_PIECE = 8192


@dataclass(frozen=True, eq=False)
class Norm:
    """An instance norm and its activation, known but not applied yet: leaky_relu(x * scale + shift)."""

    scale: Tensor
    shift: Tensor

    def activate(self, voxels: Tensor, into: Tensor) -> Tensor:
        """Normalise and activate (1, C, planes, Y, Z); scale and shift stay in float32 whatever the slab."""
        return F.leaky_relu_(self.apply(voxels, into), NEGATIVE_SLOPE)

    def apply(self, voxels: Tensor, into: Tensor) -> Tensor:
        """The same without the activation."""
        if into.dtype == torch.float32:
            if voxels.dtype != into.dtype:
                voxels = into.copy_(voxels)
            torch.addcmul(self.shift.view(-1, 1, 1, 1), voxels, self.scale.view(-1, 1, 1, 1), out=into)
        else:
            zero, one = torch.zeros_like(self.scale), torch.ones_like(self.scale)
            into.copy_(F.batch_norm(voxels, zero, one, self.scale, self.shift, eps=0.0))
        return into


class Moments:
    """Mean and variance per channel of a map that is seen piece by piece.

    Pieces are merged in float64 (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979); sums of squares alone would lose the variance where a mean is large.
    """

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._voxels: list[int] = []  # those of a count that are not padding
        self._means: list[Tensor] = []
        self._variances: list[Tensor] = []

    def add(self, slab: Tensor) -> None:
        """Take in (1, C, planes, Y, Z)."""
        for piece in slab.permute(0, 2, 3, 4, 1).reshape(-1, slab.shape[1]).split(_PIECE):
            self.add_padded(piece, len(piece))

    def add_padded(self, rows: Tensor, voxels: int) -> None:
        """Take in (N, C), of which `voxels` rows are voxels and all others zeros."""
        mean, variance = _mean_and_variance(rows)
        self._counts.append(len(rows))
        self._voxels.append(voxels)
        self._means.append(mean)
        self._variances.append(variance)

    def norm(self, layer: nn.InstanceNorm3d) -> Norm:
        """The norm that `layer` makes of what was seen."""
        means, variances = torch.stack(self._means).cpu().double(), torch.stack(self._variances).cpu().double()
        counts = torch.tensor(self._counts, dtype=torch.float64)[:, None]
        voxels = torch.tensor(self._voxels, dtype=torch.float64)[:, None]
        # What the zeros have added: sums stay, so that the mean grows, and squares about a mean move with it.
        squares = variances * counts - means.square() * counts * (counts - voxels) / voxels
        means *= counts / voxels
        mean = (means * voxels).sum(dim=0) / voxels.sum()
        variance = (squares + (means - mean).square() * voxels).sum(dim=0) / voxels.sum()
        scale = 1 / torch.sqrt(variance.clamp_(min=0) + layer.eps)
        if layer.affine:
            scale = layer.weight.detach().cpu().double() * scale
        shift = -mean * scale
        if layer.affine:
            shift += layer.bias.detach().cpu().double()
        device = self._means[0].device
        return Norm(scale.float().to(device), shift.float().to(device))


def _mean_and_variance(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Of each column of (voxels, C), in float32."""
    if rows.device.type != "cpu":
        variance, mean = torch.var_mean(rows.float(), dim=0, correction=0)
        return mean, variance
    # torch.var_mean does the same, but takes twenty times as long.
    column = rows.view(1, len(rows), 1, 1, rows.shape[1]).permute(0, 4, 1, 2, 3)
    mean, variance = torch.batch_norm_update_stats(column, None, None, 0.0)
    return mean, variance
