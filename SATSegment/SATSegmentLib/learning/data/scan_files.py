"""Where the voxels of a file are, told from its header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.affine import check_axes, lps_to_ras
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.scans import read_scan


def image_grid(path: Path) -> Grid:
    """The grid of a scan; only its header is read, unless it is a DICOM folder.

    Raises
    ------
    ScanError: missing, unreadable, not 3-D.
    GeometryError: axes that cannot be used.
    """
    if path.is_dir():
        return Grid.of(read_scan(path))
    if path.suffix.lower() in (".npy", ".npz"):
        raise ScanError(f"{path.name} does not say where its voxels are.", "Give the image as NIfTI, NRRD or MHA.")
    grid, frames = header_grid(path)
    if frames != 1:
        raise ScanError(f"{path.name} is 4-D; a record needs one 3-D scan.", "Save one volume of it.")
    return grid


def header_grid(path: Path) -> tuple[Grid, int]:
    """Grid and number of frames of an image file with three or four dimensions.

    Raises
    ------
    ScanError: missing, unreadable, neither 3-D nor 4-D.
    GeometryError: axes that cannot be used.
    """
    import SimpleITK

    if not path.is_file():
        raise ScanError(f"There is no file {path}.", "Check the name; relative paths start at the .jsonl file.")
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ScanError(f"{path.name} cannot be read as an image.", "Give NIfTI, NRRD or MHA.") from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)
    dimension = reader.GetDimension()
    if dimension not in (3, 4) or reader.GetNumberOfComponents() != 1:
        raise ScanError(f"{path.name} is not a 3-D image with one value per voxel.", "Save it as a 3-D volume.")
    direction = np.array(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    spacing = np.array(reader.GetSpacing())[:3]
    check_axes(direction, spacing)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * spacing
    ijk_to_lps[:3, 3] = reader.GetOrigin()[:3]
    i, j, k = reader.GetSize()[:3]
    return Grid((k, j, i), lps_to_ras(ijk_to_lps)), (reader.GetSize()[3] if dimension == 4 else 1)
