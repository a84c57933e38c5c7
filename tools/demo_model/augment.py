"""Random heads from few: shape, contrast, artefacts, resolution and field of view.

Contrast randomisation after SynthSeg (Billot et al., Medical Image Analysis, 2023): intensities drawn per tissue
from the label map, here blended with the real image, because the scans this model is for are T1 too.
Everything is seeded by one number, so that a training can be resumed, and repeated, head by head.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from heads import OUTSIDE_BRAIN, Head
from structures import mirrored
from torch import Tensor

# What a head is put on before its field of view is cut, in millimetres.
_CANVAS_MM = (192, 231, 249)


def random_head(
    head: Head, seed: int, spacing_mm: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random variation of a head: image (X, Y, Z) float32 >= 0 and twice label codes (X, Y, Z) int64.

    The first codes are those at the voxels' centres. The second are those at a random point of each voxel: a network
    trained on them learns what share of the voxel a structure fills, which keeps thin ones when its probabilities are
    interpolated to a finer grid.
    """
    generator = torch.Generator().manual_seed(seed)
    dice = _Dice(generator)
    image, codes, shares = _deform(head, dice, spacing_mm)
    if dice.chance(0.5):
        image = image.flip(0)
        codes, shares = (_swap_sides(each.flip(0), head.labels) for each in (codes, shares))
    outside = torch.from_numpy(np.isin(head.labels, OUTSIDE_BRAIN))[codes]
    image = _contrast(image, codes, head.labels, dice)
    image = _outside_brain(image, outside, dice)
    image = _scanner(image, dice)
    box = _field_of_view(image, outside, dice)
    cut = [each[box].contiguous().numpy() for each in (image, codes, shares)]
    return cut[0], cut[1], cut[2]


