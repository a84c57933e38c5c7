"""Reading a scan from a file or a DICOM folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import check_axes, lps_to_ras
from SATSegmentLib.scans import nifti
from SATSegmentLib.scans.dicom import read as dicom
from SATSegmentLib.types import Image

if TYPE_CHECKING:
    import SimpleITK

_FORMATS = "NIfTI (.nii, .nii.gz), NRRD, MHA/MHD, or a folder with a DICOM series"
_DICOM_CLASS = "0008|0016"


def read_scan(path: str | os.PathLike[str], frame: int | None = None, series: str | int | None = None) -> Image:
    """Read a 3-D scan: NIfTI, NRRD, MHA/MHD, or a folder with a DICOM series.

        image = read_scan("~/scans/brain.nii.gz")
        image.array.shape      # slices, rows, columns
        image.ijk_to_ras       # 4x4, millimetres

    Files keep their coordinates in LPS (or NIfTI's RAS); the result is always RAS. Oblique and
    flipped axes are kept as they are. Rescale slope and intercept are applied, so CT is in
    Hounsfield units.

    Parameters
    ----------
    path: file or folder; `~` is expanded.
    frame: which frame of a 4-D file to take, counted from 0.
    series: which DICOM series of a folder with several: its number in the list that the error
        gives, or its SeriesInstanceUID.

    Raises
    ------
    ScanError: missing, unreadable, cut off, 2-D, colour, 4-D without `frame`, several series.
    GeometryError: spacing that is zero or negative, sheared axes, uneven slices.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise ScanError(f"There is no file or folder {path}.", "Check the name; put it in quotes if it has spaces.")
    if path.is_dir():
        if frame is not None:
            raise ScanError("A DICOM folder has no frames to pick from.", "Choose one of its series instead.")
        with _quiet():
            return dicom.read_series(path, series)
    if series is not None:
        raise ScanError(f"{path} is a file, not a folder with DICOM series.", "Leave the series out.")
    if not os.access(path, os.R_OK):
        raise ScanError(f"{path} may not be read.", "Ask its owner for the right to read it.")
    if nifti.is_nifti(path):
        nifti.check(path)
    with _quiet():
        return _read_file(path, frame)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without ITK's own warnings: what matters of them is checked here, and said in the user's terms."""
    import SimpleITK

    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)


def _read_file(path: Path, frame: int | None) -> Image:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    _check_content(path, reader)
    dimension = reader.GetDimension()
    spacing = np.array(reader.GetSpacing())[:3]
    direction = np.array(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    # Before the voxels are read: ITK refuses a zero spacing in words of its own, and mends a negative one silently.
    check_axes(direction, spacing)
    frames, listed = _frames(reader)
    if frames == 1 and frame not in (None, 0):
        raise ScanError(f"{path} has one frame only, so there is no frame {frame}.", "Leave the frame out.")
    if frames > 1:
        frame = _checked_frame(path, frame, frames)
        if dimension == 4:
            reader.SetExtractSize([*reader.GetSize()[:3], 0])
            reader.SetExtractIndex([0, 0, 0, frame])
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    if listed:
        image = SimpleITK.VectorIndexSelectionCast(image, frame or 0)
    return image_from_sitk(image)


def image_from_sitk(image: SimpleITK.Image) -> Image:
    """A 3-D SimpleITK image (LPS) as an `Image` (RAS); the voxels are copied."""
    import SimpleITK

    direction = np.array(image.GetDirection()).reshape(3, 3)
    spacing = np.array(image.GetSpacing())
    check_axes(direction, spacing)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * spacing
    ijk_to_lps[:3, 3] = image.GetOrigin()
    return Image(array=SimpleITK.GetArrayFromImage(image), ijk_to_ras=lps_to_ras(ijk_to_lps))


def _check_content(path: Path, reader: SimpleITK.ImageFileReader) -> None:
    """Refuse what is no 3-D scan of one value per voxel."""
    import SimpleITK

    dimension, pixel_type = reader.GetDimension(), reader.GetPixelID()
    if any(key.startswith("Segment0_") for key in reader.GetMetaDataKeys()):
        raise ScanError(f"{path} holds a segmentation, not a scan.", "Give the scan it was made from.")
    if dimension == 2:
        raise ScanError(
            f"{path} is a 2-D image; SAT needs a 3-D scan.",
            "Give the whole volume; for a DICOM series, the folder that holds its slices.",
        )
    if reader.HasMetaDataKey(_DICOM_CLASS):
        dicom.check_single_file(path, reader.GetSize()[2])
    if pixel_type in (SimpleITK.sitkComplexFloat32, SimpleITK.sitkComplexFloat64):
        raise ScanError(f"{path} holds complex numbers.", "Give the magnitude image.")
    components = reader.GetNumberOfComponents()
    if components > 1 and not _is_list_of_frames(reader):
        raise ScanError(
            f"{path} holds {components} values per voxel (a colour or vector image); SAT needs one.",
            "Give the scan itself rather than a colour picture of it, or turn it into grey values first.",
        )
    if dimension > 4:
        raise ScanError(f"{path} has {dimension} dimensions; SAT needs a 3-D scan.", "Save one volume of it.")


def _is_list_of_frames(reader: SimpleITK.ImageFileReader) -> bool:
    # Slicer saves a sequence of volumes as an NRRD whose first axis is a "list"; ITK makes vectors of it.
    key = "NRRD_kinds[pixel]"
    return reader.HasMetaDataKey(key) and reader.GetMetaData(key) == "list"


def _frames(reader: SimpleITK.ImageFileReader) -> tuple[int, bool]:
    """Number of frames, and whether they are kept as the components of a vector image."""
    if reader.GetNumberOfComponents() > 1:
        return reader.GetNumberOfComponents(), True
    return (reader.GetSize()[3], False) if reader.GetDimension() == 4 else (1, False)


def _checked_frame(path: Path, frame: int | None, frames: int) -> int:
    if frame is None:
        raise ScanError(
            f"{path} is 4-D: it holds {frames} frames, and SAT segments one 3-D scan at a time.",
            f"Pick one with `frame`, from 0 (the first) to {frames - 1} (the last).",
        )
    if not 0 <= frame < frames:
        raise ScanError(f"{path} has no frame {frame}.", f"Pick one from 0 (the first) to {frames - 1} (the last).")
    return frame


def _unreadable(path: Path, error: RuntimeError) -> ScanError:
    text = str(error)
    if "orthonormal" in text:
        return GeometryError(
            f"The axes of {path} are sheared: they do not stand at right angles to each other.",
            "Resample the scan onto a grid with right angles (in Slicer: module Resample Scalar/Vector/DWI Volume).",
        )
    if "Unable to determine ImageIO" in text or "No ImageIO" in text:
        return ScanError(f"{path} is not an image in a format that can be read.", f"Give {_FORMATS}.")
    return ScanError(
        f"{path} cannot be read: it is damaged, or cut off.", "Copy or download it again, and check its size."
    )
