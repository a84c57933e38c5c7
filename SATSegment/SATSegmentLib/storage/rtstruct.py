"""Results as a DICOM RT Structure Set: planar contours on the slices of the series it was made from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from SATSegmentLib.errors import OutputError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.segments.style import SegmentStyle, segment_id, style_of
from SATSegmentLib.segments.tg263 import tg263_name
from SATSegmentLib.storage.contours import outlines
from SATSegmentLib.storage.dicom_codes import code_sequence, terminology_of
from SATSegmentLib.storage.dicom_series import SourceFrame, SourceSeries
from SATSegmentLib.storage.written import NO_DETAILS, Algorithm, Details, ResultDetails, WrittenSegmentation
from SATSegmentLib.types import Prompt, SegmentResult

_CONTOUR_DATA = Tag("ContourData")
_HOLES = "Holes are tied to their outline by keyholes."
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
_STUDY_IF_THERE = ("StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod", "SpecificCharacterSet")


def write_rtstruct(
    path: str | os.PathLike[str],
    series: SourceSeries,
    results: Sequence[SegmentResult],
    algorithm: Algorithm,
    *,
    style: Callable[[Prompt], SegmentStyle] = style_of,
    details: Details = NO_DETAILS,
    overwrite: bool = False,
) -> WrittenSegmentation:
    """Write results as one RT Structure Set, whole or not at all.

    Each structure is a ROI with closed planar contours on the slices of `series`. Its name is the one of AAPM TG-263
    where there is one; the ROI's description keeps the prompt.

    Parameters
    ----------
    path : str | os.PathLike[str]
        File to write, ending in .dcm.
    series : SourceSeries
        The images that were segmented; the contours lie in their frame of reference.
    results : Sequence[SegmentResult]
        Of the scan that `series` shows; empty ones become no ROI.
    algorithm : Algorithm
        Written as how the ROIs were made.
    style : Callable[[Prompt], SegmentStyle], optional
        Colour of a prompt.
    details : Details, optional
        What is known of single results beside that.
    overwrite : bool, optional
        Whether an older file may be replaced.

    Raises
    ------
    OutputError
        Nothing was found, the images have no frame of reference, or see `atomic_path`.

    Notes
    -----
    DICOM PS3.3 A.19 (RT Structure Set IOD), C.8.8.5, C.8.8.6, C.8.8.8.
    """
    target = Path(path).expanduser()
    found = [result for result in results if result.voxels]
    not_found = tuple(result.prompt.text for result in results if result.status == "empty")
    if not found:
        raise OutputError(
            "None of the structures was found, so there is nothing to outline.",
            "Lower the threshold, or look at the scan.",
        )
    structure_set = _structure_set(series, found, algorithm, style, details)
    with atomic_path(target, overwrite=overwrite) as temporary:
        structure_set.save_as(temporary, enforce_file_format=True)
    return WrittenSegmentation(target, tuple(segment_id(r.prompt) for r in found), not_found, 1)


def _structure_set(
    series: SourceSeries,
    found: Sequence[SegmentResult],
    algorithm: Algorithm,
    style: Callable[[Prompt], SegmentStyle],
    details: Details,
) -> Dataset:
    data = _empty_set(series, algorithm)
    rois, contours, observations = [], [], []
    names = roi_names([result.prompt for result in found], details)
    for number, (result, name) in enumerate(zip(found, names, strict=True), start=1):
        known = details.get(result.prompt, ResultDetails())
        rois.append(_roi(number, name, result, series, known.algorithm or algorithm, known.edited))
        contours.append(_roi_contour(number, result, series, style(result.prompt).color))
        observations.append(_observation(number, name, result))
    data.StructureSetROISequence = DicomSequence(rois)
    data.ROIContourSequence = DicomSequence(contours)
    data.RTROIObservationsSequence = DicomSequence(observations)
    return data


def roi_names(prompts: Sequence[Prompt], details: Details = NO_DETAILS) -> list[str]:
    """ROI names, each once: the user's own, TG-263's where it has one, else the prompt's words."""
    names: list[str] = []
    for prompt in prompts:
        name = details.get(prompt, ResultDetails()).name or tg263_name(prompt) or prompt.text
        if name in names:
            name = prompt.text
        base, n = name, 2
        while name in names:
            name, n = f"{base} {n}", n + 1
        names.append(re.sub(r"[\x00-\x1f\x7f\\]", " ", name)[:64])
    return names


