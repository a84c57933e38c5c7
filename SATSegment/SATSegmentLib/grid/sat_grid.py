"""The grid that SAT's own preprocessing makes of a scan, which is not always the one that keeps the first voxel.

SAT's inference orients and respaces scans with MONAI (`Orientationd`, `Spacingd`; 1.1.0 to 1.6.1 alike). MONAI keeps
the first voxel of the oriented scan only where that is the lowest corner along all three new axes, within 1e-8 voxels;
otherwise it centres the new grid on the old one. A header in single precision decides that by its rounding: most
oblique scans are centred, straight ones are kept. MONAI's arithmetic is repeated here step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.affine import spacing_mm
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.orientation import Orientation, orient

# MONAI's own: how far below the first voxel another corner may be, and from where on spacings or grids count as one.
_LOWEST_CORNER_VOXELS = 1e-8
_SAME = 1e-3


@dataclass(frozen=True, eq=False)
class SatGrid:
    """The grid of SAT's own preprocessing, before the crop to the foreground.

    Attributes
    ----------
    shape : tuple of int
        Voxels along the oriented axes.
    ijk_to_ras : np.ndarray
        4x4 affine.
    sources : tuple of int
        Which of the scan's IJK axes each oriented axis is.
    flips : tuple of bool
        Whether it runs the other way.
    to_oriented : np.ndarray
        4x4, from its indices to those of the oriented scan; not quite diagonal where the header is rounded.
    unchanged : bool
        Whether the oriented scan is taken as it is, because it lies on this grid.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray
    sources: tuple[int, ...]
    flips: tuple[bool, ...]
    to_oriented: np.ndarray
    unchanged: bool

    def oriented(self, array: np.ndarray) -> np.ndarray:
        """A scan's voxels (KJI) along the oriented axes."""
        turned = array.transpose(2, 1, 0).transpose(self.sources)
        return np.flip(turned, tuple(axis for axis, flip in enumerate(self.flips) if flip))


def sat_grid(scan: Grid, orientation: Orientation, spacing: tuple[float, float, float]) -> SatGrid:
    """What MONAI's `Orientation` and `Spacing` make of a scan's grid.

    Parameters
    ----------
    scan : Grid
        With the affine as the header gives it, to the last digit: another rounding can give another grid.
    orientation : Orientation
        Axis order, or "native" for the scan's own.
    spacing : tuple of float
        Millimetres along the oriented axes.
    """
    sources, flips = orient(scan.ijk_to_ras, orientation)
    shape = np.array([scan.shape_kji[2 - source] for source in sources])
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for column, (source, flip) in enumerate(zip(sources, flips, strict=True)):
        turn[source, column] = -1 if flip else 1
        turn[source, 3] = shape[column] - 1 if flip else 0
    oriented = scan.ijk_to_ras @ turn
    affine = np.eye(4)
    own = spacing_mm(oriented)
    # A spacing that is all but the wanted one stays as it is, to the last digit.
    wanted = np.where(np.abs(own - spacing) <= _SAME, own, spacing)
    affine[:3, :3] = _respaced(oriented[:3, :3], wanted)
    corners = np.array(np.meshgrid(*((0.0, size - 1.0) for size in shape), indexing="ij")).reshape(3, -1)
    corners = np.concatenate([corners, np.ones_like(corners[:1])])
    places = (np.linalg.solve(affine, oriented) @ corners)[:3]
    size = np.round(np.ptp(places, axis=1) + 1.0)
    lowest = next(
        (n for n in range(8) if np.all(np.abs((places - places[:, n : n + 1]).min(axis=1)) <= _LOWEST_CORNER_VOXELS)),
        None,
    )
    if lowest is None:
        affine[:3, 3] = oriented[:3, :3] @ (shape / 2) + oriented[:3, 3] - affine[:3, :3] @ (size / 2)
    else:
        affine[:3, 3] = (oriented @ corners)[:3, lowest]
    to_oriented = np.linalg.solve(oriented, affine)
    same = np.array_equal(size, shape) and (
        np.allclose(oriented, affine, atol=_SAME) or np.allclose(to_oriented, np.eye(4), atol=_SAME)
    )
    i, j, k = (int(n) for n in size)
    return SatGrid((i, j, k), affine, tuple(sources), tuple(flips), to_oriented, bool(same))


def _respaced(axes: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Axes at right angles with the new spacing: the first one's direction stays, the second one's plane."""
    upper = np.linalg.cholesky(axes.T @ axes).T
    rotation = axes @ np.linalg.inv(upper)
    return rotation @ np.diag(spacing)


def straight_steps(grid: SatGrid, straight: Grid) -> np.ndarray | None:
    """4x4 from the grid's indices to those of a straight scan; None where they are turned against each other."""
    steps = np.linalg.solve(straight.ijk_to_ras, grid.ijk_to_ras)
    along = np.zeros((3, 3))
    for column, source in enumerate(grid.sources):
        along[source, column] = steps[source, column]
    # Off a scan's axes by less than a tenth of a degree, as any scan may be (Docs/tolerances.md).
    off = np.abs((steps[:3, :3] - along) * spacing_mm(straight.ijk_to_ras)[:, None]) / spacing_mm(grid.ijk_to_ras)
    return steps if off.max() <= 2e-3 else None
