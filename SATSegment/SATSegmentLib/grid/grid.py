"""On which grid masks are compared: the scan's own, or SAT's protocol of 1 x 1 x 3 mm.

Two masks are compared voxel by voxel, so they must lie on one grid. The same voxels stored in another order (flipped
or swapped axes) are put in order, which loses nothing. Anything else is refused, or resampled where the caller says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.network_grid import check_affine, network_grid, spacing_mm
from SATSegmentLib.types import Image

PROTOCOL_SPACING_MM = (1.0, 1.0, 3.0)
# How far two grids may be apart, in voxels, and still count as one: headers keep six to seven digits.
_SAME_PLACE = 0.05


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a scan are.

    Attributes
    ----------
    shape_kji: number of slices, rows, columns.
    ijk_to_ras: 4x4 affine.
    """

    shape_kji: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    @staticmethod
    def of(image: Image) -> Grid:
        """The grid of an image."""
        k, j, i = image.array.shape
        return Grid((k, j, i), image.ijk_to_ras)

    @property
    def spacing_kji(self) -> tuple[float, float, float]:
        """Voxel edges in millimetres, in the order of the array's axes."""
        i, j, k = spacing_mm(self.ijk_to_ras)
        return (float(k), float(j), float(i))

    def __str__(self) -> str:
        size = " x ".join(str(n) for n in reversed(self.shape_kji))
        return f"{size} voxels of {' x '.join(f'{s:.4g}' for s in reversed(self.spacing_kji))} mm"


@dataclass(frozen=True, eq=False)
class Placed:
    """A mask on another grid.

    Attributes
    ----------
    array: bool, KJI.
    resampled: whether voxels had to be resampled (nearest neighbour) rather than only put in order.
    outside: share of the mask's volume that lies outside the grid and is lost.
    """

    array: np.ndarray
    resampled: bool = False
    outside: float = 0.0


def place(mask: Image, target: Grid, *, resample: bool = False) -> Placed:
    """Bring a bool mask onto the target grid.

    Raises
    ------
    GeometryError: the grids differ and `resample` is not set, or a grid is not usable at all.
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


def protocol_mask(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """A mask of a scan on SAT's grid: RAS, 1 x 1 x 3 mm, each voxel that of the nearest one in the scan.

    Parameters
    ----------
    mask: bool, KJI, on `grid`.

    Returns
    -------
    bool, axes R-L, P-A, I-S; spacing `PROTOCOL_SPACING_MM`.

    Raises
    ------
    GeometryError: see `check_affine`.
    """
    k, j, i = grid.shape_kji
    target = network_grid((i, j, k), grid.ijk_to_ras, "RAS", PROTOCOL_SPACING_MM)
    oriented = mask.transpose(2, 1, 0).transpose([axis.source_axis for axis in target.axes])
    for axis, mapping in enumerate(target.axes):
        # Steps are counted from the oriented scan's first voxel, and a tie goes to the even step, as in MONAI's
        # `Spacing`, which SAT's references went through. Rounded first: a header's last digit is not to decide a tie.
        steps = np.rint(np.round(abs(mapping.step) * np.arange(mapping.size), 4))
        nearest = (mapping.start + np.sign(mapping.step) * steps).astype(np.intp)
        oriented = oriented.take(np.clip(nearest, 0, oriented.shape[axis] - 1), axis=axis)
    return oriented


def _same_voxels(to_mask: np.ndarray, target: Grid, mask: Image) -> tuple[list[int], list[bool]] | None:
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
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float).T
    corners[:3] *= (shape - 1)[:, None]
    return (axes, flips) if np.abs((to_mask - expected) @ corners).max() <= _SAME_PLACE else None


def _nearest(mask: Image, target: Grid) -> np.ndarray:
    import SimpleITK

    source = _to_sitk(mask.array.astype(np.uint8), mask.ijk_to_ras)
    reference = SimpleITK.Image([int(n) for n in reversed(target.shape_kji)], SimpleITK.sitkUInt8)
    _set_place(reference, target.ijk_to_ras)
    moved = SimpleITK.Resample(
        source, reference, SimpleITK.Transform(3, SimpleITK.sitkIdentity), SimpleITK.sitkNearestNeighbor, 0
    )
    return SimpleITK.GetArrayFromImage(moved).astype(bool)


def _share_outside(mask: Image, target: Grid) -> float:
    places = np.argwhere(mask.array)[:, ::-1]
    if not len(places):
        return 0.0
    to_target = np.linalg.solve(target.ijk_to_ras, mask.ijk_to_ras)
    there = places @ to_target[:3, :3].T + to_target[:3, 3]
    limits = np.array(target.shape_kji[::-1]) - 0.5
    return float(1 - np.all((there > -0.5) & (there < limits), axis=1).mean())


def _to_sitk(array_kji: np.ndarray, ijk_to_ras: np.ndarray):  # type: ignore[no-untyped-def]
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array_kji)
    _set_place(image, ijk_to_ras)
    return image


def _set_place(image, ijk_to_ras: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    """Origin, spacing and direction of a SimpleITK image, whose world is LPS."""
    ijk_to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ijk_to_ras
    lengths = spacing_mm(ijk_to_lps)
    # The nearest rotation: ITK refuses directions that a header has rounded.
    left, _, right = np.linalg.svd(ijk_to_lps[:3, :3] / lengths)
    image.SetSpacing(lengths.tolist())
    image.SetDirection((left @ right).ravel().tolist())
    image.SetOrigin(ijk_to_lps[:3, 3].tolist())
