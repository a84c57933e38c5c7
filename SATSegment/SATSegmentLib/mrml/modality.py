"""Which modality a volume says it is: for scripts, which must not be given a guess."""

from __future__ import annotations

from typing import Any

import slicer

from SATSegmentLib.errors import PromptError
from SATSegmentLib.types import DICOM_MODALITIES, MODALITY_CHOICE, Modality

_MODALITY_TAG = "0008,0060"


def dicomModality(volumeNode: Any) -> str:
    """The DICOM modality, upper case ("CT", "MR"); empty where none is known."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volumeNode.GetScene())
    if hierarchy is not None:
        item = hierarchy.GetItemByDataNode(volumeNode)
        said = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
        if said:
            return said.strip().upper()
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if uids and database is not None and database.isOpen:
        return (database.instanceValue(uids[0], _MODALITY_TAG) or "").strip().upper()
    return ""


def statedModality(volumeNode: Any) -> Modality | None:
    """The modality of a volume by its DICOM tags; None where they do not say, or say one that SAT does not support."""
    if volumeNode is None or volumeNode.GetScene() is None:
        return None  # What is wrong with the volume is said later, and better.
    return DICOM_MODALITIES.get(dicomModality(volumeNode))


def requireModality(volumeNode: Any) -> Modality:
    """As `statedModality`.

    Raises
    ------
    PromptError
        The volume does not say.
    """
    found = statedModality(volumeNode)
    if found is None:
        raise PromptError("The modality of the volume is not known.", f"Say {MODALITY_CHOICE}.")
    return found
