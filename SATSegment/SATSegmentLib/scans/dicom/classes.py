"""Which DICOM objects are scans, and what the others are called."""

from __future__ import annotations

from pydicom import uid
from pydicom.dataset import Dataset

from SATSegmentLib.types import DICOM_MODALITIES

# What a scan may be stored as (PS3.6, SOP classes), and the modality it then has.
_SCANS = {
    uid.CTImageStorage: "ct",
    uid.EnhancedCTImageStorage: "ct",
    uid.LegacyConvertedEnhancedCTImageStorage: "ct",
    uid.MRImageStorage: "mri",
    uid.EnhancedMRImageStorage: "mri",
    uid.LegacyConvertedEnhancedMRImageStorage: "mri",
    uid.PositronEmissionTomographyImageStorage: "pet",
    uid.EnhancedPETImageStorage: "pet",
    uid.LegacyConvertedEnhancedPETImageStorage: "pet",
}
# Read where each frame says where it lies, with a doubt: nothing vouches for what the values mean.
_UNCERTAIN = (
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.XRay3DAngiographicImageStorage,
    uid.XRay3DCraniofacialImageStorage,
)


def modality_of(header: Dataset) -> str:
    """`ct`, `mri` or `pet`, from the SOP class and, where that is a general one, from Modality; else empty."""
    return _SCANS.get(header.get("SOPClassUID", ""), "") or DICOM_MODALITIES.get(str(header.get("Modality", "")), "")


def is_uncertain(header: Dataset) -> bool:
    """Whether the object is an image whose values may mean anything (secondary capture, cone-beam CT)."""
    return header.get("SOPClassUID", "") in _UNCERTAIN


def other_object(header: Dataset) -> str:
    """What the object is, in DICOM's words, where it is no scan; empty where it is one."""
    sop_class = header.get("SOPClassUID", "") or header.get("MediaStorageSOPClassUID", "")
    if sop_class in _SCANS or sop_class in _UNCERTAIN:
        return ""
    if not sop_class:
        # Very old files have no SOP class; their modality decides.
        modality = str(header.get("Modality", "")).strip()
        return "" if modality in DICOM_MODALITIES else f"object of modality {modality or 'unknown'}"
    name = uid.UID(sop_class).name
    return name.removesuffix(" Storage") if name != sop_class else f"object of the private or unknown class {sop_class}"
