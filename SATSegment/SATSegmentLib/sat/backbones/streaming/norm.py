"""Instance norm of a map that is never seen as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE
from SATSegmentLib.sat.backbones.streaming.scripted import scripted

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

    def activate_pieces(self, pieces: Sequence[tuple[Tensor, Tensor]], into: Tensor) -> None:
        """Normalise and activate voxels, each piece into its place in `into`, which they fill."""
        if into.device.type == "cpu" and into.dtype == torch.float32:
            seen, places = [voxels for voxels, _ in pieces], [place for _, place in pieces]
            _activate(seen, places, self.scale, self.shift, into, NEGATIVE_SLOPE)
            return
        for voxels, place in pieces:
            self.apply(voxels, place)
        F.leaky_relu_(into, NEGATIVE_SLOPE)

    def apply(self, voxels: Tensor, into: Tensor) -> Tensor:
        """The same without the activation."""
        # CUDA's kernels widen what they read and narrow what they write, in one pass over memory.
        if into.dtype == torch.float32 or into.is_cuda:
            if voxels.dtype != into.dtype and not into.is_cuda:
                voxels = into.copy_(voxels)
            torch.addcmul(self.shift.view(-1, 1, 1, 1), voxels, self.scale.view(-1, 1, 1, 1), out=into)
        elif into.device.type == "cpu":
            # Voxels that do not lie side by side take ten times as long: those of a plane do.
            for seen, made in zip(voxels.split(1, dim=2), into.split(1, dim=2), strict=True):
                self._apply_in_half_precision(seen.contiguous(memory_format=torch.channels_last_3d), made)
        else:
            self._apply_in_half_precision(voxels, into)
        return into

    def _apply_in_half_precision(self, voxels: Tensor, into: Tensor) -> None:
        zero, one = torch.zeros_like(self.scale), torch.ones_like(self.scale)
        if into.device.type == "cpu" and into.is_contiguous(memory_format=torch.channels_last_3d):
            out = (into, zero[:0], zero[:0])  # no statistics
            torch.native_batch_norm(voxels, self.scale, self.shift, zero, one, False, 0.0, 0.0, out=out)
        else:
            into.copy_(F.batch_norm(voxels, zero, one, self.scale, self.shift, eps=0.0))


@scripted
def _activate(
    voxels: list[Tensor], places: list[Tensor], scale: Tensor, shift: Tensor, into: Tensor, slope: float
) -> None:
    scale, shift = scale.view(-1, 1, 1, 1), shift.view(-1, 1, 1, 1)
    for number, place in enumerate(places):
        seen = voxels[number]
        if seen.dtype != place.dtype:
            seen = place.copy_(seen)
        torch.addcmul(shift, seen, scale, out=place)
    torch.nn.functional.leaky_relu_(into, slope)


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

    @classmethod
    def joined(cls, parts: Iterable[Moments]) -> Moments:
        """Of all that several have seen."""
        whole = cls()
        for part in parts:
            whole._counts += part._counts
            whole._voxels += part._voxels
            whole._means += part._means
            whole._variances += part._variances
        return whole

    def add(self, slab: Tensor) -> None:
        """Take in (1, C, planes, Y, Z)."""
        if slab.device.type != "cpu":
            self._take(slab, slab[0, 0].numel(), slab[0, 0].numel())
            return
        for piece in slab.permute(0, 2, 3, 4, 1).reshape(-1, slab.shape[1]).split(_PIECE):
            self.add_padded(piece, len(piece))

    def add_padded(self, rows: Tensor, voxels: int) -> None:
        """Take in (N, C), of which `voxels` rows are voxels and all others zeros."""
        column = rows.view(1, len(rows), 1, 1, rows.shape[1]).permute(0, 4, 1, 2, 3)
        self._take(column, len(rows), voxels)

    def _take(self, piece: Tensor, count: int, voxels: int) -> None:
        mean, variance = mean_and_variance(piece)
        self._counts.append(count)
        self._voxels.append(voxels)
        self._means.append(mean)
        self._variances.append(variance)

    def norm(self, layer: nn.InstanceNorm3d) -> Norm:
        """The norm that `layer` makes of what was seen."""
        # Merged where the map is: to ask a GPU for numbers is to wait for all its work. Apple's GPUs know no float64.
        device = self._means[0].device
        place = torch.device("cpu") if device.type == "mps" else device
        means, variances = (torch.stack(column).to(place, torch.float64) for column in (self._means, self._variances))
        counts = torch.tensor(self._counts, dtype=torch.float64).to(place, non_blocking=True)[:, None]
        voxels = torch.tensor(self._voxels, dtype=torch.float64).to(place, non_blocking=True)[:, None]
        # What the zeros have added: sums stay, so that the mean grows, and squares about a mean move with it.
        squares = variances * counts - means.square() * counts * (counts - voxels) / voxels
        means *= counts / voxels
        total = sum(self._voxels)
        mean = (means * voxels).sum(dim=0) / total
        variance = (squares + (means - mean).square() * voxels).sum(dim=0) / total
        return norm_of(mean, variance, layer, device)


def norm_of(mean: Tensor, variance: Tensor, layer: nn.InstanceNorm3d, device: torch.device) -> Norm:
    """The norm that `layer` makes of a map with these statistics, (C,) in float64."""
    scale = 1 / torch.sqrt(variance.clamp(min=0) + layer.eps)
    if layer.affine:
        scale = layer.weight.detach().to(scale) * scale
    shift = -mean * scale
    if layer.affine:
        shift += layer.bias.detach().to(shift)
    return Norm(scale.float().to(device), shift.float().to(device))


def mean_and_variance(voxels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel of (1, C, X, Y, Z), in float32: on a CPU or with CUDA in one pass that makes no copy."""
    if voxels.device.type in ("cpu", "cuda"):
        # torch.var_mean does the same, but takes twenty times as long on a CPU, and gives its answer in half precision.
        return torch.batch_norm_update_stats(voxels, None, None, 0.0)
    variance, mean = torch.var_mean(voxels.float(), dim=(0, 2, 3, 4), correction=0)
    return mean, variance
