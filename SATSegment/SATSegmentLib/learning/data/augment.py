"""Random changes to a window: the shape by one affine map, the intensities one after another.

The kinds are SAT's, and work as MONAI's transforms of these names do: RandZoom, RandGaussianNoise,
RandGaussianSharpen, RandScaleIntensity, RandAdjustContrast (Cardoso et al., arXiv:2211.02701); contrast on the
inverted image is nnU-Net's (Isensee et al., Nature Methods, 2021). All chance comes from the generator that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from SATSegmentLib.grid.box import Box
from SATSegmentLib.learning.data.recipe import Augmentation


@dataclass(frozen=True, eq=False)
class Shape:
    """An affine map about a window's centre.

    Attributes
    ----------
    matrix : np.ndarray
        3x3, from an offset to the centre of the window, in voxels, to the offset in the case.
    """

    matrix: np.ndarray


def random_shape(chances: Augmentation, rng: np.random.Generator, spacing: tuple[float, float, float]) -> Shape | None:
    """A zoom, a rotation, both, or None. Angles are real ones: the axes' spacing is taken into account."""
    matrix = np.eye(3)
    if rng.random() < chances.zoom:
        matrix /= rng.uniform(*chances.zoom_range)
    if rng.random() < chances.rotation:
        angles = np.deg2rad(rng.uniform(-chances.rotation_degrees, chances.rotation_degrees, 3))
        millimetres = np.diag(spacing)
        matrix = np.linalg.solve(millimetres, _rotation(angles) @ millimetres) @ matrix
    return None if np.array_equal(matrix, np.eye(3)) else Shape(matrix)


class Resampler:
    """Reads a window of a case through an affine map; built once, used for the image and each mask.

    Parameters
    ----------
    shape : Shape
        The map.
    box : Box
        The window in the case, before the map; its centre stays where it is.
    case_shape : tuple[int, int, int]
        Voxels of the case.
    window : tuple[int, int, int]
        Voxels of the result, as many as the box or more on the high side.
    """

    def __init__(self, shape: Shape, box: Box, case_shape: tuple[int, int, int], window: tuple[int, int, int]) -> None:
        sizes = np.array(box.shape)
        centre = np.array(box.offset) + (sizes - 1) / 2
        axes = [
            np.arange(side, dtype=np.float32) - np.float32((size - 1) / 2)
            for side, size in zip(window, sizes, strict=True)
        ]
        matrix = shape.matrix.astype(np.float32)
        self._places = [
            (row[0] * axes[0])[:, None, None]
            + (row[1] * axes[1])[None, :, None]
            + (row[2] * axes[2])[None, None, :]
            + np.float32(middle)
            for row, middle in zip(matrix, centre, strict=True)
        ]
        limits = [np.float32(size - 0.5) for size in case_shape]
        self.inside = np.ones(window, bool)
        for place, limit in zip(self._places, limits, strict=True):
            self.inside &= (place >= -0.5) & (place < limit)
        self.source = _covering(self._places, case_shape)

    def image(self, voxels: np.ndarray) -> np.ndarray:
        """Linear interpolation of the voxels of `source`; zero outside the case."""
        grid = [
            2 * (place - side.start) / max(side.stop - side.start - 1, 1) - 1
            for place, side in zip(self._places, self.source, strict=True)
        ]
        # grid_sample wants the last axis first.
        at = torch.from_numpy(np.stack(grid[::-1], axis=-1))[None]
        found = F.grid_sample(
            torch.from_numpy(voxels)[None, None], at, mode="bilinear", padding_mode="border", align_corners=True
        )
        return found[0, 0].numpy() * self.inside

    def mask(self, voxels: np.ndarray) -> np.ndarray:
        """The nearest voxel of `source`; False outside the case."""
        return voxels.ravel().take(self._nearest) & self.inside

    @cached_property
    def _nearest(self) -> np.ndarray:
        """For each voxel of the window the number of the nearest one of `source`."""
        number = np.zeros(self.inside.shape, np.intp)
        for place, side in zip(self._places, self.source, strict=True):
            size = side.stop - side.start
            number *= size
            number += np.clip(np.rint(place).astype(np.intp) - side.start, 0, size - 1)
        return number


def change_intensity(
    image: np.ndarray, inside: np.ndarray, chances: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Sharpen, scale, change the contrast and add noise, each by chance; what is not `inside` the scan stays zero."""
    if not inside.any():
        return image
    if rng.random() < chances.sharpen:
        image = _sharpen(image, rng)
    if rng.random() < chances.scale:
        image = image * np.float32(1 + rng.uniform(-chances.scale_range, chances.scale_range))
    if rng.random() < chances.contrast_inverted:
        image = -_contrast(-image, inside, rng.uniform(*chances.gamma))
    if rng.random() < chances.contrast:
        image = _contrast(image, inside, rng.uniform(*chances.gamma))
    if rng.random() < chances.noise:
        deviation = np.float32(rng.uniform(0, chances.noise_std))
        image = image + deviation * rng.standard_normal(image.shape, dtype=np.float32)
    return np.where(inside, image, np.float32(0))


def _rotation(angles: np.ndarray) -> np.ndarray:
    rotation = np.eye(3)
    for (first, second), angle in zip(((1, 2), (0, 2), (0, 1)), angles, strict=True):
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ turn
    return rotation


def _covering(places: list[np.ndarray], case_shape: tuple[int, int, int]) -> Box:
    """The part of the case that the places lie in, with the neighbours interpolation needs."""
    sides = []
    for place, size in zip(places, case_shape, strict=True):
        low = int(np.clip(np.floor(place.min()), 0, size - 1))
        high = int(np.clip(np.ceil(place.max()), low, size - 1))
        sides.append(slice(low, high + 1))
    return Box(sides)


def _sharpen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add what a blur takes away, several times over."""
    sigmas = rng.uniform(0.5, 1.0, 3)
    blurred = _blur(image, sigmas)
    twice = _blur(blurred, rng.uniform(0.5, sigmas))
    return blurred + np.float32(rng.uniform(10, 30)) * (blurred - twice)


def _blur(image: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Gaussian blur, `sigmas` in voxels, cut off at four of them; the border is repeated."""
    # In NumPy, not as a convolution of torch's, whose last digits depend on the number of threads.
    for axis, sigma in enumerate(sigmas):
        reach = int(4 * sigma + 0.5)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        taps /= taps.sum()
        padded = np.pad(image, [(reach, reach) if each == axis else (0, 0) for each in range(3)], mode="edge")
        size = image.shape[axis]
        image = np.zeros_like(image)
        for place, tap in enumerate(taps.astype(np.float32)):
            index = [slice(None)] * 3
            index[axis] = slice(place, place + size)
            image += tap * padded[tuple(index)]
    return image


def _contrast(image: np.ndarray, inside: np.ndarray, gamma: float) -> np.ndarray:
    """Raise the intensities, as a share of their range inside the scan, to a power."""
    low, high = image[inside].min(), image[inside].max()
    if not high > low:
        return image
    share = np.clip((image - low) / (high - low), 0, 1)
    return (share ** np.float32(gamma) * (high - low) + low).astype(np.float32)
