"""Reading a scan from a file or a DICOM folder."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.grid.affine import check_axes, spacing_mm
from SATSegmentLib.grid.sizes import implausible_sizes, too_few_slices
from SATSegmentLib.scans.dicom.signature import is_dicom
from SATSegmentLib.scans.marks import mark_doubts
from SATSegmentLib.scans.opened import OpenScan
from SATSegmentLib.types import Doubt, DoubtKind, Image

FORMATS = "NIfTI (.nii, .nii.gz, .hdr/.img), NRRD, MetaImage (.mha, .mhd), or DICOM (a folder or a multi-frame file)"


def read_scan(
    path: str | os.PathLike[str],
    frame: int | None = None,
    series: str | int | None = None,
    volume: int | None = None,
    pet_unit: str = "stored",
) -> Image:
    """Read a 3-D scan: NIfTI, NRRD, MetaImage or DICOM.

        image = read_scan("~/scans/brain.nii.gz")
        image.array.shape      # slices, rows, columns
        image.ijk_to_ras       # 4x4, millimetres
        image.doubts           # what the file left open

    Files keep their coordinates in LPS (or NIfTI's RAS); the result is always RAS. Oblique and
    flipped axes are kept as they are. Rescale slope and intercept are applied, so CT is in
    Hounsfield units. Each doubt is also given as a `SATSegmentWarning`.

    Parameters
    ----------
    path : str | os.PathLike[str]
        File or folder; `~` is expanded.
    frame : int | None, optional
        Which frame of a 4-D file to take, counted from 0.
    series : str | int | None, optional
        Which DICOM series of a folder with several: its number in the list that the error
        gives, or its SeriesInstanceUID.
    volume : int | None, optional
        Which volume of a DICOM series with several (echoes, time points, b-values), counted from 1.
    pet_unit : str, optional
        "stored", or "suvbw", "suvlbm", "suvlbm-janma" for PET in SUV; see Docs/dicom.md.

    Raises
    ------
    ScanError
        Missing, unreadable, cut off, 2-D, colour, 4-D without `frame`, several series or volumes.
    GeometryError
        Spacing that is zero or negative, sheared axes, uneven slices.
    """
    path = checked_path(path)
    if is_dicom_path(path):
        if frame is not None:
            raise ScanError("DICOM has no frames to pick from.", "Choose one of its series or volumes instead.")
        if series is not None and not path.is_dir():
            raise ScanError(f"{path} is a file, not a folder with DICOM series.", "Leave the series out.")
        # Here, so that Slicer's side, which asks for files' doubts only, does not wait for pydicom.
        from SATSegmentLib.scans.dicom.read import read_dicom

        image = read_dicom(path, series, volume, _checked_unit(pet_unit))
    else:
        _refuse_dicom_choices(path, series, volume, pet_unit)
        scan = open_scan(path)
        image = Image(scan.load(_checked_frame(scan, frame)), scan.ijk_to_ras, scan.doubts)
    doubts = (*image.doubts, *size_doubts(image), *mark_doubts(image.array))
    for doubt in doubts:
        warnings.warn(doubt.text, SATSegmentWarning, stacklevel=2)
    return Image(image.array, image.ijk_to_ras, doubts, image.unit)


def open_scan(path: Path) -> OpenScan:
    """Read and check the header of a file that is not DICOM; its voxels are read when they are asked for.

    Raises
    ------
    ScanError, GeometryError
        As `read_scan`, but for what only the voxels show.
    """
    from SATSegmentLib.scans import metaimage, nifti, nrrd

    start = _first_bytes(path)
    if start.startswith(b"NRRD"):
        scan = nrrd.open_nrrd(path)
    elif nifti.is_nifti(path, start):
        scan = nifti.open_nifti(path)
    elif metaimage.is_metaimage(path, start):
        scan = metaimage.open_metaimage(path)
    else:
        raise ScanError(f"{path} is not an image in a format that can be read.", f"Give {FORMATS}.")
    edges = np.linalg.norm(scan.ijk_to_ras[:3, :3], axis=0)
    check_axes(scan.ijk_to_ras[:3, :3] / edges, edges, path)
    return scan


def checked_path(path: str | os.PathLike[str]) -> Path:
    """The path with `~` expanded, of a file or folder that is there and may be read.

    Raises
    ------
    ScanError
        It is not, or its name cannot be handed to the reading libraries.
    """
    path = Path(path).expanduser()
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
        raise ScanError(f"The name {shown} cannot be written in UTF-8.", "Rename the file or folder.") from None
    if "\0" in str(path) or not path.exists():
        raise ScanError(f"There is no file or folder {path}.", "Check the name; put it in quotes if it has spaces.")
    if not os.access(path, os.R_OK):
        raise ScanError(f"No permission to read {path}.", "Check its permissions.")
    return path


def is_dicom_path(path: Path) -> bool:
    """Whether a path is a folder (of DICOM files) or a DICOM file."""
    if path.is_dir():
        return True
    return is_dicom(path)


def _first_bytes(path: Path) -> bytes:
    import gzip
    import zlib

    with path.open("rb") as stream:
        start = stream.read(540)
    if start[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as unpacked:
                return unpacked.read(540)
        except (OSError, EOFError, zlib.error):
            return b""
    return start


def _checked_frame(scan: OpenScan, frame: int | None) -> int:
    last = scan.frames - 1
    if last == 0 and frame not in (None, 0):
        raise ScanError(f"{scan.path} has one frame only, so there is no frame {frame}.", "Leave the frame out.")
    if last and frame is None:
        raise ScanError(
            f"{scan.path} is 4-D: it holds {scan.frames} frames, and SAT segments one 3-D scan at a time.",
            f"Pick one with `frame`, from 0 (the first) to {last} (the last).",
        )
    if frame is not None and not 0 <= frame <= last:
        raise ScanError(f"{scan.path} has no frame {frame}.", f"Pick one from 0 (the first) to {last} (the last).")
    return frame or 0


def _refuse_dicom_choices(path: Path, series: str | int | None, volume: int | None, pet_unit: str) -> None:
    if series is not None:
        raise ScanError(f"{path} is a file, not a folder with DICOM series.", "Leave the series out.")
    if volume is not None:
        raise ScanError(f"{path} is not DICOM, so it has no volumes to choose.", "Pick a frame with `frame` instead.")
    if pet_unit != "stored":
        raise ScanError(
            f"{path} does not say what SUV needs (dose, times, weight).", "Read the DICOM series it was made from."
        )


def _checked_unit(name: str):  # type: ignore[no-untyped-def]
    from typing import get_args

    from SATSegmentLib.scans.dicom.suv import PetUnit

    if name not in get_args(PetUnit):
        raise ScanError(f"{name!r} is not a unit of PET.", f"Choose one of {', '.join(get_args(PetUnit))}.")
    return name


def size_doubts(image: Image) -> tuple[Doubt, ...]:
    """What there is to say about a scan's voxels and slices, whatever they were read by."""
    texts = [implausible_sizes(spacing_mm(image.ijk_to_ras)), too_few_slices(image.array.shape)]
    return tuple(Doubt(DoubtKind.SIZES, text) for text in texts if text)
