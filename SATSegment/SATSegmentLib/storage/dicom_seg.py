"""Results as a DICOM Segmentation (SEG) that refers to the series it was made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from SATSegmentLib.errors import OutputError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.segments.style import SegmentStyle, segment_id, style_of
from SATSegmentLib.storage.dicom_codes import code_sequence, terminology_of
from SATSegmentLib.storage.dicom_series import Placed, SourceFrame, SourceSeries, used_slices
from SATSegmentLib.storage.seg_voxels import fractions, labels_or_channels
from SATSegmentLib.storage.written import NO_DETAILS, Algorithm, Details, ResultDetails, WrittenSegmentation
from SATSegmentLib.types import Prompt, SegmentResult

SegmentationKind = Literal["binary", "labelmap", "fractional"]
_MANUFACTURER = "SATSegment"


def write_dicom_seg(
    path: str | os.PathLike[str],
    series: SourceSeries,
    results: Sequence[SegmentResult],
    algorithm: Algorithm,
    *,
    kind: SegmentationKind = "binary",
    style: Callable[[Prompt], SegmentStyle] = style_of,
    details: Details = NO_DETAILS,
    overwrite: bool = False,
) -> WrittenSegmentation:
    """Write results as one DICOM SEG object, whole or not at all.

    Slices without a mask are left out. Structures may overlap where `kind` is not "labelmap".

    Parameters
    ----------
    path : str | os.PathLike[str]
        File to write, ending in .dcm.
    series : SourceSeries
        The images that were segmented.
    results : Sequence[SegmentResult]
        Of the scan that `series` shows; empty ones become no segment.
    algorithm : Algorithm
        Written as the algorithm identification of each segment.
    kind : SegmentationKind, optional
        "binary" (one bit per voxel and segment; every reader knows it), "labelmap" (since DICOM 2024d; small), or
        "fractional" (probabilities in steps of 1/255, of results that keep them).
    style : Callable[[Prompt], SegmentStyle], optional
        Colour of a prompt.
    details : Details, optional
        What is known of single results beside that.
    overwrite : bool, optional
        Whether an older file may be replaced.

    Raises
    ------
    OutputError
        Nothing was found, structures overlap in a labelmap, probabilities were not kept, or see `atomic_path`.

    Notes
    -----
    DICOM PS3.3 A.51 (Segmentation IOD), C.8.20; labelmaps: A.51 as of 2024d. The encoding is highdicom's.
    """
    target = Path(path).expanduser()
    found = [result for result in results if result.voxels]
    not_found = tuple(result.prompt.text for result in results if result.status == "empty")
    if not found:
        raise OutputError(
            "None of the structures was found, and a DICOM segmentation holds at least one.",
            "Lower the threshold, or look at the scan.",
        )
    placed = _probabilities(series, found) if kind == "fractional" else [series.place(result) for result in found]
    with tempfile.TemporaryDirectory(prefix="satsegment-") as scratch:
        seg = _segmentation(series, found, placed, algorithm, kind, style, details, Path(scratch))
    with atomic_path(target, overwrite=overwrite) as temporary:
        seg.save_as(temporary, enforce_file_format=True)
    return WrittenSegmentation(target, tuple(segment_id(r.prompt) for r in found), not_found, 1)


write_label_map = partial(write_dicom_seg, kind="labelmap")
write_probabilities = partial(write_dicom_seg, kind="fractional")


def _probabilities(series: SourceSeries, found: Sequence[SegmentResult]) -> list[Placed]:
    kept = [result.probability for result in found if result.probability is not None]
    if len(kept) < len(found):
        raise OutputError(
            "These results hold masks only, and a fractional segmentation holds probabilities.",
            "Run again with RunOptions(keep_probabilities=True), or write the binary kind.",
        )
    return [series.place_probability(probability) for probability in kept]


def _segmentation(
    series: SourceSeries,
    found: Sequence[SegmentResult],
    placed: Sequence[Placed],
    algorithm: Algorithm,
    kind: SegmentationKind,
    style: Callable[[Prompt], SegmentStyle],
    details: Details,
    scratch: Path,
) -> Any:
    import highdicom

    slices = list(used_slices(placed))
    voxels = (fractions if kind == "fractional" else labels_or_channels)(placed, slices, series.shape, scratch)
    if kind == "labelmap" and voxels.ndim == 4:
        raise OutputError(
            "Some of the structures overlap, which a DICOM label map cannot hold.",
            "Write the binary kind, or fewer structures into one file.",
        )
    frames = [series.frames[index] for index in slices]
    several = any(int(frame.header.get("NumberOfFrames") or 1) > 1 for frame in frames)
    seg = highdicom.seg.Segmentation(
        source_images=_one_file(series, slices) if several else _single_frames(series, slices),
        pixel_array=voxels,
        segmentation_type=kind.upper(),
        segment_descriptions=[
            _description(n, result, algorithm, style, details.get(result.prompt, ResultDetails()))
            for n, result in enumerate(found, start=1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=_series_number(series),
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=_MANUFACTURER,
        manufacturer_model_name="SATSegment",
        software_versions=algorithm.version,
        device_serial_number="1",
        content_label="SEGMENTATION",
        content_description="Segmentation by text prompts; research use only",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=True,
    )
    seg.SeriesDescription = f"Segmentation ({algorithm.name})"[:64]
    _add_modifiers(seg, found)
    if several:
        _true_references(seg, frames)
    return seg


def _single_frames(series: SourceSeries, slices: list[int]) -> list[Dataset]:
    headers = []
    first = series.frames[slices[0]]
    for index in slices:
        header = Dataset(series.frames[index].header)
        # One orientation for all: they were found equal, but may be written with other digits.
        header.ImageOrientationPatient = first.header.ImageOrientationPatient
        headers.append(_complete(header))
    return headers


def _one_file(series: SourceSeries, slices: list[int]) -> list[Dataset]:
    """A header as if the file held just these frames, in this order."""
    frames = [series.frames[index] for index in slices]
    header = Dataset(frames[0].header)
    shared = Dataset()
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = _decimals(frames[0].spacing)
    measures.SliceThickness = _decimals([_slice_distance(series)])[0]
    orientation.ImageOrientationPatient = _decimals(frames[0].orientation)
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    header.SharedFunctionalGroupsSequence = DicomSequence([shared])
    groups = []
    for frame in frames:
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = _decimals(frame.position)
        group.PlanePositionSequence = DicomSequence([position])
        groups.append(group)
    header.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    header.NumberOfFrames = len(groups)
    return [_complete(header)]


def _decimals(values: Iterable[float]) -> list[DSfloat]:
    """Numbers within the 16 characters of a decimal string."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def _slice_distance(series: SourceSeries) -> float:
    if len(series.frames) == 1:
        return 1.0
    first, last = series.frames[0], series.frames[-1]
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    return float(abs((last.position - first.position) @ normal) / (len(series.frames) - 1))


