"""What a scan is, before anything is run: its grid, its modality and why, its doubts, the choices that it leaves."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.errors import SATSegmentError, SATSegmentWarning
from SATSegmentLib.scans.read import checked_path, is_dicom_path, open_scan, read_scan
from SATSegmentLib.types import Doubt, Image, Modality

# Air is at -1000 in CT, and no MR or PET scanner stores values as low as that.
_AIR_HU = -500.0


@dataclass(frozen=True)
class Choice:
    """One volume that can be segmented.

    Attributes
    ----------
    series : int | None
        Number of its series for `series`, counted from 1; None where there is one only.
    volume : int | None
        Its number for `volume`, counted from 1; None where the series has one only.
    text : str
        The series and what tells the volume apart, for people.
    problem : str
        Why it cannot be segmented; empty where it can.
    """

    series: int | None
    volume: int | None
    text: str
    problem: str = ""


@dataclass(frozen=True)
class Inspection:
    """What is at a path.

    Attributes
    ----------
    path : str
        File or folder.
    format : str
        "NIfTI-1", "NRRD", "DICOM", ...
    choices : tuple[Choice, ...]
        The volumes of a DICOM folder or file.
    others : tuple[str, ...]
        DICOM objects that were passed over, each with its file.
    frames : int
        Number of frames of a 4-D file; 1 otherwise.
    size_ijk : tuple[int, ...]
        The grid of the chosen volume; empty or None where none is
    spacing_mm : tuple[float, ...]
        The grid of the chosen volume; empty or None where none is
    extent_mm : tuple[float, ...]
        The grid of the chosen volume; empty or None where none is
    axes : str
        The grid of the chosen volume; empty or None where none is
    tilt_degrees : float | None
        The grid of the chosen volume; empty or None where none is
        chosen. `axes` are the sides of the patient that I, J and K run towards ("LPS").
    modality : Modality | None
        The modality SAT would need; None where nothing says it.
    modality_reason : str
        What says it.
    unit : str
        Of the values.
    value_range : tuple[float, float] | None
        Lowest and highest value; None where no volume is chosen.
    suv : str
        For PET, why there is or is not an SUV by body weight; otherwise empty.
    doubts : tuple[Doubt, ...]
        What the file leaves open.
    problem : str
        Why the scan cannot be segmented as it is given; empty where it can.
    remedy : str
        What to do about it.
    """

    path: str
    format: str
    choices: tuple[Choice, ...] = ()
    others: tuple[str, ...] = ()
    frames: int = 1
    size_ijk: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    extent_mm: tuple[float, ...] = ()
    axes: str = ""
    tilt_degrees: float | None = None
    modality: Modality | None = None
    modality_reason: str = ""
    unit: str = ""
    value_range: tuple[float, float] | None = None
    suv: str = ""
    doubts: tuple[Doubt, ...] = ()
    problem: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The inspection as plain data."""
        found = dataclasses.asdict(self)
        found["doubts"] = [doubt.as_dict() for doubt in self.doubts]
        return found


def inspect_scan(
    path: str | os.PathLike[str], frame: int | None = None, series: str | int | None = None, volume: int | None = None
) -> Inspection:
    """Look at a scan; the voxels are read where it is clear which they are.

    Parameters
    ----------
    path : str | os.PathLike[str]
        As `read_scan`.
    frame : int | None, optional
        As `read_scan`.
    series : str | int | None, optional
        As `read_scan`.
    volume : int | None, optional
        As `read_scan`.

    Raises
    ------
    ScanError
        There is nothing at the path, or it is no scan at all.
    """
    path = checked_path(path)
    if is_dicom_path(path):
        return _inspect_dicom(path, frame, series, volume)
    scan = open_scan(path)
    base = Inspection(str(path), scan.kind, frames=scan.frames, doubts=scan.doubts)
    base = _with_grid(base, scan.size_ijk, scan.ijk_to_ras)
    image, base = _read(base, path, frame=frame, series=series, volume=volume)
    if image is None:
        return base
    modality, reason = _modality_from_values(image.array)
    return dataclasses.replace(base, modality=modality, modality_reason=reason)


