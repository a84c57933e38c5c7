"""The outline of the patient in a scan, coarse: where air ends, how wide the body is, where its middle lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.orientation import orient
from SATSegmentLib.types import Image, Modality

# Voxels of the outline are about this large; thin structures play no part in it.
_COARSE_MM = 4.0
# In CT everything denser than this is body, couch or clothes.
_CT_BODY_HU = -400.0
# Elsewhere what exceeds this share of the scan's bright voxels: air and its noise stay below.
_BRIGHT_SHARE, _BRIGHT_PERCENTILE = 0.12, 99.0


@dataclass(frozen=True)
class Width:
    """The body from side to side, through one point.

    Attributes
    ----------
    right_mm, left_mm : float
        R of its two ends.
    is_whole : bool
        Whether both ends lie inside the scan.
    """

    right_mm: float
    left_mm: float
    is_whole: bool

    @property
    def mm(self) -> float:
        """Millimetres."""
        return self.right_mm - self.left_mm

    @property
    def middle_mm(self) -> float:
        """R of its middle."""
        return (self.right_mm + self.left_mm) / 2


class Body:
    """The largest thing in a scan that is not air, holes filled.

    Parameters
    ----------
    image : Image
        The scan.
    modality : {"ct", "mri", "pet"}
        Decides what counts as air.
    """

    def __init__(self, image: Image, modality: Modality) -> None:
        spacing = Grid.of(image).spacing_kji
        # No step is longer than the scan: one of a single slice has one coarse slice, too.
        sizes = image.array.shape
        self._step = tuple(max(min(int(_COARSE_MM / edge), size), 1) for edge, size in zip(spacing, sizes, strict=True))
        coarse = image.array[tuple(slice(step // 2, None, step) for step in self._step)]
        if modality == "ct":
            solid = coarse > _CT_BODY_HU
        else:
            low, high = float(coarse.min()), float(np.percentile(coarse, _BRIGHT_PERCENTILE))
            solid = coarse > low + _BRIGHT_SHARE * (high - low)
        sources, _ = orient(image.ijk_to_ras, "RAS")
        # KJI axes that run along R, A and S.
        self._axes = tuple(2 - source for source in sources)
        self._mask = _largest_filled(solid, self._axes[2])
        self._affine = image.ijk_to_ras

    def share_outside(self, cropped: CroppedMask) -> float:
        """Share of a mask's voxels that lie outside of the body, 0..1."""
        coarse = cropped.on_grid_of_steps(self._step, self._mask.shape)
        count = int(coarse.sum())
        return float((coarse & ~self._mask).sum()) / count if count else 0.0

    def width_at(self, point_ras: tuple[float, float, float]) -> Width | None:
        """The body from side to side through a point; None where the point lies in air."""
        voxel = np.linalg.inv(self._affine) @ np.array([*point_ras, 1.0])
        index = [round((voxel[2 - axis] - self._step[axis] // 2) / self._step[axis]) for axis in range(3)]
        if any(not 0 <= n < size for n, size in zip(index, self._mask.shape, strict=True)):
            return None
        axis = self._axes[0]
        line = self._mask[tuple(slice(None) if one == axis else index[one] for one in range(3))]
        if not line[index[axis]]:
            return None
        before = np.flatnonzero(~line[: index[axis]])
        after = np.flatnonzero(~line[index[axis] :])
        first = int(before[-1]) + 1 if len(before) else 0
        last = index[axis] + int(after[0]) - 1 if len(after) else len(line) - 1
        ends = sorted(self._r_of(index, axis, end) for end in (first - 0.5, last + 0.5))
        return Width(ends[1], ends[0], bool(len(before)) and bool(len(after)))

    def _r_of(self, index: list[int], axis: int, position: float) -> float:
        coarse = [float(n) for n in index]
        coarse[axis] = position
        voxel = [n * step + step // 2 for n, step in zip(coarse, self._step, strict=True)]
        return float((self._affine @ np.array([*voxel[::-1], 1.0]))[0])


def _largest_filled(solid: np.ndarray, axial: int) -> np.ndarray:
    """The largest connected piece, with the holes of each axial slice filled: lungs and sinuses are body."""
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(solid.astype(np.uint8)), False)
    labels = sitk.GetArrayFromImage(pieces)
    sizes = np.bincount(labels.ravel())
    if len(sizes) < 2:
        return np.ones(solid.shape, bool)
    body = labels == 1 + int(np.argmax(sizes[1:]))
    flat = [axis for axis in range(3) if axis != axial]
    # Enclosed from four sides within its slice; true holes would take a flood fill per slice, and many times as long.
    return np.logical_and(*(_between(body, axis) for axis in flat))


def _between(body: np.ndarray, axis: int) -> np.ndarray:
    """Voxels with body on both sides along an axis, and the body itself."""
    before = np.logical_or.accumulate(body, axis=axis)
    after = np.flip(np.logical_or.accumulate(np.flip(body, axis), axis=axis), axis)
    return before & after
