"""Instance norm of a map that is never seen as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from SATSegmentLib.sat.backbones.blocks import NEGATIVE_SLOPE
from SATSegmentLib.sat.backbones.streaming.scripted import scripted

# Voxels that are summed one by one in float32; further sums are float64.
_PIECE = 8192
# Of voxels that one operation after the other is applied to: what stays in a core's own cache.
_CACHED_BYTES = 1 << 18


@dataclass(frozen=True, eq=False)
class Norm:
    """An instance norm and its activation, known but not applied yet: leaky_relu(x * scale + shift)."""

    scale: Tensor
    shift: Tensor

    def activate(self, voxels: Tensor, into: Tensor) -> Tensor:
        """Normalise and activate (1, C, planes, Y, Z); scale and shift stay in float32 whatever the slab."""
        if into.device.type == "cpu":
            _activate_pieces([voxels], [into], self.parts, into)
        else:
            F.leaky_relu_(self.apply(voxels, into), NEGATIVE_SLOPE)
        return into

    def apply(self, voxels: Tensor, into: Tensor) -> Tensor:
        """The same without the activation."""
        # CUDA's kernels widen what they read and narrow what they write, in one pass over memory.
        if into.dtype == torch.float32 or into.is_cuda:
            if voxels.dtype != into.dtype and not into.is_cuda:
                voxels = into.copy_(voxels)
            torch.addcmul(self.shift.view(-1, 1, 1, 1), voxels, self.scale.view(-1, 1, 1, 1), out=into)
        elif into.device.type == "cpu":
            _activate_pieces([voxels], [into], self.parts, into, 1.0)
        else:
            scale, shift, zero, one = self.parts
            into.copy_(F.batch_norm(voxels, zero, one, scale, shift, eps=0.0))
        return into

    @cached_property
    def parts(self) -> list[Tensor]:
        """Scale and shift, and the mean and variance of what a batch norm need not normalise."""
        return [self.scale, self.shift, torch.zeros_like(self.scale), torch.ones_like(self.scale)]


def activate_pieces(
    voxels: list[Tensor],
    places: list[Tensor],
    norm: list[Tensor],
    into: Tensor,
    slope: float = NEGATIVE_SLOPE,
    cached: int = _CACHED_BYTES,
) -> None:
    """On a CPU: normalise and activate voxels (1, C, planes, rows, Z), each piece into its place in `into`.

    Together the places fill `into`. `norm` is `Norm.parts`. For TorchScript, as all that it calls.
    """
    scale, shift = norm[0].view(-1, 1, 1, 1), norm[1].view(-1, 1, 1, 1)
    for number, place in enumerate(places):
        seen = voxels[number]
        if into.dtype != torch.float32:
            lines, made = seen.permute(0, 2, 3, 4, 1)[0], place.permute(0, 2, 3, 4, 1)[0]
            _activate_in_half_precision(lines, made, norm, slope, cached)
        else:
            if seen.dtype != place.dtype:
                seen = place.copy_(seen)
            torch.addcmul(shift, seen, scale, out=place)
    if into.dtype == torch.float32:
        torch.nn.functional.leaky_relu_(into, slope)


_activate_pieces = scripted(activate_pieces)


def _activate_in_half_precision(seen: Tensor, place: Tensor, norm: list[Tensor], slope: float, cached: int) -> None:
    """Normalise and activate lines (planes, rows, Z, C).

    Batch norm, which widens half precision within its one pass, takes ten times as long for voxels that do not lie side
    by side. In a map those of a plane do, and so do all of a border that was kept.
    """
    if seen.is_contiguous() and place.is_contiguous():
        _activate_side_by_side(seen, place, norm, slope, cached)
    elif seen.size(1) > 1 and seen[0].is_contiguous() and place[0].is_contiguous():
        for plane in range(seen.size(0)):
            _activate_side_by_side(seen[plane], place[plane], norm, slope, cached)
    else:
        made = torch.empty(seen.size(), dtype=place.dtype)
        seen = seen if seen.is_contiguous() else made.copy_(seen)
        _activate_side_by_side(seen, made, norm, slope, cached)
        place.copy_(made)


def _activate_side_by_side(voxels: Tensor, into: Tensor, norm: list[Tensor], slope: float, cached: int) -> None:
    """The same where all voxels lie side by side: so many at a time that they are activated in the cache."""
    scale, shift, zero, one = norm
    channels = scale.size(0)
    seen, made, nothing = voxels.view(-1, channels), into.view(-1, channels), zero[:0]
    lines = max(cached // (channels * into.element_size()), 1)
    parts = max((seen.size(0) + lines // 2) // lines, 1)
    for part in range(parts):
        first, last = seen.size(0) * part // parts, seen.size(0) * (part + 1) // parts
        some = made[first:last]
        torch.ops.aten.native_batch_norm(
            seen[first:last],
            scale,
            shift,
            zero,
            one,
            False,
            0.0,
            0.0,
            out=some,
            save_mean=nothing,
            save_invstd=nothing,
        )
        if slope != 1.0:
            torch.nn.functional.leaky_relu_(some, slope)


class Moments:
    """Mean and variance per channel of a map that is seen piece by piece.

    Pieces are merged in float64 (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979); sums of squares alone would lose the variance where a mean is large.
    """

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._voxels: list[int] = []  # those of a count that are not padding
        self._means: list[Tensor] = []  # (pieces, C), as variances
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
            self._take(slab)
            return
        for piece in slab.permute(0, 2, 3, 4, 1).reshape(-1, slab.shape[1]).split(_PIECE):
            self._take(piece[None, :, None, None].permute(0, 4, 1, 2, 3))

    def add_seen(self, means: Tensor, variances: Tensor, count: int, voxels: Sequence[int]) -> None:
        """Take in (pieces, C) of what others have seen: `count` rows each, of which so many are voxels."""
        self._counts += [count] * len(voxels)
        self._voxels += voxels
        self._means.append(means)
        self._variances.append(variances)

    def _take(self, piece: Tensor) -> None:
        count = piece[0, 0].numel()
        mean, variance = mean_and_variance(piece)
        self.add_seen(mean[None], variance[None], count, [count])

    def norm(self, layer: nn.InstanceNorm3d) -> Norm:
        """The norm that `layer` makes of what was seen."""
        # Merged where the map is: to ask a GPU for numbers is to wait for all its work. Apple's GPUs know no float64.
        device = self._means[0].device
        place = torch.device("cpu") if device.type == "mps" else device
        means, variances = (torch.cat(column).to(place, torch.float64) for column in (self._means, self._variances))
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
