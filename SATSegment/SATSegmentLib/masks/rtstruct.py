"""RT Structure Sets in: closed planar contours, filled on the slices of the scan they were drawn on."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.plane import lps_to_index
from SATSegmentLib.masks.planes import check_every_slice
from SATSegmentLib.storage.contours import filled
from SATSegmentLib.types import Image

_PLANAR = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
# rt-utils 1.2.7 writes contours with the two values of Pixel Spacing exchanged, and its files do not say its version:
# findings/rt-utils-pixel-spacing.sh.
_EXCHANGES_SPACING = "rt-utils"
# How far a contour may leave its slice, in slices: drawn positions are rounded like the slices' own.
_IN_SLICE = 0.25


class StructureSet:
    """The regions of one RT Structure Set.

    A region's contours on one slice are filled by the even-odd rule, by which a hole may be a contour of its own, a
    keyhole, or of the type CLOSEDPLANAR_XOR. A voxel belongs to the region where its centre lies inside.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ScanError
        It is damaged, or two regions have one name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            data = pydicom.dcmread(path)
            numbers = [(str(roi.ROIName).strip(), int(roi.ROINumber)) for roi in data.StructureSetROISequence]
            self._maker = str(data.get("ManufacturerModelName", "")).strip()
            self._contours = {
                int(item.ReferencedROINumber): list(item.get("ContourSequence") or [])
                for item in data.get("ROIContourSequence") or []
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ScanError(f"{path} cannot be read as a structure set: it is damaged.", "Export it again.") from error
        self._numbers = dict(numbers)
        if len(self._numbers) < len(numbers):
            twice = next(name for name, number in numbers if self._numbers[name] != number)
            raise ScanError(f'{path} holds more than one region named "{twice}".', "Rename or remove one of them.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions that have an area; points and isocentres are passed over."""
        return tuple(name for name in self._numbers if not self._only_points(name))

    def read(self, name: str, grid: Grid | None = None) -> Image:
        """One region's mask on the scan's grid.

        Raises
        ------
        GeometryError
            No grid is given, a contour does not lie in one of its slices, or the file is of a program that is known to
            misplace contours on such voxels.
        """
        if grid is None:
            raise GeometryError(
                f"{self._path.name} holds contours, which have no voxels of their own.",
                "Give the scan they were drawn on, too.",
            )
        to_index = lps_to_index(grid.ijk_to_ras)
        slices: dict[tuple[int, int], list[np.ndarray]] = defaultdict(list)
        for contour in self._contours.get(self._numbers[name], []):
            if str(contour.ContourGeometricType) not in _PLANAR:
                continue
            axis, index, polygon = self._in_slice(_points(contour, self._path) @ to_index[:3, :3].T + to_index[:3, 3])
            slices[axis, index].append(polygon)
        for axis in {axis for axis, _ in slices}:
            self._check_maker(grid, axis)
        check_every_slice((index for _, index in slices), f'"{name}" in {self._path.name}')
        return Image(self._filled(slices, grid), grid.ijk_to_ras)

    def _only_points(self, name: str) -> bool:
        contours = self._contours.get(self._numbers[name], [])
        return bool(contours) and all(str(c.get("ContourGeometricType", "")) not in _PLANAR for c in contours)

    def _check_maker(self, grid: Grid, axis: int) -> None:
        across = np.delete(np.linalg.norm(grid.ijk_to_ras[:3, :3], axis=0), axis)
        if self._maker.lower() == _EXCHANGES_SPACING and across.max() > across.min() * 1.001:
            raise GeometryError(
                f"{self._path.name} was written by rt-utils for pixels of {across[0]:.4g} x {across[1]:.4g} mm: that "
                "program exchanges the two spacings, so its contours lie elsewhere in the patient.",
                "Write the contours with another program.",
            )

    def _in_slice(self, points: np.ndarray) -> tuple[int, int, np.ndarray]:
        """The IJK axis that counts the contour's slice, the slice, and the corners along the other two axes."""
        spread = np.ptp(points, axis=0)
        # The slice axis of the scan where several are flat: contours of a single row of voxels.
        axis = 2 if spread[2] < _IN_SLICE else int(spread.argmin())
        index = round(float(points[:, axis].mean()))
        if np.abs(points[:, axis] - index).max() > _IN_SLICE:
            raise GeometryError(
                f"A contour of {self._path.name} does not lie in a slice of the scan.",
                "Give the scan that the contours were drawn on.",
            )
        others = [a for a in range(3) if a != axis]
        return axis, index, points[:, others]

    def _filled(self, slices: dict[tuple[int, int], list[np.ndarray]], grid: Grid) -> np.ndarray:
        mask = np.zeros(grid.shape_kji, bool).transpose(2, 1, 0)
        if len({axis for axis, _ in slices}) > 1:
            raise GeometryError(
                f"The contours of {self._path.name} lie in planes of several directions.", "Export them on one series."
            )
        for (axis, index), polygons in slices.items():
            if not 0 <= index < mask.shape[axis]:
                raise GeometryError(
                    f"A contour of {self._path.name} lies beyond the scan.", "Give the scan it was drawn on."
                )
            place: list[slice | int] = [slice(None)] * 3
            place[axis] = index
            plane = mask[tuple(place)]
            plane |= filled([polygon[:, ::-1] for polygon in polygons], plane.shape)
        return mask.transpose(2, 1, 0)


def _points(contour: Dataset, path: Path) -> np.ndarray:
    numbers = np.array([float(v) for v in contour.get("ContourData") or []])
    if numbers.size % 3 or not numbers.size or not np.isfinite(numbers).all():
        raise ScanError(f"A contour of {path} is damaged.", "Export the structure set again.")
    return numbers.reshape(-1, 3)
