"""One door to masks in files: Slicer segmentations, label maps, folders of masks, DICOM SEG and RT Structure Sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from SATSegmentLib.errors import SATSegmentError, ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks import readers, seg_nrrd
from SATSegmentLib.types import Image

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
SEGMENTATION_SUFFIX = ".seg.nrrd"
_SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # Segmentation, label map (2024d)
_RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

Table = Mapping[str, tuple[int, ...]]


class ReadMask(Protocol):
    """Reads one structure's bool mask; DICOM objects are put on the grid where one is given."""

    def __call__(self, name: str, grid: Grid | None = None, /) -> Image: ...


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks in a file or folder, by name; each is read when it is asked for.

    Attributes
    ----------
    names : tuple[str, ...]
        Structures that the file holds.
    not_found : tuple[str, ...]
        Structures that the file says were looked for and not found; they can be read, as empty masks.
    needs_grid : bool
        Whether the file holds contours, which have no voxels without a scan's grid.
    read : ReadMask
        Reads one structure's mask.
    """

    names: tuple[str, ...]
    not_found: tuple[str, ...]
    needs_grid: bool
    read: ReadMask


def open_masks(path: str | os.PathLike[str], table: Table | None = None) -> Masks:
    """Open masks, whatever wrote them.

        masks = open_masks("chest.seg.dcm")
        liver = masks.read("liver", Grid.of(image))

    Parameters
    ----------
    path : str | os.PathLike[str]
        A `.seg.nrrd`; a NIfTI, NRRD or MHA label map (with a table) or mask of one structure (without); a folder with
        one file per structure; a DICOM Segmentation; an RT Structure Set.
    table : Table | None, optional
        Names of a label map's values.

    Raises
    ------
    ScanError
        There is nothing, it is damaged, or of another kind.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise ScanError(f"There is no file or folder {path}.", "Check the name; put it in quotes if it has spaces.")
    if is_segmentation(path):
        names = seg_nrrd.segmentation_names(path)
        return _own_grid(names.names, names.not_found, lambda: seg_nrrd.open_segmentation(path))
    if path.name.lower().endswith(IMAGE_SUFFIXES):
        if table is not None:
            named = table
            return _own_grid(tuple(named), (), lambda: readers.open_labelmap(path, named))
        return _own_grid((stem(path),), (), lambda: lambda _: readers.read_mask(path))
    return _dicom(path)


def is_segmentation(path: Path) -> bool:
    """Whether a file is a Slicer segmentation by its name."""
    return path.name.lower().endswith(SEGMENTATION_SUFFIX)


def stem(path: Path) -> str:
    """A file's name without its ending, which may have two parts."""
    endings = (SEGMENTATION_SUFFIX, *IMAGE_SUFFIXES, ".dcm")
    ending = next((e for e in endings if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(ending)]


def mask_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold masks, by their endings."""
    files = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return sorted(p for p in files if p.name.lower().endswith((*IMAGE_SUFFIXES, ".dcm")))


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _own_grid(
    names: tuple[str, ...], not_found: tuple[str, ...], open_file: Callable[[], Callable[[str], Image]]
) -> Masks:
    opened: list[Callable[[str], Image]] = []

    def read(name: str, grid: Grid | None = None, /) -> Image:
        if not opened:
            opened.append(open_file())
        return opened[0](name)

    return Masks(names, not_found, False, read)


def _folder(folder: Path) -> Masks:
    files = mask_files(folder)
    if not files:
        raise ScanError(f"{folder} holds no masks.", f"Give files that end in {', '.join(IMAGE_SUFFIXES)}.")
    if len(files) == 1 and (is_segmentation(files[0]) or is_dicom(files[0])):
        return open_masks(files[0])
    if odd := [file for file in files if is_segmentation(file) or is_dicom(file)]:
        raise ScanError(
            f"{folder} holds {odd[0].name} beside other files, so it cannot be told which of them is meant.",
            "Give the file itself.",
        )
    by_name = {stem(file): file for file in files}
    if len(by_name) < len(files):
        raise ScanError(f"{folder} holds one structure in two formats.", "Keep one of the files.")

    def read(name: str, grid: Grid | None = None, /) -> Image:
        return readers.read_mask(by_name[name])

    return Masks(tuple(by_name), (), False, read)


def _dicom(path: Path) -> Masks:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        kind = str(pydicom.dcmread(path, specific_tags=["SOPClassUID", "Modality"]).get("SOPClassUID", ""))
    except (InvalidDicomError, OSError) as error:
        raise ScanError(
            f"{path} is none of the files that masks are read from.",
            f"Give a DICOM SEG or RTSTRUCT, or a file ending in {', '.join((SEGMENTATION_SUFFIX, *IMAGE_SUFFIXES))}.",
        ) from error
    if kind == _RTSTRUCT_CLASS:
        from SATSegmentLib.masks.rtstruct import StructureSet

        regions = StructureSet(path)
        return Masks(regions.names, (), True, regions.read)
    if kind in _SEG_CLASSES:
        try:
            from SATSegmentLib.masks.dicom_seg import DicomSegmentation

            segments = DicomSegmentation(path)
        except ModuleNotFoundError as error:
            raise SATSegmentError(
                "DICOM segmentations are read by the package highdicom, which is not installed.",
                "pip install 'satsegment[dicom]'",
            ) from error
        return Masks(segments.names, (), False, segments.read)
    raise ScanError(
        f"{path} is a DICOM file, but neither a segmentation nor a structure set.", "Give the SEG or RTSTRUCT file."
    )
