"""Reading one DICOM series of a folder, and refusing what is not an even stack of slices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.affine import check_axes, lps_to_ras
from SATSegmentLib.types import Image

if TYPE_CHECKING:
    import SimpleITK

_MODALITY, _DESCRIPTION, _IMAGE_TYPE = "0008|0060", "0008|103e", "0008|0008"
_POSITION, _ORIENTATION, _FRAMES = "0020|0032", "0020|0037", "0028|0008"
# Positions are written with a few decimals; below this a step is the same step.
_UNEVEN_MM = 0.05
_UNEVEN_SHARE = 0.02
_LARGEST_TILT_DEGREES = 0.1


@dataclass(frozen=True)
class _Series:
    uid: str
    files: tuple[str, ...]
    modality: str
    description: str

    def __str__(self) -> str:
        return f"{self.modality} {self.description!r}, {len(self.files)} files, UID {self.uid}"


def read_series(folder: Path, series: str | int | None) -> Image:
    """Read a DICOM series; `series` is its number in the folder (from 1) or its SeriesInstanceUID.

    Raises
    ------
    ScanError: no series, several and none chosen, a colour or damaged one.
    GeometryError: slices missing, unevenly spaced, twice at one place, or tilted.
    """
    import SimpleITK

    chosen = _choose(folder, _list_series(folder), series)
    if len(chosen.files) == 1:
        return _read_one_file(chosen)
    headers = [_header(file) for file in chosen.files]
    step_lps = _even_step(headers)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(chosen.files)
    # Each slice of a PET series has a slope of its own; ITK would round all to the first slice's pixel type.
    reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    if headers[0].GetNumberOfComponents() > 1:
        raise _colour(folder)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(folder) from error
    return _image(image, step_lps)


def check_single_file(path: Path, frames: int) -> None:
    """Refuse one slice of a series that was given for the whole."""
    if frames <= 1:
        raise ScanError(f"{path} is a single DICOM slice.", "Give the folder that holds the whole series.")


def _list_series(folder: Path) -> list[_Series]:
    import SimpleITK

    found = []
    try:
        uids = SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    except RuntimeError as error:
        # One damaged file is enough for GDCM to give up on the folder.
        raise _damaged(folder) from error
    for uid in uids:
        files = tuple(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid))
        try:
            header = _header(files[0])
        except (ScanError, IndexError):
            continue  # a DICOM object without an image: a report, a DICOMDIR
        found.append(_Series(uid, files, _tag(header, _MODALITY) or "?", _tag(header, _DESCRIPTION)))
    return found


def _choose(folder: Path, found: list[_Series], series: str | int | None) -> _Series:
    if not found:
        raise ScanError(
            f"There is no DICOM series in {folder}.",
            "Give the folder that holds the slices themselves, or an image file.",
        )
    listing = "; ".join(f"{number}: {one}" for number, one in enumerate(found, start=1))
    if series is None:
        if len(found) == 1:
            return found[0]
        raise ScanError(
            f"{folder} holds {len(found)} DICOM series. {listing}.", "Choose one by its number or UID with `series`."
        )
    for number, one in enumerate(found, start=1):
        if str(series) in (str(number), one.uid):
            return one
    raise ScanError(f"{folder} holds no series {series}. {listing}.", "Choose one of these by its number or UID.")


def _header(file: str) -> SimpleITK.ImageFileReader:
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    reader.LoadPrivateTagsOff()
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged(Path(file)) from error
    return reader


def _tag(header: SimpleITK.ImageFileReader, key: str) -> str:
    return header.GetMetaData(key).strip() if header.HasMetaDataKey(key) else ""


def _even_step(headers: list[SimpleITK.ImageFileReader]) -> np.ndarray:
    """From one slice to the next, in LPS millimetres; refuses a stack in which that varies."""
    if any(not _tag(header, _POSITION) or not _tag(header, _ORIENTATION) for header in headers):
        raise GeometryError(
            "Some slices of the series do not say where they are.",
            "Choose a series of slices; this may be a localizer.",
        )
    positions = np.array([[float(v) for v in _tag(header, _POSITION).split("\\")] for header in headers])
    orientations = np.array([[float(v) for v in _tag(header, _ORIENTATION).split("\\")] for header in headers])
    if np.abs(orientations - orientations[0]).max() > 1e-3 or len({header.GetSize()[:2] for header in headers}) > 1:
        raise GeometryError(
            "The slices of the series do not lie parallel in one grid.", "Choose a series of parallel slices."
        )
    steps = np.diff(positions, axis=0)
    step = np.median(steps, axis=0)
    length = float(np.linalg.norm(step))
    if length < _UNEVEN_MM or np.any(np.linalg.norm(steps, axis=1) < _UNEVEN_MM):
        raise GeometryError(
            "Several slices of the series lie at the same place; it holds more than one volume (time points, echoes).",
            "Save one of its volumes as a file of its own (Slicer reads such a series as a sequence), and give that.",
        )
    off = np.linalg.norm(steps - step, axis=1)
    if off.max() > max(_UNEVEN_MM, _UNEVEN_SHARE * length):
        worst = int(off.argmax())
        gap = float(np.linalg.norm(steps[worst]))
        raise GeometryError(
            f"The slices are not evenly spaced: {length:.2f} mm apart, but {gap:.2f} mm after slice {worst + 1}"
            " (slices may be missing).",
            "Export the series again, complete; or load it in Slicer, harden its acquisition transform and save it.",
        )
    # The mean, not one step: the rounding of positions must not add up over the stack.
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    normal = np.cross(orientations[0][:3], orientations[0][3:])
    _check_tilt(step, normal / np.linalg.norm(normal))
    return step


def _check_tilt(step: np.ndarray, normal: np.ndarray) -> None:
    cosine = abs(float(step @ normal)) / float(np.linalg.norm(step))
    tilt = float(np.rad2deg(np.arccos(min(cosine, 1.0))))
    if tilt > _LARGEST_TILT_DEGREES:
        raise GeometryError(
            f"The slices are tilted by {tilt:.1f} degrees against the direction of their stack (gantry tilt).",
            "Load the series in Slicer, harden its acquisition transform, and save it as a file.",
        )


def _read_one_file(chosen: _Series) -> Image:
    import SimpleITK

    header = _header(chosen.files[0])
    if header.GetNumberOfComponents() > 1:
        raise _colour(Path(chosen.files[0]))
    size = header.GetSize()
    check_single_file(Path(chosen.files[0]), size[2] if len(size) > 2 else 1)
    try:
        return _image(SimpleITK.ReadImage(chosen.files[0], SimpleITK.sitkFloat32, "GDCMImageIO"), None)
    except RuntimeError as error:
        raise _damaged(Path(chosen.files[0])) from error


def _image(image: SimpleITK.Image, step_lps: np.ndarray | None) -> Image:
    import SimpleITK

    direction = np.array(image.GetDirection()).reshape(3, 3)
    spacing = np.array(image.GetSpacing())
    check_axes(direction, spacing)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * spacing
    if step_lps is not None:
        ijk_to_lps[:3, 2] = step_lps
    ijk_to_lps[:3, 3] = image.GetOrigin()
    return Image(array=SimpleITK.GetArrayFromImage(image), ijk_to_ras=lps_to_ras(ijk_to_lps))


def _colour(path: Path) -> ScanError:
    return ScanError(f"{path} holds colour images.", "Choose the series of the scan itself, not a picture of it.")


def _damaged(path: Path) -> ScanError:
    return ScanError(f"{path} cannot be read: it is damaged, or cut off.", "Export or copy the DICOM files again.")
