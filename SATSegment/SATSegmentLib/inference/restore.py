"""From a probability map in the network's grid to a mask in the scan's own grid.

The probability is interpolated and then thresholded, not the mask: a thresholded 3 mm mask would come back
as stairs. Only the part of the scan around voxels above the threshold is ever computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.box import bounding_box
from SATSegmentLib.grid.network_grid import AxisMap, NetworkGrid, orient
from SATSegmentLib.grid.resample import interpolate_axis


@dataclass(frozen=True, eq=False)
class RestoredMask:
    """A mask in the scan's grid, cropped.

    Attributes
    ----------
    mask: bool, KJI; shape (0, 0, 0) where nothing passed the threshold.
    offset_kji: place of its first voxel in the scan.
    mean_probability: over the mask's voxels; 0 where there are none.
    """

    mask: np.ndarray
    offset_kji: tuple[int, int, int]
    mean_probability: float


NOTHING = RestoredMask(np.zeros((0, 0, 0), dtype=bool), (0, 0, 0), 0.0)


def restore(probability: np.ndarray, grid: NetworkGrid, threshold: float) -> RestoredMask:
    """Bring a probability map (float32, axes of `grid`) back to the scan and threshold it there."""
    box = bounding_box(probability > threshold)
    if box is None:
        return NOTHING
    # Linear interpolation exceeds the threshold at most one voxel away from one that does.
    near = tuple(
        slice(max(part.start - 1, 0), min(part.stop + 1, size))
        for part, size in zip(box, probability.shape, strict=True)
    )
    values, starts = probability[near], [0, 0, 0]
    for axis, mapping in enumerate(grid.axes):
        source = _source_range(mapping, near[axis], grid.source_shape[mapping.source_axis])
        if not len(source):
            return NOTHING
        starts[mapping.source_axis] = int(source[0])
        values = interpolate_axis(values, axis, mapping.to_network(source) - near[axis].start)
    values_kji = values.transpose(np.argsort([mapping.source_axis for mapping in grid.axes])).transpose(2, 1, 0)
    mask = values_kji > threshold
    tight = bounding_box(mask)
    if tight is None:
        return NOTHING
    mask = np.ascontiguousarray(mask[tight])
    offset = tuple(start + part.start for start, part in zip(reversed(starts), tight, strict=True))
    return RestoredMask(mask, offset, float(values_kji[tight][mask].mean(dtype=np.float64)))


def touched_sides(restored: RestoredMask, grid: NetworkGrid) -> tuple[str, ...]:
    """The sides of the patient (R, L, A, P, S, I) on which a mask touches the scan's border."""
    if not restored.mask.size:
        return ()
    # Reorienting to RAS tells which side each end of each of the scan's axes faces.
    sources, flips = orient(grid.source_ijk_to_ras, "RAS")
    touched = []
    for low_side, high_side, source, flipped in zip("LPI", "RAS", sources, flips, strict=True):
        first = restored.offset_kji[2 - source]
        last = first + restored.mask.shape[2 - source]
        at_start, at_end = first == 0, last == grid.source_shape[source]
        if at_end if flipped else at_start:
            touched.append(low_side)
        if at_start if flipped else at_end:
            touched.append(high_side)
    return tuple(touched)


def _source_range(mapping: AxisMap, near: slice, source_size: int) -> np.ndarray:
    """Source indices whose place in the network's grid is within `near`, or half a voxel beyond the grid's ends.

    Beyond that the network saw nothing, and nothing is claimed.
    """
    low = near.start - (0.5 if near.start == 0 else 0)
    high = near.stop - 1 + (0.5 if near.stop == mapping.size else 0)
    ends = sorted((float(mapping.to_source(low)), float(mapping.to_source(high))))
    first, last = np.ceil(ends[0] - 1e-6), np.floor(ends[1] + 1e-6)
    return np.arange(max(int(first), 0), min(int(last), source_size - 1) + 1)
