"""Values between voxels, one axis at a time."""

from __future__ import annotations

import numpy as np

# Closer than this to a voxel's centre is on it: where grids agree, only rounding lies between.
_ON_VOXEL = 1e-6


def interpolate_axis(array: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Linear interpolation of `array` along one axis at fractional positions; borders repeat outwards.

    Returns float32 with `len(positions)` entries along `axis`.
    """
    last = array.shape[axis] - 1
    inside = np.clip(positions, 0, last)
    nearest = np.rint(inside)
    if np.abs(inside - nearest).max(initial=0) < _ON_VOXEL:
        return array.take(nearest.astype(np.intp), axis=axis).astype(np.float32, copy=False)
    lower = np.minimum(np.floor(inside).astype(np.intp), max(last - 1, 0))
    weight = (inside - lower).astype(np.float32)
    shape = [1] * array.ndim
    shape[axis] = -1
    weight = weight.reshape(shape)
    low = array.take(lower, axis=axis).astype(np.float32, copy=False)
    high = array.take(lower + 1, axis=axis).astype(np.float32, copy=False)
    high -= low
    high *= weight
    high += low
    return high
