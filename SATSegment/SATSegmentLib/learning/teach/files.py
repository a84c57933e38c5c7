"""Examples from files: a scan, and a mask, label map or Slicer segmentation of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.placing import place
from SATSegmentLib.masks.open import is_dicom, is_segmentation, open_masks
from SATSegmentLib.masks.readers import whole_labels
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Example, Image

_SHOWN = 12


def read_example(scan: Path, mask: Path, segment: str = "") -> Example:
    """A scan and the structure in it.

    Parameters
    ----------
    mask : Path
        A mask or label map (NIfTI, NRRD, MHA), a .seg.nrrd, a DICOM SEG or an RTSTRUCT, of the scan's own voxels.
    segment : str, optional
        Which one: values of the label map divided by commas ("17,53"), or the name of a segment. Not needed where
        the file holds one structure only.

    Raises
    ------
    ScanError, GeometryError
        A file cannot be read, it is not clear which structure is meant, or the mask is of
        another grid than the scan.
    """
    image = read_scan(scan)
    mask = Path(mask).expanduser()
    grid = Grid.of(image)
    named = is_segmentation(mask) or is_dicom(mask)
    found = _segment(mask, segment, grid) if named else _labels(mask, segment)
    return Example(image, np.ascontiguousarray(place(found, grid).array))


def _segment(path: Path, segment: str, grid: Grid) -> Image:
    masks = open_masks(path)
    names = masks.names
    if not segment and len(names) != 1:
        raise ScanError(f"{path} holds {len(names)} segments.", f"Say which with --segment: {_few(names)}.")
    if segment and segment not in names:
        raise ScanError(f"{path} has no segment {segment!r}.", f"It has {_few(names)}.")
    return masks.read(segment or names[0], grid)


def _labels(path: Path, segment: str) -> Image:
    image = read_scan(path)
    image = Image(whole_labels(image.array, str(path)), image.ijk_to_ras)
    present = [value for value in np.unique(image.array).tolist() if value]
    if not segment:
        if len(present) > 1:
            raise ScanError(
                f"{path} holds {len(present)} values beside zero, so it is not the mask of one structure.",
                f"Say which value is meant with --segment: {_few([f'{value:g}' for value in present])}.",
            )
        return Image(image.array != 0, image.ijk_to_ras)
    try:
        wanted = [int(part) for part in segment.split(",")]
    except ValueError:
        raise ScanError(
            f"{segment!r} is not a value of a label map.", "Give whole numbers divided by commas, such as 17,53."
        ) from None
    if lacking := [value for value in wanted if value not in present]:
        raise ScanError(
            f"{path} has no voxel of the value {_few(lacking)}.", f"It has {_few([f'{value:g}' for value in present])}."
        )
    return Image(np.isin(image.array, wanted), image.ijk_to_ras)


def _few(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
