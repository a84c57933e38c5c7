"""A scan's voxels on the grid of SAT's own preprocessing, rounded as MONAI rounds them on the way.

Where a network voxel lies on a voxel of the scan, MONAI gives its neighbours a weight of about 1e-15, or 1e-8 in an
oblique scan, and its crop to the foreground counts every value above zero. So the box around the foreground depends on
how numbers were rounded, and the same PyTorch functions must be called in the same way. Takes about 40 bytes for each
voxel of the grid.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from SATSegmentLib.grid.sat_grid import SatGrid


def reference_resample(array: np.ndarray, grid: SatGrid) -> np.ndarray:
    """Linear interpolation with repeated borders, computed in float64.

    Parameters
    ----------
    array : np.ndarray
        KJI, of the scan.
    grid : SatGrid
        Where the values are wanted.

    Returns
    -------
    np.ndarray
        float32, axes of `grid`.
    """
    oriented = grid.oriented(array)
    if grid.unchanged:
        return np.ascontiguousarray(oriented, np.float32)
    # The reference reads scans in float32.
    source = torch.from_numpy(np.ascontiguousarray(oriented, np.float32)).double()
    theta = _normalising(oriented.shape) @ torch.from_numpy(grid.to_oriented) @ torch.inverse(_normalising(grid.shape))
    # PyTorch counts axes from the last one.
    backwards = [2, 1, 0]
    theta = theta[:3][backwards][:, [*backwards, 3]]
    places = F.affine_grid(theta[None], [1, 1, *grid.shape], align_corners=False)
    moved = F.grid_sample(source[None, None], places, mode="bilinear", padding_mode="border", align_corners=False)
    return moved[0, 0].float().numpy()


def _normalising(shape: tuple[int, ...]) -> torch.Tensor:
    """4x4 from voxel indices to the range -1..1 that PyTorch counts in, from edge to edge of the outer voxels."""
    size = torch.tensor(shape, dtype=torch.float64)
    matrix = torch.diag(torch.cat([2.0 / size, torch.ones(1, dtype=torch.float64)]))
    matrix[:3, 3] = 1.0 / size - 1.0
    return matrix
