"""The 48 orders in which the axes of one array can be stored."""

from __future__ import annotations

import itertools

import numpy as np

ORDERS = [
    (axes, flips) for axes in itertools.permutations(range(3)) for flips in itertools.product((False, True), repeat=3)
]


def reordered(
    array_kji: np.ndarray, ijk_to_world: np.ndarray, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The same voxels with other axes: new KJI axis n is old axis `axes[n]`, turned round where `flips[n]`."""
    turned = np.flip(array_kji.transpose(axes), [n for n, flip in enumerate(flips) if flip])
    affine = np.array(ijk_to_world, float)
    new = affine.copy()
    for n, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        column = affine[:3, 2 - axis]
        new[:3, 2 - n] = -column if flip else column
        if flip:
            new[:3, 3] += column * (array_kji.shape[axis] - 1)
    return turned, new