def _empty_set(series: SourceSeries, algorithm: Algorithm) -> Dataset:
    source = series.frames[0].header
    frame_of_reference = str(source.get("FrameOfReferenceUID") or "")
    if not frame_of_reference:
        raise OutputError(
            "The images have no frame of reference, so contours on them would have no place.",
            "Write a DICOM segmentation or a .seg.nrrd instead.",
        )
    data = Dataset()
    data.file_meta = FileMetaDataset()
    # Implicit, because an explicit length of coordinates ends at 65,534 bytes, some 2,000 corners.
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    now = datetime.now()
    data.SOPClassUID, data.SOPInstanceUID = RTStructureSetStorage, generate_uid()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    for name in (*_PATIENT, *_STUDY):
        setattr(data, name, source.get(name, ""))
    for name in _STUDY_IF_THERE:
        if name in source:
            setattr(data, name, source.get(name))
    data.Modality, data.SeriesInstanceUID = "RTSTRUCT", generate_uid()
    data.SeriesNumber = min(int(source.get("SeriesNumber") or 0) * 100 + 51, 2**31 - 1)
    data.SeriesDescription = f"Contours ({algorithm.name})"[:64]
    data.OperatorsName = ""
    data.Manufacturer, data.ManufacturerModelName = "SATSegment", "SATSegment"
    data.SoftwareVersions = algorithm.version
    data.InstanceCreationDate = data.StructureSetDate = now.strftime("%Y%m%d")
    data.InstanceCreationTime = data.StructureSetTime = now.strftime("%H%M%S")
    data.StructureSetLabel = "SATSegment"
    data.StructureSetName = algorithm.name[:64]
    data.StructureSetDescription = f"Segmentation by text prompts; research use only. {_HOLES}"
    data.ApprovalStatus = "UNAPPROVED"
    data.FrameOfReferenceUID = frame_of_reference
    data.PositionReferenceIndicator = source.get("PositionReferenceIndicator", "") or ""
    data.ReferencedFrameOfReferenceSequence = DicomSequence([_referenced(series, frame_of_reference)])
    return data


def _referenced(series: SourceSeries, frame_of_reference: str) -> Dataset:
    source = series.frames[0].header
    item, study, one = Dataset(), Dataset(), Dataset()
    item.FrameOfReferenceUID = frame_of_reference
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, as the standard asks
    study.ReferencedSOPInstanceUID = source.StudyInstanceUID
    one.SeriesInstanceUID = source.SeriesInstanceUID
    images = []
    for header in series.headers:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        images.append(image)
    one.ContourImageSequence = DicomSequence(images)
    study.RTReferencedSeriesSequence = DicomSequence([one])
    item.RTReferencedStudySequence = DicomSequence([study])
    return item


def _roi(
    number: int, name: str, result: SegmentResult, series: SourceSeries, algorithm: Algorithm, edited: bool
) -> Dataset:
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = series.frames[0].header.FrameOfReferenceUID
    roi.ROIName = name
    roi.ROIDescription = result.prompt.text
    roi.ROIVolume = f"{result.volume_ml:.4g}"  # cubic centimetres
    roi.ROIGenerationAlgorithm = "SEMIAUTOMATIC" if edited else "AUTOMATIC"
    roi.ROIGenerationDescription = f"{algorithm.name} {algorithm.version}"[:64]
    return roi


def _roi_contour(number: int, result: SegmentResult, series: SourceSeries, color: tuple[int, int, int]) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(color)
    item.ReferencedROINumber = number
    contours = []
    for n, (frame, points) in enumerate(_polygons(result, series), start=1):
        contour, image = Dataset(), Dataset()
        image.ReferencedSOPClassUID = frame.header.SOPClassUID
        image.ReferencedSOPInstanceUID = frame.header.SOPInstanceUID
        if int(frame.header.get("NumberOfFrames") or 1) > 1:
            image.ReferencedFrameNumber = frame.number + 1
        contour.ContourImageSequence = DicomSequence([image])
        contour.ContourGeometricType = "CLOSED_PLANAR"
        contour.NumberOfContourPoints = len(points)
        contour.ContourNumber = n
        contour[_CONTOUR_DATA] = _coordinates(points)
        contours.append(contour)
    item.ContourSequence = DicomSequence(contours)
    return item


def _coordinates(points: np.ndarray) -> RawDataElement:
    """Contour data, ready to be written.

    Not through pydicom's decimal strings, which are checked one by one: minutes for the millions of a whole body.
    """
    # A ten-thousandth of a millimetre is below any voxel; zero is added to turn -0.0 into 0.0.
    text = "\\".join(f"{value:.4f}" for value in (np.round(points, 4) + 0.0).ravel()).encode("ascii")
    text += b" " * (len(text) % 2)
    return RawDataElement(_CONTOUR_DATA, "DS", len(text), text, 0, True, True)


def _polygons(result: SegmentResult, series: SourceSeries) -> Iterator[tuple[SourceFrame, np.ndarray]]:
    """Each slice's outlines in LPS millimetres, (n, 3)."""
    mask, low = series.place(result)
    for offset, plane in enumerate(mask):
        frame = series.frames[low[0] + offset]
        to_lps = frame.ijk_to_lps()[:3]
        for polygon in outlines(plane):
            indices = np.column_stack([polygon[:, 0] + low[2], polygon[:, 1] + low[1], np.ones(len(polygon))])
            yield frame, indices @ to_lps.T


def _observation(number: int, name: str, result: SegmentResult) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber = number
    observation.ReferencedROINumber = number
    observation.ROIObservationLabel = name[:16]
    observation.RTROIInterpretedType = "ORGAN"
    observation.ROIInterpreter = ""
    terminology = terminology_of(result.prompt)
    if terminology.category.value == "49755003":  # a finding is no organ
        observation.RTROIInterpretedType = ""
    kinds = code_sequence(terminology.type)
    if terminology.type_modifier:
        kinds[0].SegmentedPropertyTypeModifierCodeSequence = code_sequence(terminology.type_modifier)
    observation.RTROIIdentificationCodeSequence = kinds
    return observation
