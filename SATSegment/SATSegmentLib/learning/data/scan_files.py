"""Where the voxels of a file are, told from its header."""

from __future__ import annotations

from pathlib import Path

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.scans.read import is_dicom_path, open_scan, read_scan
from SATSegmentLib.types import Doubt, DoubtKind


def image_grid(path: Path) -> Grid:
    """The grid of a scan to train on; only its header is read, unless it is DICOM.

    Raises
    ------
    ScanError
        Missing, unreadable, not 3-D, or silent about which side of the patient is which.
    GeometryError
        Axes that cannot be used.
    """
    if path.suffix.lower() in (".npy", ".npz"):
        raise ScanError(f"{path.name} does not say where its voxels are.", "Give the image as NIfTI, NRRD or MHA.")
    if path.exists() and is_dicom_path(path):
        return Grid.of(read_scan(path))
    grid, frames, doubts = _header(path)
    if frames != 1:
        raise ScanError(f"{path.name} is 4-D; a record needs one 3-D scan.", "Save one volume of it.")
    if any(doubt.kind is DoubtKind.SIDES for doubt in doubts):
        raise ScanError(
            f"{path.name} does not say how its axes lie in the patient: sides learnt from it would be a guess.",
            "Export the scan again with its orientation.",
        )
    return grid


def header_grid(path: Path) -> tuple[Grid, int]:
    """Grid and number of frames of an image file with three or four dimensions.

    Raises
    ------
    ScanError
        Missing, unreadable, neither 3-D nor 4-D.
    GeometryError
        Axes that cannot be used.
    """
    grid, frames, _ = _header(path)
    return grid, frames


def _header(path: Path) -> tuple[Grid, int, tuple[Doubt, ...]]:
    if not path.is_file():
        raise ScanError(f"There is no file {path}.", "Check the name; relative paths start at the .jsonl file.")
    scan = open_scan(path)
    i, j, k = scan.size_ijk
    return Grid((k, j, i), scan.ijk_to_ras), scan.frames, scan.doubts