class _Dice:
    """Short words for seeded chance."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def chance(self, probability: float) -> bool:
        return bool(torch.rand(1, generator=self.generator) < probability)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)

    def integer(self, below: int) -> int:
        return int(torch.randint(below, (1,), generator=self.generator))


def _deform(head: Head, dice: _Dice, spacing_mm: tuple[float, float, float]) -> tuple[Tensor, Tensor, Tensor]:
    """Rotate, scale, shear and bend the head, onto the canvas at the network's spacing."""
    angles = dice.normal(3) * torch.tensor([0.14, 0.08, 0.08])
    scale = torch.exp(dice.normal(3) * 0.06 + dice.normal(1) * 0.08)
    shear = dice.normal(3) * 0.04
    matrix = (
        _rotation(angles) @ torch.diag(scale) @ (torch.eye(3) + torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]]) * shear)
    )
    canvas = [round(side / step) for side, step in zip(_CANVAS_MM, spacing_mm, strict=True)]
    axes = [(torch.arange(n) - (n - 1) / 2) * step for n, step in zip(canvas, spacing_mm, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) @ matrix.T
    bend = dice.normal(1, 3, 6, 7, 7) * dice.uniform(0, 3.5)
    fine = dice.normal(1, 3, 11, 13, 13) * dice.uniform(0, 1.6)
    for field in (bend, fine):
        smooth = F.interpolate(field, size=canvas, mode="trilinear", align_corners=True)
        points = points + smooth[0].permute(1, 2, 3, 0)
    extent = torch.tensor(
        [(n - 1) / 2 * float(step) for n, step in zip(head.image.shape, head.spacing_mm, strict=True)]
    )
    image = _sample(torch.from_numpy(head.image), points / extent, "bilinear")
    labels = torch.from_numpy(head.codes).float()
    elsewhere = points + (dice.rand(*points.shape) - 0.5) * torch.tensor(spacing_mm)
    return image, *(_sample(labels, at / extent, "nearest").long() for at in (points, elsewhere))


def _sample(volume: Tensor, at: Tensor, mode: str) -> Tensor:
    """Values of (X, Y, Z) at relative positions (..., 3) in -1..1; grid_sample wants the last axis first."""
    return F.grid_sample(volume[None, None], at.flip(-1)[None], mode=mode, align_corners=True)[0, 0]


def _rotation(angles: Tensor) -> Tensor:
    x, y, z = angles.tolist()
    rotation = torch.eye(3)
    for first, second, angle in ((1, 2, x), (0, 2, y), (0, 1, z)):
        turn = torch.eye(3)
        turn[first, first] = turn[second, second] = float(np.cos(angle))
        turn[first, second], turn[second, first] = -float(np.sin(angle)), float(np.sin(angle))
        rotation = rotation @ turn
    return rotation


def _swap_sides(codes: Tensor, labels: np.ndarray) -> Tensor:
    """Left labels become right ones and the reverse, as a mirrored head needs."""
    partner = [int(np.searchsorted(labels, mirrored(int(label)))) for label in labels]
    return torch.tensor(partner)[codes]


def _contrast(image: Tensor, codes: Tensor, labels: np.ndarray, dice: _Dice) -> Tensor:
    """Other tissue contrasts, equal on both sides."""
    tissue = torch.tensor([int(np.searchsorted(labels, min(int(label), mirrored(int(label))))) for label in labels])
    if dice.chance(0.12):
        means, spreads = dice.rand(len(labels)), 0.01 + 0.09 * dice.rand(len(labels))
        means[0] *= float(dice.chance(0.3))
        made = means[tissue][codes] + spreads[tissue][codes] * dice.normal(*image.shape)
        weight = dice.uniform(0.3, 1.0)
        image = (1 - weight) * image + weight * _blur(made, dice.uniform(0.3, 0.7)).clamp(min=0)
    elif dice.chance(0.6):
        shift = dice.normal(len(labels)) * 0.05
        shift[0] = 0
        image = (image + _blur(shift[tissue][codes], 0.5)).clamp(min=0)
    if dice.chance(0.7):
        image = image.clamp(min=0) ** float(torch.exp(dice.normal(1) * 0.2))
    return image


def _outside_brain(image: Tensor, outside: Tensor, dice: _Dice) -> Tensor:
    """Skull and scalp brighter, darker, or gone, as after skull stripping."""
    if dice.chance(0.1):
        brain = (~outside).float()[None, None]
        margin = 1 + 2 * dice.integer(3)
        near = F.max_pool3d(brain, margin, stride=1, padding=margin // 2)[0, 0]
        return image * near
    if dice.chance(0.4):
        return torch.where(outside, image * dice.uniform(0.2, 1.5), image)
    return image


def _scanner(image: Tensor, dice: _Dice) -> Tensor:
    """Bias field, thick slices, blur, noise, and a background that was cut off."""
    if dice.chance(0.7):
        field = dice.normal(1, 1, 4, 4, 4) * dice.uniform(0.05, 0.3)
        image = image * torch.exp(F.interpolate(field, size=image.shape, mode="trilinear", align_corners=True)[0, 0])
    if dice.chance(0.6):
        size = list(image.shape)
        axis = dice.integer(3)
        size[axis] = round(size[axis] / dice.uniform(1.0, 1.6))
        thick = F.interpolate(image[None, None], size=size, mode="area")
        image = F.interpolate(thick, size=image.shape, mode="trilinear", align_corners=False)[0, 0]
    if dice.chance(0.4):
        image = _blur(image, dice.uniform(0.3, 0.8))
    if dice.chance(0.7):
        image = (image + dice.normal(*image.shape) * dice.uniform(0, 0.05)).abs()
    if dice.chance(0.6):
        image = torch.where(image < dice.uniform(0.02, 0.2), torch.zeros(()), image)
    return image


def _field_of_view(image: Tensor, outside: Tensor, dice: _Dice) -> tuple[slice, ...]:
    """Cut the scan short: often from below, sometimes from the other sides, rarely into the brain."""
    box = []
    for axis in range(3):
        used = _extent(~outside, axis)
        low, high = 0, image.shape[axis]
        if dice.chance(0.4 if axis == 2 else 0.15):
            low = int(dice.uniform(0, used[0] + (5 if dice.chance(0.2) else 0)))
        if dice.chance(0.15):
            high = int(dice.uniform(used[1] - (5 if dice.chance(0.2) else 0), high)) + 1
        box.append(slice(low, max(high, low + 32)))
    return tuple(box)


def _extent(mask: Tensor, axis: int) -> tuple[int, int]:
    others = [other for other in range(3) if other != axis]
    used = torch.nonzero(mask.any(dim=others[1]).any(dim=others[0]))[:, 0]
    return int(used[0]), int(used[-1])


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, `sigma` in voxels, up to one voxel."""
    taps = torch.exp(-0.5 * (torch.arange(-2, 3) / sigma) ** 2)
    taps = taps / taps.sum()
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[axis + 2] = 5
        padding = [0, 0, 0]
        padding[axis] = 2
        image = F.conv3d(image[None, None], taps.view(shape), padding=padding)[0, 0]
    return image
