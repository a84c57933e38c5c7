"""From a scan's voxels to the network's grid: values between voxels by linear interpolation, labels by the nearest."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import NetworkGrid, network_grid

# The protocol of SAT's evaluation, and the spacing of its released models.
PROTOCOL_SPACING_MM = (1.0, 1.0, 3.0)


def on_network_grid(array: np.ndarray, grid: NetworkGrid) -> np.ndarray:
    """Voxels of a scan (or a mask) on the network's grid, by linear interpolation.

    Parameters
    ----------
    array : np.ndarray
        KJI, on `grid.scan`.
    grid : NetworkGrid
        Where the values are wanted.

    Returns
    -------
    np.ndarray
        float32, axes of `grid`.
    """
    straight = grid.tilt.straighten(array) if grid.tilt else array
    values = straight.transpose(2, 1, 0).transpose([axis.source_axis for axis in grid.axes])
    # The axis that loses most voxels first, so that the others have less to do.
    for axis in sorted(range(3), key=lambda axis: grid.axes[axis].size / values.shape[axis]):
        mapping = grid.axes[axis]
        values = interpolate_axis(values, axis, mapping.to_source(np.arange(mapping.size)))
    return np.ascontiguousarray(values, np.float32)


def labels_on_network_grid(array: np.ndarray, grid: NetworkGrid) -> np.ndarray:
    """A mask or label map on the network's grid: each voxel is the nearest one of the scan.

    Parameters
    ----------
    array : np.ndarray
        KJI, on `grid.scan`.
    grid : NetworkGrid
        Where the labels are wanted.

    Returns
    -------
    np.ndarray
        Of the same type, axes of `grid`.
    """
    straight = grid.tilt.straighten_labels(array) if grid.tilt else array
    oriented = straight.transpose(2, 1, 0).transpose([axis.source_axis for axis in grid.axes])
    nearest = []
    for mapping, size in zip(grid.axes, oriented.shape, strict=True):
        # Counted from the oriented scan's first voxel, and a tie goes to the even voxel, as in MONAI's `Spacing`, which
        # SAT's references went through. Rounded first: a header's last digit is not to decide a tie.
        pace = abs(mapping.step)
        flipped = mapping.step < 0
        begin = (size - 1 - mapping.start if flipped else mapping.start) - pace * mapping.first
        places = np.rint(np.round(round(begin, 6) + pace * (mapping.first + np.arange(mapping.size)), 4))
        places = np.clip(places, 0, size - 1).astype(np.intp)
        nearest.append(size - 1 - places if flipped else places)
    return oriented[np.ix_(*nearest)]


def protocol_mask(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """A mask of a scan on SAT's own grid: RAS, 1 x 1 x 3 mm, each voxel that of the nearest one in the scan.

    Parameters
    ----------
    mask : np.ndarray
        np.ndarray
        bool, KJI, on `grid`.

    Returns
    -------
    np.ndarray
        bool, axes R-L, P-A, I-S; spacing `PROTOCOL_SPACING_MM`.

    Raises
    ------
    GeometryError
        See `check_affine`.
    """
    return labels_on_network_grid(mask, network_grid(grid, "RAS", PROTOCOL_SPACING_MM, "sat"))


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
