"""Scans whose slices are shifted against each other, as with a tilted gantry: straightened, and masks brought back.

The network wants axes at right angles. A tilted scan is one stack of straight slices, each of them moved within its
own plane by the same step more than the one before; so moving them back is exact up to the interpolation in the plane.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.grid.network_grid import orient
from SATSegmentLib.types import Image, PackedMask, SegmentResult

# As cosines. The engine takes axes for straight up to the first; beyond the second it is no gantry's tilt.
_STRAIGHT, _STEEPEST = 5e-3, 0.75


@dataclass(frozen=True, eq=False)
class Tilt:
    """How a scan's slices are shifted.

    Attributes
    ----------
    degrees: between the stack's direction and the normal of its slices.
    shifts: (K, 2) rows and columns by which each slice lies further than the first.
    low: (2,) rows and columns that the straight scan begins before the first slice.
    size: (2,) its rows and columns.
    ijk_to_ras: of the straight scan.
    shape: of the scan itself, KJI.
    """

    degrees: float
    shifts: np.ndarray
    low: np.ndarray
    size: np.ndarray
    ijk_to_ras: np.ndarray
    shape: tuple[int, int, int]

    def straight(self, image: Image) -> Image:
        """The scan with its slices moved to a straight stack; what no slice covers has the scan's lowest value."""
        fill = float(np.nanmin(image.array))
        array = np.empty((self.shape[0], *self.size), image.array.dtype)
        for k, piece in enumerate(image.array):
            moved = piece - np.float32(fill)
            for axis in (0, 1):
                moved = _moved(moved, float(self.shifts[k, axis] - self.low[axis]), int(self.size[axis]), axis)
            moved += np.float32(fill)
            array[k] = np.rint(moved) if np.issubdtype(array.dtype, np.integer) else moved
        return Image(array, self.ijk_to_ras)

    def back(self, result: SegmentResult) -> SegmentResult:
        """A result of the straight scan in the tilted scan's own grid."""
        if not result.voxels:
            return result
        first, straight = result.offset_kji[0], result.mask
        mask = np.zeros((len(straight), *self.shape[1:]), bool)
        for number, piece in enumerate(straight):
            places = [self._places(first + number, axis, result, piece.shape) for axis in (0, 1)]
            (rows, from_rows), (columns, from_columns) = places
            mask[number][np.ix_(rows, columns)] = piece[np.ix_(from_rows, from_columns)]
        inside = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        if not mask.any():
            return dataclasses.replace(
                result, status="empty", packed=PackedMask.of(mask[:0, :0, :0]), offset_kji=(0, 0, 0), voxels=0,
                volume_ml=0.0, mean_probability=0.0, cut_by=(),
            )  # fmt: skip
        mask = mask[tuple(slice(int(one[0]), int(one[-1]) + 1) for one in inside)]
        k, j, i = (int(one[0]) for one in inside)
        voxels = int(mask.sum())
        # Shifting slices within their planes leaves a voxel's volume as it is.
        voxel_ml = abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000
        return dataclasses.replace(
            result,
            packed=PackedMask.of(mask),
            offset_kji=(k + first, j, i),
            voxels=voxels,
            volume_ml=voxels * voxel_ml,
            cut_by=self._cut_by((k + first, j, i), mask.shape),
        )

    def _places(
        self, k: int, axis: int, result: SegmentResult, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (or columns) of a slice of the scan, and those of the result's mask that lie nearest to them."""
        own = np.arange(self.shape[1 + axis])
        theirs = np.rint(own + self.shifts[k, axis] - self.low[axis]).astype(int) - result.offset_kji[1 + axis]
        there = (theirs >= 0) & (theirs < shape[axis])
        return own[there], theirs[there]

    def _cut_by(self, offset: tuple[int, int, int], shape: tuple[int, ...]) -> tuple[str, ...]:
        """The sides of the patient on which a mask touches the scan's own border."""
        sources, flips = orient(self.ijk_to_ras, "RAS")
        touched = []
        for low, high, source, flipped in zip("LPI", "RAS", sources, flips, strict=True):
            axis = 2 - source
            ends = offset[axis] == 0, offset[axis] + shape[axis] == self.shape[axis]
            touched += [side for side, end in zip((low, high), ends[::-1] if flipped else ends, strict=True) if end]
        return tuple(touched)


def slice_tilt(image: Image) -> Tilt | None:
    """The tilt of a scan; None where its axes are straight, or bent in a way that is no tilt of slices."""
    axes, depth = image.ijk_to_ras[:3, :2], image.ijk_to_ras[:3, 2]
    lengths = np.linalg.norm(axes, axis=0)
    if not (lengths > 0).all() or not np.linalg.norm(depth) > 0:
        return None
    column, row = (axes / lengths).T
    in_plane = np.array([depth @ row, depth @ column])
    sine = float(np.linalg.norm(in_plane) / np.linalg.norm(depth))
    if abs(row @ column) > _STRAIGHT or not _STRAIGHT < sine < _STEEPEST:
        return None
    shifts = np.arange(image.array.shape[0])[:, None] * (in_plane / lengths[::-1])
    low, high = np.floor(shifts.min(axis=0)), np.ceil(shifts.max(axis=0))
    straight = np.array(image.ijk_to_ras, float)
    straight[:3, 2] = depth - in_plane[0] * row - in_plane[1] * column
    straight[:3, 3] += axes @ low[::-1]
    size = (high - low).astype(int) + image.array.shape[1:]
    return Tilt(float(np.degrees(np.arcsin(sine))), shifts, low, size, straight, image.array.shape)


def _moved(piece: np.ndarray, shift: float, size: int, axis: int) -> np.ndarray:
    """A slice moved along an axis into one of that size, by linear interpolation; zero where it does not reach."""
    whole = int(np.floor(shift))
    part = shift - whole
    shape = list(piece.shape)
    shape[axis] = size
    moved = np.zeros(shape, np.float32)
    target, source = np.moveaxis(moved, axis, 0), np.moveaxis(piece, axis, 0)
    target[whole : whole + len(source)] = (1 - part) * source
    if part:
        target[whole + 1 : whole + 1 + len(source)] += np.float32(part) * source
    return moved
