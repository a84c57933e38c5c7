"""Networks of released widths with seeded weights, and a scan and prompts that make them work as real ones do."""

from __future__ import annotations

import math

import numpy as np
import torch
from bench_window import build

from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import Image

Triple = tuple[int, int, int]
SPACING = (1.0, 1.0, 3.0)


def network(model: str, window: Triple) -> SATNetwork:
    """Seeded weights; the first of the finest features is -1 everywhere, so that prompts can have a threshold."""
    return with_threshold(build(model, window))


def with_threshold(made: SATNetwork) -> SATNetwork:
    """A U-Net whose finest features' first is -1 everywhere."""
    last = made.backbone.decoder.stages[-1].convs[-1].norm
    with torch.no_grad():
        last.weight[0], last.bias[0] = 0.0, -100.0  # after the leaky ReLU: -1
    return made


def segmenter(made: SATNetwork, precision: str, cache: FeatureCache, device: str = "cpu") -> Segmenter:
    """The network as the program runs it."""
    description = ModelDescription("synthetic", made.window, SPACING)
    return Segmenter(made, description, device=device, precision=precision, cache=cache)


def shape_of(windows: Triple, window: Triple) -> Triple:
    """Voxels of a scan that so many windows along each axis cover, at half-window steps."""
    x, y, z = ((count + 1) * side // 2 for count, side in zip(windows, window, strict=True))
    return (x, y, z)


def body(shape: Triple) -> Image:
    """An ellipsoid of soft tissue with organs of different brightness in air, on the network's own grid, as CT.

    The corners are touched, so that the crop to the foreground keeps the whole grid.
    """
    axes = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32) for side in shape], indexing="ij", sparse=True)
    array = np.full(shape, -1000, np.float32)
    array[sum(axis**2 for axis in axes) < 1.6] = 40
    random = np.random.default_rng(0)
    for number in range(24):
        centre, radius = random.uniform(-0.6, 0.6, 3), random.uniform(0.08, 0.3)
        organ = sum(((axis - middle) / radius) ** 2 for axis, middle in zip(axes, centre, strict=True)) < 1
        array[organ] = 60 + 30 * number
    array[0, 0, 0] = array[-1, -1, -1] = 1
    return Image(array.transpose(2, 1, 0).astype(np.int16), np.diag((*SPACING, 1.0)))


def queries(count: int) -> np.ndarray:
    """(count, 768) seeded."""
    return np.random.default_rng(1).standard_normal((count, 768)).astype(np.float32)


def scattered(made: SATNetwork, one: Segmenter, image: Image, asked: np.ndarray, share: float) -> list[np.ndarray]:
    """For each query what to add to its mask embedding so that it finds this share of the voxels, all over the scan."""
    windows = one.windows(image, "ct")
    logits = []
    with torch.inference_mode():
        for number in range(len(windows.boxes)):
            features = windows.features(number)
            embeddings = made.embed_masks(features.tokens, torch.from_numpy(asked))[0]
            some = features.voxels[0].flatten(1)[:, :: max(math.prod(features.voxels.shape[2:]) // 4000, 1)].float()
            logits.append(embeddings @ some)
    level = torch.cat(logits, dim=1).quantile(1 - share, dim=1)
    width = made.architecture.channels
    return [np.eye(1, width, dtype=np.float32)[0] * float(value) for value in level]


def plant_organs(one: Segmenter, image: Image) -> None:
    """Put features in the place of those in memory that tell organs apart, as a trained network's do.

    Random weights scatter what a query finds over the whole scan. Here each channel but the first falls off from the
    middle of an ellipsoid, and is zero at its border: a fifth of the scan's sides long on average.
    """
    windows = one.windows(image, "ct")
    shape = np.array(windows.grid.shape)
    random = np.random.default_rng(2)
    with torch.inference_mode():
        channels = windows.features(0).voxels.shape[1]
        centres = torch.from_numpy(random.uniform(0, 1, (channels, 3)) * shape).float()
        radii = torch.from_numpy(random.uniform(0.05, 0.25, (channels, 1)) * shape).float()
        for number, box in enumerate(windows.boxes):
            voxels = windows.features(number).voxels[0].permute(1, 2, 3, 0)
            x, y, z = (
                ((torch.arange(side.start, side.stop)[:, None] - centres[:, axis]) / radii[:, axis]) ** 2
                for axis, side in enumerate(box)
            )
            for plane, across in zip(voxels, x, strict=True):
                plane.copy_((1 - (across + y[:, None] + z)).clamp_(-1, 1))


def organ_shifts(count: int, channels: int) -> list[np.ndarray]:
    """For each query what to add to its mask embedding so that it finds one planted organ and a little of another."""
    shifts = []
    for number in range(count):
        shift = np.zeros(channels, np.float32)
        shift[1 + number % (channels - 1)] = 1000
        shift[1 + (7 * number + number // channels) % (channels - 1)] += 250
        shifts.append(shift)
    return shifts
