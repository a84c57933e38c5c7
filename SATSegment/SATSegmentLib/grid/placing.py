"""Bringing a mask onto another grid: the same voxels in another order, or the nearest voxel.

Two masks are compared voxel by voxel, so they must lie on one grid. The same voxels stored in another order (flipped
or swapped axes) are put in order, which loses nothing. Anything else is refused, or resampled where the caller says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.affine import check_affine
from SATSegmentLib.grid.grid import Grid, VoxelArray

# How far two grids may be apart, in voxels, and still count as one; see Docs/tolerances.md.
SAME_PLACE_VOXELS = 0.05


@dataclass(frozen=True, eq=False)
class Placed:
    """A mask on another grid.

    Attributes
    ----------
    array : np.ndarray
        Bool, KJI.
    resampled : bool
        Whether voxels had to be resampled (nearest neighbour) rather than only put in order.
    outside : float
        Share of the mask's volume that lies outside the grid and is lost.
    """

    array: np.ndarray
    resampled: bool = False
    outside: float = 0.0


def place(mask: VoxelArray, target: Grid, *, resample: bool = False) -> Placed:
    """Bring a bool mask onto the target grid.

    Raises
    ------
    GeometryError
        The grids differ and `resample` is not set, or a grid is not usable at all.
    """
    check_affine(mask.ijk_to_ras)
    check_affine(target.ijk_to_ras)
    to_mask = np.linalg.solve(mask.ijk_to_ras, target.ijk_to_ras)
    order = _same_voxels(to_mask, target, mask)
    if order is not None:
        axes, flips = order
        turned = mask.array.transpose(2, 1, 0).transpose(axes)
        turned = np.flip(turned, tuple(axis for axis, flip in enumerate(flips) if flip))
        return Placed(turned.transpose(2, 1, 0))
    if not resample:
        raise GeometryError(
            f"The masks lie on different grids: {target}, and {Grid.of(mask)}"
            + (" in another place." if str(target) == str(Grid.of(mask)) else "."),
            "Export them on the same grid, or add --resample to bring them onto the reference's grid (nearest voxel).",
        )
    return Placed(_nearest(mask, target), resampled=True, outside=_share_outside(mask, target))


def same_place(one: Grid, other: Grid) -> bool:
    """Whether two grids of one shape have their voxels at the same places, index by index."""
    apart = (np.linalg.solve(one.ijk_to_ras, other.ijk_to_ras) - np.eye(4)) @ _corners(one.shape_kji[::-1])
    return one.shape_kji == other.shape_kji and bool(np.abs(apart).max() <= SAME_PLACE_VOXELS)


def _corners(shape_ijk: Sequence[int]) -> np.ndarray:
    """(4, 8) homogeneous indices of a grid's corner voxels."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float).T
    corners[:3] *= np.array(shape_ijk)[:, None] - 1
    return corners


def _same_voxels(to_mask: np.ndarray, target: Grid, mask: VoxelArray) -> tuple[list[int], list[bool]] | None:
    """How to order the mask's IJK axes to get the target's, where both hold the same voxels; otherwise None."""
    axes = [int(np.argmax(np.abs(to_mask[:3, column]))) for column in range(3)]
    if sorted(axes) != [0, 1, 2]:
        return None
    shape, source = np.array(target.shape_kji[::-1]), np.array(mask.array.shape[::-1])
    if not np.array_equal(source[axes], shape):
        return None
    flips = [bool(to_mask[axis, column] < 0) for column, axis in enumerate(axes)]
    expected = np.zeros((4, 4))
    expected[3, 3] = 1
    for column, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        expected[axis, column] = -1 if flip else 1
        expected[axis, 3] = source[axis] - 1 if flip else 0
    apart = np.abs((to_mask - expected) @ _corners(shape.tolist())).max()
    return (axes, flips) if apart <= SAME_PLACE_VOXELS else None


def _nearest(mask: VoxelArray, target: Grid) -> np.ndarray:
    """Slice by slice, for any two affines; nothing outside of the mask's own grid."""
    to_mask = np.linalg.solve(mask.ijk_to_ras, target.ijk_to_ras)
    slices, rows, columns = target.shape_kji
    in_plane = to_mask[:3, 0, None, None] * np.arange(columns) + to_mask[:3, 1, None, None] * np.arange(rows)[:, None]
    limits = np.array(mask.array.shape[::-1])[:, None, None]
    placed = np.zeros(target.shape_kji, bool)
    for k in range(slices):
        places = np.rint(in_plane + (to_mask[:3, 2] * k + to_mask[:3, 3])[:, None, None]).astype(np.intp)
        inside = np.all((places >= 0) & (places < limits), axis=0)
        placed[k][inside] = mask.array[tuple(places[::-1, inside])]
    return placed


def _share_outside(mask: VoxelArray, target: Grid) -> float:
    places = np.argwhere(mask.array)[:, ::-1]
    if not len(places):
        return 0.0
    to_target = np.linalg.solve(target.ijk_to_ras, mask.ijk_to_ras)
    there = places @ to_target[:3, :3].T + to_target[:3, 3]
    limits = np.array(target.shape_kji[::-1]) - 0.5
    return float(1 - np.all((there > -0.5) & (there < limits), axis=1).mean())