def _inspect_dicom(path: Path, frame: int | None, series: str | int | None, volume: int | None) -> Inspection:
    from SATSegmentLib.scans.dicom.read import series_of
    from SATSegmentLib.scans.dicom.suv import suv_words

    found, folder = series_of(path)
    choices = [choice for number, one in enumerate(found, start=1) for choice in _choices(number, one, len(found))]
    base = Inspection(
        str(path), "DICOM", tuple(choices), tuple(f"{name} ({file.name})" for file, name in folder.others)
    )
    image, base = _read(base, path, frame=frame, series=series, volume=volume)
    if image is None:
        return base
    chosen = next(
        (one for number, one in enumerate(found, 1) if series is None or str(series) in (str(number), one.uid)),
        found[0],
    )
    reason = (
        f"DICOM says {chosen.modality}" if chosen.sat_modality else f"DICOM says {chosen.modality}, not one of SAT's"
    )
    base = _with_grid(base, image.array.shape[::-1], image.ijk_to_ras)
    return dataclasses.replace(
        base, modality=chosen.sat_modality, modality_reason=reason, suv=suv_words(chosen),
    )  # fmt: skip


def _choices(number: int, series: Any, count: int) -> list[Choice]:
    own = number if count > 1 else None
    try:
        volumes = series.volumes
    except SATSegmentError as error:
        return [Choice(own, None, str(series), error.message)]
    found = []
    for index, volume in enumerate(volumes, start=1):
        try:
            problem = "a single slice" if len(volume.frames) == 1 else ""
            volume.stack()
        except SATSegmentError as error:
            problem = error.message
        found.append(Choice(own, index if len(volumes) > 1 else None, f"{series}: {volume}", problem))
    return found


def _read(base: Inspection, path: Path, **choice: Any) -> tuple[Image | None, Inspection]:
    """The voxels, where it is clear which; otherwise what is missing goes into the inspection."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SATSegmentWarning)
            image = read_scan(path, **choice)
    except SATSegmentError as error:
        return None, dataclasses.replace(base, problem=error.message, remedy=error.remedy)
    return image, dataclasses.replace(
        base, unit=image.unit, doubts=image.doubts, value_range=(float(image.array.min()), float(image.array.max()))
    )


def _with_grid(base: Inspection, size_ijk: Sequence[int], ijk_to_ras: np.ndarray) -> Inspection:
    columns = ijk_to_ras[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    letters = "".join(
        "RAS"[axis] if columns[axis, column] > 0 else "LPI"[axis]
        for column, axis in enumerate(np.abs(columns).argmax(axis=0))
    )
    normal = np.cross(columns[:, 0], columns[:, 1])
    sine = np.linalg.norm(np.cross(normal, columns[:, 2])) / np.linalg.norm(normal) / spacing[2]
    tilt = float(np.rad2deg(np.arcsin(min(sine, 1.0))))
    return dataclasses.replace(
        base,
        size_ijk=tuple(int(n) for n in size_ijk),
        spacing_mm=tuple(round(float(s), 6) for s in spacing),
        extent_mm=tuple(round(float(s * n), 3) for s, n in zip(spacing, size_ijk, strict=True)),
        axes=letters,
        tilt_degrees=round(tilt, 2) if tilt > 0.1 else None,
    )


def _modality_from_values(array: np.ndarray) -> tuple[Modality | None, str]:
    """Only CT shows itself: files other than DICOM do not say what they are."""
    if array.min() <= _AIR_HU and np.issubdtype(array.dtype, np.number):
        return "ct", f"its values go down to {array.min():g}, as air does in Hounsfield units; the file does not say"
    return None, "the file does not say, and its values may be MR or PET (or CT without air)"
