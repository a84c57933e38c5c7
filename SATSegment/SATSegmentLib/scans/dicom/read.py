"""Reading a volume of a DICOM series, from a folder or from a multi-frame file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from SATSegmentLib.errors import GeometryError, SATSegmentError, ScanError
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.scans.dicom.frames import Frame, frame_count, frames_of
from SATSegmentLib.scans.dicom.headers import Folder, damaged, read_folder, read_header, refuse_other_object
from SATSegmentLib.scans.dicom.pixels import read_voxels
from SATSegmentLib.scans.dicom.series import Series, group
from SATSegmentLib.scans.dicom.suv import PetUnit, stored_unit, suv_factor
from SATSegmentLib.scans.dicom.volumes import Volume
from SATSegmentLib.types import Doubt, DoubtKind, Image


def read_dicom(path: Path, series: str | int | None, volume: int | None, pet_unit: PetUnit = "stored") -> Image:
    """Read one volume.

    Parameters
    ----------
    path : Path
        Folder with one or several series, or a multi-frame file.
    series : str | int | None
        Which series of the folder: its number in the list that the error gives, or its SeriesInstanceUID.
    volume : int | None
        Which volume of the series, counted from 1, where it holds several.
    pet_unit : PetUnit, optional
        See `suv.suv_factor`.

    Raises
    ------
    ScanError
        No series, several and none chosen, an object that is no scan, colour, damaged files.
    GeometryError
        Slices that are missing, unevenly spaced, at one place, or do not say where they are.
    """
    try:
        return _read_dicom(path, series, volume, pet_unit)
    except (SATSegmentError, MemoryError):
        raise
    except Exception as error:  # what a damaged header holds is found wherever it is used first
        raise ScanError(
            f"The DICOM headers of {path} are damaged: {' '.join(str(error).split())[:120]}.",
            "Export or copy the DICOM files again.",
        ) from error


def _read_dicom(path: Path, series: str | int | None, volume: int | None, pet_unit: PetUnit) -> Image:
    chosen, part, doubts = choose(path, series, volume)
    stack = part.stack()
    frames = [part.frames[index] for index in stack.order]
    _check_rescales(frames)
    _check_not_single(path, frames)
    unit, factor = stored_unit(chosen), None
    if pet_unit != "stored":
        unit, factor = suv_factor(chosen, frames, pet_unit)
    array = read_voxels(frames)
    if factor is not None:
        array = (array * np.float32(factor)).astype(np.float32, copy=False)
    return Image(array, lps_to_ras(part.ijk_to_lps(stack)), (*doubts, *chosen.doubts, *part.doubts), unit)


def choose(path: Path, series: str | int | None, volume: int | None) -> tuple[Series, Volume, tuple[Doubt, ...]]:
    """The series and the volume that are meant, and what is doubtful about the folder.

    Raises
    ------
    ScanError
        None, or several and none chosen.
    """
    if path.is_dir():
        folder = read_folder(path)
        chosen, doubts = _choose_series(path, folder, series), _folder_doubts(path, folder)
    else:
        chosen, doubts = read_file(path), ()
    return chosen, _choose_volume(chosen, volume), doubts


def read_file(path: Path) -> Series:
    """A multi-frame file as a series of its own.

    Raises
    ------
    ScanError
        Not a scan, or a single slice of a series.
    """
    header = read_header(path)
    refuse_other_object(header)
    if frame_count(header.data) <= 1:
        if not header.has_pixels:
            raise damaged(path)
        frames_of(header)  # a colour picture is to be called one
        raise ScanError(f"{path} is a single DICOM slice.", "Give the folder that holds the whole series.")
    return Series(header.series, (header,))


def series_of(path: Path) -> tuple[list[Series], Folder]:
    """All series at a path, for listing.

    Raises
    ------
    ScanError
        A file that is no scan.
    """
    if not path.is_dir():
        one = read_file(path)
        return [one], Folder(one.headers, (), ())
    folder = read_folder(path)
    return group(folder.scans), folder


def _choose_series(path: Path, folder: Folder, series: str | int | None) -> Series:
    found = group(folder.scans)
    if not found and folder.damaged:
        raise damaged(folder.damaged[0])
    if not found:
        held = f" It holds {_others(folder)}." if folder.others else ""
        raise ScanError(
            f"There is no DICOM series of CT, MR or PET images in {path}.{held}",
            "Give the folder that holds the slices themselves, or an image file.",
        )
    listing = "; ".join(f"{number}: {one}" for number, one in enumerate(found, start=1))
    if series is None and len(found) > 1:
        raise ScanError(
            f"{path} holds {len(found)} DICOM series. {listing}.", "Choose one by its number or UID with `series`."
        )
    for number, one in enumerate(found, start=1):
        if series is None or str(series) in (str(number), one.uid):
            return one
    raise ScanError(f"{path} holds no series {series}. {listing}.", "Choose one of these by its number or UID.")


def _choose_volume(series: Series, number: int | None) -> Volume:
    volumes = series.volumes
    if number is not None and not 1 <= number <= len(volumes):
        raise ScanError(f"The series has no volume {number}.", f"Choose one from 1 to {len(volumes)}.")
    if number is not None:
        return volumes[number - 1]
    scans = [volume for volume in volumes if not volume.is_localizer]
    if len(scans) == 1:
        return scans[0]
    listing = "; ".join(f"{number}: {one}" for number, one in enumerate(volumes, start=1))
    raise ScanError(
        f"The series {series.description!r} holds {len(volumes)} volumes. {listing}.",
        "Choose one by its number with `volume` (on the command line: --volume).",
    )


def _check_rescales(frames: list[Frame]) -> None:
    declared = {frame.rescale.declared or frame.rescale.has_table for frame in frames}
    units = {frame.rescale.unit for frame in frames}
    if len(declared) > 1 or len(units) > 1:
        odd = next(
            frame
            for frame in frames
            if (frame.rescale.declared, frame.rescale.unit) != (frames[0].rescale.declared, frames[0].rescale.unit)
        )
        what = "only some slices have a rescale" if len(declared) > 1 else f"units {', '.join(sorted(units))}"
        raise ScanError(
            f"The slices are not in one unit ({what}): {odd.name} differs from {frames[0].name}.",
            "Export the series again.",
        )


def _check_not_single(path: Path, frames: list[Frame]) -> None:
    if len(frames) > 1:
        return
    if path.is_dir() and frame_count(frames[0].header.data) == 1:
        raise ScanError(f"{path} holds a single DICOM slice.", "Give the folder that holds the whole series.")
    raise GeometryError(f"The chosen volume is a single slice ({frames[0].name}).", "Choose a volume of many slices.")


def _folder_doubts(path: Path, folder: Folder) -> tuple[Doubt, ...]:
    if not folder.damaged:
        return ()
    with_content = [file for file in folder.damaged if file.stat().st_size]
    if with_content:
        raise damaged(with_content[0])  # it may be a slice of the scan, the first or last of it too
    names = ", ".join(file.name for file in folder.damaged[:3])
    return (Doubt(DoubtKind.FILES, f"{len(folder.damaged)} files are empty ({names}): slices may be missing."),)


def _others(folder: Folder) -> str:
    return ", ".join(f"{name} ({path.name})" for path, name in folder.others[:3])
