"""Where the voxels of a scan are, and what follows from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from SATSegmentLib.grid.affine import spacing_mm
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.orientation import orient


class VoxelArray(Protocol):
    """Voxels (KJI) and where they are: a scan, or a mask of one."""

    @property
    def array(self) -> np.ndarray:
        """Three axes, KJI."""

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4x4 affine, millimetres."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a scan are.

    Attributes
    ----------
    shape_kji : tuple of int
        Number of slices, rows, columns.
    ijk_to_ras : np.ndarray
        4x4 affine.
    """

    shape_kji: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    @staticmethod
    def of(image: VoxelArray) -> Grid:
        """The grid of an image."""
        k, j, i = image.array.shape
        return Grid((k, j, i), image.ijk_to_ras)

    @property
    def spacing_kji(self) -> tuple[float, float, float]:
        """Voxel edges in millimetres, in the order of the array's axes."""
        i, j, k = spacing_mm(self.ijk_to_ras)
        return (float(k), float(j), float(i))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000

    def touched_sides(self, box: Box) -> tuple[str, ...]:
        """The sides of the patient (R, L, A, P, S, I) on which a box of the array (KJI) touches the grid's border."""
        # Reorienting to RAS tells which side each end of each of the scan's axes faces.
        sources, flips = orient(self.ijk_to_ras, "RAS")
        touched = []
        for low_side, high_side, source, flipped in zip("LPI", "RAS", sources, flips, strict=True):
            side = box[2 - source]
            at_start, at_end = side.start == 0, side.stop == self.shape_kji[2 - source]
            if at_end if flipped else at_start:
                touched.append(low_side)
            if at_start if flipped else at_end:
                touched.append(high_side)
        return tuple(touched)

    def __str__(self) -> str:
        size = " x ".join(str(n) for n in reversed(self.shape_kji))
        return f"{size} voxels of {' x '.join(f'{s:.4g}' for s in reversed(self.spacing_kji))} mm"
