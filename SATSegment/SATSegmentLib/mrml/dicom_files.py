"""The DICOM files that a volume was loaded from."""

from __future__ import annotations

from typing import Any

import slicer

from SATSegmentLib.errors import ScanError

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"


def dicomFiles(volumeNode: Any) -> tuple[str, ...]:
    """Where they lie, as Slicer's DICOM database has them.

    Raises
    ------
    ScanError
        The volume was not loaded from the database, or the database has its files no more.
    """
    uids = (volumeNode.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    if not uids:
        raise ScanError(
            f"{volumeNode.GetName()} was not loaded from Slicer's DICOM database, so there are no DICOM images that a "
            "result could refer to.",
            "Load the scan with the module DICOM and segment that, or save the segmentation as .seg.nrrd (File, Save).",
        )
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise ScanError("Slicer's DICOM database is not open.", "Open the module DICOM once, then export again.")
    files = tuple(str(database.fileForInstance(uid) or "") for uid in uids)
    missing = sum(not file for file in files)
    if missing:
        raise ScanError(
            f"{missing} of the {len(files)} images of {volumeNode.GetName()} are no longer in Slicer's DICOM database.",
            "Import the scan into the database again (module DICOM), then export.",
        )
    return files