def _complete(header: Dataset) -> Dataset:
    """Attributes that a SEG has to have and anonymised images often lack, as empty ones."""
    empty = ("AccessionNumber", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
             "StudyTime", "ReferringPhysicianName")  # fmt: skip
    for name in empty:
        if name not in header:
            setattr(header, name, "")
    return header


def _series_number(series: SourceSeries) -> int:
    # Behind the series it belongs to, where viewers sort by number.
    number = int(series.frames[0].header.get("SeriesNumber") or 0)
    return min(max(number, 0) * 100 + 50, 2**31 - 1)


def _description(
    number: int,
    result: SegmentResult,
    algorithm: Algorithm,
    style: Callable[[Prompt], SegmentStyle],
    details: ResultDetails,
) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    algorithm = details.algorithm or algorithm
    terminology = terminology_of(result.prompt)
    parameters = {"prompt": result.prompt.text, "network_sha256": algorithm.sha256}
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=(details.name or result.prompt.text)[:64],
        segmented_property_category=_coded(terminology.category),
        segmented_property_type=_coded(terminology.type),
        algorithm_type="SEMIAUTOMATIC" if details.edited else "AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=algorithm.name[:64],
            version=algorithm.version,
            family=codes.DCM.ArtificialIntelligence,
            source="SATSegment",
            parameters={key: value for key, value in parameters.items() if value},
        ),
        tracking_uid=highdicom.UID(),
        tracking_id=segment_id(result.prompt)[:64],
        anatomic_regions=[_coded(terminology.region)] if terminology.region else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*style(result.prompt).color),
    )


def _coded(code: Any) -> Any:
    import highdicom

    return highdicom.sr.CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning[:64])


def _add_modifiers(seg: Any, found: Sequence[SegmentResult]) -> None:
    """The sides, which highdicom has no argument for."""
    for segment, result in zip(seg.SegmentSequence[-len(found) :], found, strict=True):
        terminology = terminology_of(result.prompt)
        if terminology.type_modifier:
            kind = segment.SegmentedPropertyTypeCodeSequence[0]
            kind.SegmentedPropertyTypeModifierCodeSequence = code_sequence(terminology.type_modifier)
        if terminology.region and terminology.region_modifier:
            segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = code_sequence(
                terminology.region_modifier
            )


def _true_references(seg: Any, frames: Sequence[SourceFrame]) -> None:
    """Frames were counted among those that are used, as if one file held them; the files' own numbers begin at 1."""
    seen: set[int] = set()  # segments on one slice share its reference
    for group in seg.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", []):
            for source in derivation.SourceImageSequence:
                if "ReferencedFrameNumber" in source and id(source) not in seen:
                    seen.add(id(source))
                    frame = frames[int(source.ReferencedFrameNumber) - 1]
                    source.ReferencedFrameNumber = frame.number + 1
                    source.ReferencedSOPInstanceUID = frame.header.SOPInstanceUID
    # A volume may lie in several multi-frame files, a concatenation.
    files = {str(frame.header.SOPInstanceUID): frame.header for frame in frames}
    instances = []
    for uid, header in files.items():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, uid
        instances.append(item)
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence = DicomSequence(instances)
