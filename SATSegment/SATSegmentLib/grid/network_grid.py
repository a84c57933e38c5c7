"""Where a voxel of the scan lies in the network's grid, and back, in closed form.

SAT wants its input with axes in a fixed anatomical order and a fixed spacing, cropped to the foreground.
Reorienting permutes and flips axes, respacing scales them, cropping shifts them: together one linear
function per axis, so the way back is exact and no resampled affine ever has to be guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.types import Orientation

# Which direction along the world's (R-L, A-P, S-I) axes each letter stands for, in RAS coordinates.
_LETTERS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}

# Axes further from a right angle than this (as a cosine) are sheared. Rounded header values stay far below.
_SHEAR_TOLERANCE = 5e-3


@dataclass(frozen=True)
class AxisMap:
    """One axis of the network's grid: source_index = start + step * network_index.

    Attributes
    ----------
    source_axis: axis of the scan's IJK grid that this axis runs along.
    start: source index, possibly fractional, of the network grid's first voxel.
    step: source voxels per network voxel; negative where the axis was flipped.
    size: voxels of the network grid along this axis.
    """

    source_axis: int
    start: float
    step: float
    size: int

    def to_source(self, network_index: np.ndarray | float) -> np.ndarray:
        """Source indices of network indices."""
        return self.start + self.step * np.asarray(network_index, dtype=np.float64)

    def to_network(self, source_index: np.ndarray) -> np.ndarray:
        """Network indices of source indices."""
        return (source_index - self.start) / self.step


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """The grid that the network sees of one scan.

    Attributes
    ----------
    axes: one map for each axis of the network's grid, in its order (R-L, P-A, I-S for RAS).
    source_shape: voxels of the scan, IJK.
    source_ijk_to_ras: 4x4 affine of the scan.
    """

    axes: tuple[AxisMap, AxisMap, AxisMap]
    source_shape: tuple[int, int, int]
    source_ijk_to_ras: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = (axis.size for axis in self.axes)
        return (x, y, z)

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4x4 affine of the network's grid."""
        to_source = np.zeros((4, 4))
        to_source[3, 3] = 1
        for column, axis in enumerate(self.axes):
            to_source[axis.source_axis, column] = axis.step
            to_source[axis.source_axis, 3] = axis.start
        return self.source_ijk_to_ras @ to_source

    def cropped(self, box: tuple[slice, slice, slice]) -> NetworkGrid:
        """The same grid, cut to a box of its own indices."""
        x, y, z = (
            replace(axis, start=float(axis.to_source(part.start)), size=part.stop - part.start)
            for axis, part in zip(self.axes, box, strict=True)
        )
        return replace(self, axes=(x, y, z))


def spacing_mm(ijk_to_ras: np.ndarray) -> np.ndarray:
    """Edge lengths of a voxel along i, j, k in millimetres."""
    return np.sqrt((ijk_to_ras[:3, :3] ** 2).sum(axis=0))


def check_affine(ijk_to_ras: np.ndarray) -> None:
    """Refuse a grid that masks cannot be mapped back to.

    Raises
    ------
    GeometryError: not 4x4, not finite, a voxel without extent, or sheared axes.
    """
    affine = np.asarray(ijk_to_ras)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.allclose(affine[3], (0, 0, 0, 1)):
        raise GeometryError("The scan's position in space is not a valid 4x4 matrix.", "Export the scan again.")
    lengths = spacing_mm(affine)
    if (lengths < 1e-6).any():
        raise GeometryError(
            f"The scan's voxel spacing is {_numbers(lengths)} mm; it must be above zero along each axis.",
            "Correct the spacing in the file's header, or export the scan again.",
        )
    axes = affine[:3, :3] / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise GeometryError(
            "The scan's axes are sheared (not at right angles), as after a gantry tilt or an affine registration.",
            "Resample the scan to a straight grid first; in Slicer: harden the transform, then Resample Scalar Volume.",
        )


def orient(ijk_to_ras: np.ndarray, orientation: Orientation) -> tuple[list[int], list[bool]]:
    """Which source axis each oriented axis runs along, and whether it is flipped.

    An oblique axis counts as the anatomical axis it is closest to, and no two axes count as the same
    (nearest rotation by singular value decomposition, then the strongest component first, as nibabel does).
    """
    if orientation == "native":
        return [0, 1, 2], [False, False, False]
    closest = _closest_world_axes(ijk_to_ras)
    sources, flips = [], []
    for letter in orientation:
        world, sign = _LETTERS[letter]
        source = [axis for axis, _ in closest].index(world)
        sources.append(source)
        flips.append(closest[source][1] != sign)
    return sources, flips


def network_grid(
    shape_ijk: tuple[int, int, int],
    ijk_to_ras: np.ndarray,
    orientation: Orientation,
    spacing: tuple[float, float, float],
) -> NetworkGrid:
    """The whole scan (not yet cropped) as the network sees it.

    The first voxel of the oriented scan stays where it is, and as many voxels follow at the new spacing
    as fit between the first and the last, rounded (MONAI's `Spacing`, which SAT was trained with).

    Parameters
    ----------
    shape_ijk: voxels of the scan along i, j, k.
    ijk_to_ras: 4x4 affine of the scan.
    orientation: axis order the network wants, or "native" for the scan's own.
    spacing: millimetres along the oriented axes.

    Raises
    ------
    GeometryError: see `check_affine`.
    """
    check_affine(ijk_to_ras)
    source_spacing = spacing_mm(ijk_to_ras)
    axes = []
    for source, flipped, target in zip(*orient(ijk_to_ras, orientation), spacing, strict=True):
        scale = target / source_spacing[source]
        last = shape_ijk[source] - 1
        # Half a voxel too much is common (an even number of 0.5 mm slices), and a header's rounding must not
        # decide it: 1.3 mm is stored as 1.29999995 or 1.30000002. Ties go to the even number, as in NumPy.
        size = int(np.round(np.round(last / scale + 1, 4)))
        axes.append(AxisMap(source, float(last if flipped else 0), float(-scale if flipped else scale), size))
    return NetworkGrid((axes[0], axes[1], axes[2]), shape_ijk, np.array(ijk_to_ras, dtype=np.float64))


def _closest_world_axes(ijk_to_ras: np.ndarray) -> list[tuple[int, int]]:
    """For each source axis the world axis it runs along, and the sign."""
    directions = ijk_to_ras[:3, :3] / spacing_mm(ijk_to_ras)
    left, _, right = np.linalg.svd(directions)
    rotation = left @ right
    closest: list[tuple[int, int]] = [(0, 0)] * 3
    for source in np.argsort(-np.abs(rotation).max(axis=0), kind="stable"):
        world = int(np.argmax(np.abs(rotation[:, source])))
        closest[source] = (world, 1 if rotation[world, source] > 0 else -1)
        rotation[world, :] = 0
    return closest


def _numbers(values: np.ndarray) -> str:
    return " x ".join(f"{value:g}" for value in values)
