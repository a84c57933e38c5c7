"""Small CT series for tests: classic or enhanced, any orientation, tilted, non-square, in any file order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

SPACING = (0.8, 1.1)  # between rows, between columns


def lps_affine(
    shape: tuple[int, int, int], orientation: Sequence[float], *, distance: float = 2.5, tilt: float = 0.0
) -> np.ndarray:
    """4x4 from (column, row, slice) to LPS; `tilt` shifts each slice along its columns' direction, in millimetres."""
    along, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    affine = np.eye(4)
    affine[:3, 0] = along * SPACING[1]
    affine[:3, 1] = down * SPACING[0]
    affine[:3, 2] = np.cross(along, down) * distance + down * tilt
    affine[:3, 3] = (-40.25, 12.5, -77.125)
    return affine


def write_classic(folder: Path, array: np.ndarray, affine: np.ndarray, order: Sequence[int] | None = None) -> None:
    """One file per slice of `array` (slice, row, column), the files in any order."""
    folder.mkdir(parents=True, exist_ok=True)
    base = _base(CTImageStorage, array)
    for number, index in enumerate(order if order is not None else range(len(array))):
        data = _copy(base)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.InstanceNumber = number + 1
        data.ImagePositionPatient = [f"{v:.6f}" for v in (affine @ [0, 0, index, 1])[:3]]
        data.ImageOrientationPatient = _orientation(affine)
        data.PixelSpacing = list(SPACING)
        data.SliceThickness = 2.5
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
        data.PixelData = (array[index] + 1024).astype(np.uint16).tobytes()
        data.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def write_enhanced(path: Path, array: np.ndarray, affine: np.ndarray, order: Sequence[int] | None = None) -> None:
    """All slices in one file, in any order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = list(order if order is not None else range(len(array)))
    data = _base(EnhancedCTImageStorage, array)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.InstanceNumber = 1
    data.NumberOfFrames = len(array)
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"]
    shared, measures, plane, values = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), 2.5
    plane.ImageOrientationPatient = _orientation(affine)
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1024, "HU"
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([plane])
    shared.PixelValueTransformationSequence = DicomSequence([values])
    data.SharedFunctionalGroupsSequence = DicomSequence([shared])
    groups = []
    for index in order:
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [f"{v:.6f}" for v in (affine @ [0, 0, index, 1])[:3]]
        group.PlanePositionSequence = DicomSequence([position])
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    data.PixelData = (array[order] + 1024).astype(np.uint16).tobytes()
    data.save_as(path, enforce_file_format=True)


def _orientation(affine: np.ndarray) -> list[str]:
    axes = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    return [f"{v:.8f}" for v in axes.T.ravel()]


def _base(sop_class: str, array: np.ndarray) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = sop_class
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = sop_class
    data.PatientName, data.PatientID = "Phantom^Test", "phantom"
    data.PatientBirthDate, data.PatientSex = "", ""
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.FrameOfReferenceUID = generate_uid()
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260101", "120000", "1", ""
    data.ReferringPhysicianName, data.PositionReferenceIndicator = "", ""
    data.Modality, data.Manufacturer, data.SeriesNumber = "CT", "Phantom", 3
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns = array.shape[1:]
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    return data


def _copy(base: Dataset) -> Dataset:
    import copy

    return copy.deepcopy(base)
