"""What the file of a loaded volume leaves open: Slicer reads it without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

from SATSegmentLib.errors import GeometryError, SATSegmentError
from SATSegmentLib.mrml.dicom_files import INSTANCES_ATTRIBUTE
from SATSegmentLib.scans.marks import mark_doubts
from SATSegmentLib.scans.read import open_scan, size_doubts
from SATSegmentLib.types import Doubt, DoubtKind, Image

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_PHOTOMETRIC_TAG = "0028,0004"
# In voxels: up to here Slicer and this program put a scan in the same place.
_SAME_PLACE = 0.25


def volumeDoubts(volumeNode: Any, image: Image) -> tuple[Doubt, ...]:
    """The doubts about a volume: its file's, and what its voxels show.

    Only the header of the file is read, of DICOM one attribute of one image. A volume that was made in Slicer has those
    of its voxels only.
    """
    ofVoxels = (*size_doubts(image), *mark_doubts(image.array))
    return (*_fileDoubts(volumeNode, image), *_dicomDoubts(volumeNode), *ofVoxels)


def _dicomDoubts(volumeNode: Any) -> tuple[Doubt, ...]:
    """Slicer's reader inverts MONOCHROME1 before the rescale, though it only says how to show values."""
    uids = (volumeNode.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None or not database.isOpen:
        return ()
    if (database.instanceValue(uids[0], _PHOTOMETRIC_TAG) or "").strip().upper() != "MONOCHROME1":
        return ()
    text = (
        "The scan's images are MONOCHROME1, and Slicer inverts the values of such images when it loads them, so masks "
        "would be wrong. Segment the DICOM folder with the command line, which does not."
    )
    return (Doubt(DoubtKind.VALUES, text),)


def _fileDoubts(volumeNode: Any, image: Image) -> tuple[Doubt, ...]:
    storageNode = volumeNode.GetStorageNode()
    name = storageNode.GetFileName() if storageNode is not None else None
    if not name or not str(name).lower().endswith(_SUFFIXES) or not Path(name).is_file():
        return ()
    try:
        scan = open_scan(Path(name))
    except GeometryError as error:
        return (Doubt(DoubtKind.GRID, f"Slicer opened the scan, but {_lowered(error.message)}"),)
    except (SATSegmentError, ImportError, OSError):
        return ()  # of a kind that only Slicer reads, or the package that reads it is not installed
    doubts = tuple(doubt for doubt in scan.doubts if doubt.kind is not DoubtKind.GRID)
    moved = not volumeNode.GetModifiedSinceRead() and _apart(scan.ijk_to_ras, image) > _SAME_PLACE
    if moved or len(doubts) < len(scan.doubts):
        text = "The file says two things about where or how large its voxels are, and Slicer took one of them: "
        text += "it differs from what the file's main transform and unit say." if moved else "check place and sides."
        doubts = (*doubts, Doubt(DoubtKind.GRID, text))
    return doubts


def _apart(ijk_to_ras: np.ndarray, image: Image) -> float:
    """How far the corners of the volume are from where the file has them, in voxels."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float).T
    corners[:3] *= np.array(image.array.shape[::-1])[:, None] - 1
    off = np.linalg.norm(((ijk_to_ras - image.ijk_to_ras) @ corners)[:3], axis=0).max()
    return float(off / np.linalg.norm(ijk_to_ras[:3, :3], axis=0).min())


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
