"""From a probability map in the network's grid to a mask in the scan's own grid.

The probability is interpolated and then thresholded, not the mask: a thresholded 3 mm mask would come back
as stairs. Only the part of the scan around voxels above the threshold is ever computed.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.cropped_probability import LEAST_PROBABILITY, CroppedProbability
from SATSegmentLib.grid.network_grid import AxisMap, NetworkGrid
from SATSegmentLib.grid.resample import interpolate_axis

_NOTHING = (CroppedMask(np.zeros(0, np.uint8)), 0.0)


def restore(probability: np.ndarray, grid: NetworkGrid, threshold: float) -> tuple[CroppedMask, float]:
    """Bring a probability map back to the scan and threshold it there.

    Parameters
    ----------
    probability : np.ndarray
        float32, axes of `grid`.
    grid : NetworkGrid
        Where its voxels lie in the scan.
    threshold : float
        A voxel belongs to the mask where its probability exceeds this.

    Returns
    -------
    CroppedMask
        The mask in the scan's grid, KJI.
    float
        Mean probability over the mask's voxels; 0 where there are none.
    """
    found = _values(probability, grid, threshold)
    if found is None:
        return _NOTHING
    values, start = found
    mask = values > threshold
    cropped = CroppedMask.from_array(mask, start)
    return (cropped, float(values[mask].mean(dtype=np.float64))) if cropped else _NOTHING


def restore_probability(probability: np.ndarray, grid: NetworkGrid) -> CroppedProbability:
    """Bring a probability map back to the scan as it is; parameters as in `restore`."""
    found = _values(probability, grid, LEAST_PROBABILITY)
    return CroppedProbability.from_array(*found) if found else CroppedProbability(np.zeros((0, 0, 0), np.uint8))


def corners_that_differ(low: np.ndarray, high: np.ndarray, grid: NetworkGrid, threshold: float) -> np.ndarray:
    """Where the masks of two maps differ in the scan: the voxels of the network's grid that decide about these.

    Parameters
    ----------
    low, high : np.ndarray
        float32, axes of `grid`; `low` nowhere above `high`.
    grid, threshold
        As for `restore`.

    Returns
    -------
    np.ndarray
        bool, axes of `grid`.
    """
    corners = np.zeros(high.shape, bool)
    box = Box.around(high > threshold)
    if box is None:
        return corners
    near = box.grown(1, high.shape)
    way = _in_slices if grid.tilt else _in_scan
    (least, start), (most, _) = (way(one[near], near, grid) for one in (low, high))
    kji = np.argwhere((most > threshold) & ~(least > threshold)) + start
    steps = np.zeros((3, len(kji)))
    if grid.tilt is not None:
        steps[1:] = grid.tilt.steps[kji[:, 0]].T
    sides = []
    for mapping, size in zip(grid.axes, high.shape, strict=True):
        axis = 2 - mapping.source_axis
        place = mapping.to_network(kji[:, axis] + steps[axis]).clip(0, size - 1)
        sides.append([np.floor(place).astype(int), np.ceil(place).astype(int)])
    for corner in product(*sides):
        corners[corner] = True
    return corners


def _values(
    probability: np.ndarray, grid: NetworkGrid, threshold: float
) -> tuple[np.ndarray, tuple[int, int, int]] | None:
    """Probabilities in the scan's own voxels (KJI) around those above the threshold, and the index of the first."""
    box = Box.around(probability > threshold)
    if box is None:
        return None
    # Linear interpolation exceeds the threshold at most one voxel away from one that does.
    near = box.grown(1, probability.shape)
    return _in_slices(probability[near], near, grid) if grid.tilt else _in_scan(probability[near], near, grid)


def _in_scan(values: np.ndarray, near: Box, grid: NetworkGrid) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Probabilities (KJI) in a straight scan's own voxels, and the index of the first of them."""
    starts = [0, 0, 0]
    for axis, mapping in enumerate(grid.axes):
        source = _source_range(mapping, near[axis], grid.scan.shape_kji[2 - mapping.source_axis])
        starts[2 - mapping.source_axis] = int(source[0]) if len(source) else 0
        values = interpolate_axis(values, axis, mapping.to_network(source) - near[axis].start)
    kji = np.argsort([2 - mapping.source_axis for mapping in grid.axes])
    return values.transpose(kji), (starts[0], starts[1], starts[2])


def _in_slices(values: np.ndarray, near: Box, grid: NetworkGrid) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The same for a tilted scan: in each slice the voxels lie elsewhere."""
    assert grid.tilt is not None
    depth, row, column = np.argsort([2 - mapping.source_axis for mapping in grid.axes])
    slices = _source_range(grid.axes[depth], near[depth], grid.scan.shape_kji[0])
    values = interpolate_axis(values, depth, grid.axes[depth].to_network(slices) - near[depth].start)
    values = values.transpose(depth, row, column)
    pieces = []
    for k, piece in zip(slices, values, strict=True):
        ranges = []
        for axis, mapping in enumerate((grid.axes[row], grid.axes[column])):
            side, step = near[(row, column)[axis]], grid.tilt.steps[k, axis]
            source = _source_range(mapping, side, grid.scan.shape_kji[1 + axis], step)
            piece = interpolate_axis(piece, axis, mapping.to_network(source + step) - side.start)
            ranges.append(source)
        pieces.append((ranges, piece))
    filled = [(rows, columns) for (rows, columns), piece in pieces if piece.size]
    if not filled:
        return np.zeros((0, 0, 0), np.float32), (0, 0, 0)
    low = [min(int(one[axis][0]) for one in filled) for axis in (0, 1)]
    high = [max(int(one[axis][-1]) + 1 for one in filled) for axis in (0, 1)]
    whole = np.zeros((len(slices), high[0] - low[0], high[1] - low[1]), np.float32)
    for slab, ((rows, columns), piece) in zip(whole, pieces, strict=True):
        if piece.size:
            slab[rows[0] - low[0] : rows[-1] + 1 - low[0], columns[0] - low[1] : columns[-1] + 1 - low[1]] = piece
    return whole, (int(slices[0]), low[0], low[1])


def _source_range(mapping: AxisMap, near: slice, source_size: int, step: float = 0.0) -> np.ndarray:
    """Source indices whose place in the network's grid is within `near`, or half a voxel beyond the grid's ends.

    Beyond that the network saw nothing, and nothing is claimed.

    Parameters
    ----------
    mapping : AxisMap
        Of the straight scan.
    near : slice
        Of the network's grid.
    source_size : int
        Of the scan itself.
    step : float
        By how much a tilted slice begins after the straight scan.
    """
    low = near.start - (0.5 if near.start == 0 else 0)
    high = near.stop - 1 + (0.5 if near.stop == mapping.size else 0)
    ends = sorted((float(mapping.to_source(low)), float(mapping.to_source(high))))
    first, last = np.ceil(ends[0] - step - 1e-6), np.floor(ends[1] - step + 1e-6)
    return np.arange(max(int(first), 0), min(int(last), source_size - 1) + 1)
