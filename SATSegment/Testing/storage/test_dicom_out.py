"""DICOM SEG and RTSTRUCT from results: every voxel where it was, read back by other people's readers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.axis_orders import ORDERS, reordered
from helpers.dicom_results import ALGORITHM, ORIENTATIONS, SHAPE, masks, result_of, source_frames, to_ras
from helpers.dicom_series import lps_affine, write_classic, write_enhanced
from SATSegmentLib.errors import GeometryError, OutputError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.dicom_seg import DicomSegmentation
from SATSegmentLib.masks.rtstruct import StructureSet
from SATSegmentLib.storage.contours import filled, outlines
from SATSegmentLib.storage.dicom_seg import write_dicom_seg
from SATSegmentLib.storage.dicom_series import match_series
from SATSegmentLib.storage.rtstruct import write_rtstruct

KINDS = [(name, tilt, form) for name in ORIENTATIONS for tilt in (0.0, 0.9) for form in ("classic", "enhanced")]


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Folders of series by orientation, tilt and form, files and frames in no order, with their affine."""
    root, made = tmp_path_factory.mktemp("series"), {}
    rng = np.random.default_rng(3)
    for name, tilt, form in KINDS:
        affine = lps_affine(SHAPE, ORIENTATIONS[name], tilt=tilt)
        array, order = rng.integers(-900, 900, SHAPE), rng.permutation(SHAPE[0])
        folder = root / f"{name}-{tilt}-{form}"
        if form == "classic":
            write_classic(folder, array, affine, order)
        else:
            write_enhanced(folder / "scan.dcm", array, affine, order)
        made[name, tilt, form] = (source_frames(folder), affine)
    return made


def matched(source, axes=(0, 1, 2), flips=(False, False, False)):
    """The series as seen from a scan with these axes, its results, and the scan's grid."""
    frames, affine = source
    results = []
    for text, mask in masks().items():
        turned, lps = reordered(mask, affine, axes, flips)
        results.append(result_of(turned, text))
    grid = Grid(turned.shape, to_ras(lps))
    return match_series(frames, turned.shape, grid.ijk_to_ras), results, grid


@pytest.mark.parametrize("kind", KINDS)
def test_segments_come_back_in_place_from_any_orientation(series, tmp_path, kind):
    source, results, grid = matched(series[kind])
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    write_rtstruct(tmp_path / "rt.dcm", source, results, ALGORITHM)
    segments, regions = DicomSegmentation(tmp_path / "seg.dcm"), StructureSet(tmp_path / "rt.dcm")
    assert segments.names == tuple(masks())
    assert regions.names == ("Kidney_L", "liver tumor", "Spleen")
    for (text, mask), region in zip(masks().items(), regions.names, strict=True):
        np.testing.assert_array_equal(segments.read(text, grid).array, mask)
        np.testing.assert_array_equal(regions.read(region, grid).array, mask)


# Every permutation of the axes, with flips of both hands; the other 36 orders in the long tests.
@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=[] if n % 4 == n // 8 % 4 else pytest.mark.long) for n in range(48)]
)
def test_a_scan_with_other_axes_than_its_series_keeps_its_masks_place(series, tmp_path, number):
    """As a NIfTI made from the series may have."""
    form = ("classic", "enhanced")[number % 2]
    source, results, _ = matched(series["oblique", 0.9, form], *ORDERS[number])
    plain = Grid(SHAPE, to_ras(series["oblique", 0.9, form][1]))
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    write_rtstruct(tmp_path / "rt.dcm", source, results, ALGORITHM)
    segments, regions = DicomSegmentation(tmp_path / "seg.dcm"), StructureSet(tmp_path / "rt.dcm")
    for (text, mask), region in zip(masks().items(), regions.names, strict=True):
        np.testing.assert_array_equal(segments.read(text, plain).array, mask)
        np.testing.assert_array_equal(regions.read(region, plain).array, mask)


@pytest.mark.parametrize("kind", KINDS)
def test_highdicom_and_the_references_agree(series, tmp_path, kind):
    import highdicom

    source, results, _ = matched(series[kind])
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    there = {(str(f.header.SOPInstanceUID), f.number + 1): n for n, f in enumerate(source.frames)}
    for number, mask in enumerate(masks().values(), start=1):
        rebuilt = np.zeros(SHAPE, bool)
        for index, group in enumerate(seg.PerFrameFunctionalGroupsSequence):
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
                continue
            image = group.DerivationImageSequence[0].SourceImageSequence[0]
            slice_ = there[str(image.ReferencedSOPInstanceUID), int(image.get("ReferencedFrameNumber") or 1)]
            place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
            np.testing.assert_allclose(place, source.frames[slice_].position, atol=1e-5)
            rebuilt[slice_] = seg.pixel_array[index] > 0
        np.testing.assert_array_equal(rebuilt, mask)


def test_each_frame_refers_to_the_file_of_a_concatenation_that_it_is_in(tmp_path):
    """A multi-frame volume that was divided into two files."""
    affine = lps_affine(SHAPE, ORIENTATIONS["axial"])
    for part, start in ((slice(0, 3), 0), (slice(3, None), 3)):
        own = affine.copy()
        own[:3, 3] += affine[:3, 2] * start
        write_enhanced(tmp_path / "scan" / f"{start}.dcm", np.zeros(SHAPE, int)[part], own)
    files = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted((tmp_path / "scan").iterdir())]
    for data in files:
        data.SeriesInstanceUID = files[0].SeriesInstanceUID
    source, results, grid = matched((source_frames(tmp_path / "scan"), affine))
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    uids = [str(data.SOPInstanceUID) for data in files]
    listed = [str(item.ReferencedSOPInstanceUID) for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence]
    assert sorted(listed) == sorted(uids)
    for group in seg.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        data = files[uids.index(str(image.ReferencedSOPInstanceUID))]
        there = data.PerFrameFunctionalGroupsSequence[int(image.ReferencedFrameNumber) - 1].PlanePositionSequence[0]
        here = group.PlanePositionSequence[0]
        np.testing.assert_allclose(
            np.array(here.ImagePositionPatient, float), np.array(there.ImagePositionPatient, float), atol=1e-4
        )
    for text, mask in masks().items():
        np.testing.assert_array_equal(DicomSegmentation(tmp_path / "seg.dcm").read(text, grid).array, mask)


@pytest.mark.parametrize("form", ["classic", "enhanced"])
@pytest.mark.parametrize("name", ["axial", "sagittal", "oblique"])
def test_dcmqi_reads_every_voxel_where_it_was(series, tmp_path, name, form):
    source, results, grid = matched(series[name, 0.0, form])
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    tool = Path(sys.executable).parent / "segimage2itkimage"
    arguments = ["--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path, "-t", "nii", "--prefix", "out"]
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.ijk_to_ras
    for number, mask in enumerate(masks().values(), start=1):
        image = sitk.ReadImage(str(tmp_path / f"out-{number}.nii.gz"))
        found = np.argwhere(sitk.GetArrayFromImage(image))[:, ::-1]
        world = np.array([image.TransformIndexToPhysicalPoint([int(v) for v in index]) for index in found])
        index = world @ np.linalg.inv(lps)[:3, :3].T + np.linalg.inv(lps)[:3, 3]
        rebuilt = np.zeros(SHAPE, bool)
        rebuilt[tuple(np.rint(index).astype(int)[:, ::-1].T)] = True
        assert np.abs(index - np.rint(index)).max() < 0.01
        np.testing.assert_array_equal(rebuilt, mask)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian's dicom3tools is not installed")
@pytest.mark.parametrize("form", ["classic", "enhanced"])
def test_the_validator_finds_no_errors(series, tmp_path, form):
    source, results, _ = matched(series["oblique", 0.9, form])
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    write_rtstruct(tmp_path / "rt.dcm", source, results, ALGORITHM)
    for name in ("seg.dcm", "rt.dcm"):
        done = subprocess.run(["dciodvfy", "-new", tmp_path / name], capture_output=True, text=True, check=False)
        assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")] == []


def test_codes_sides_and_provenance_are_kept(series, tmp_path):
    source, results, _ = matched(series["axial", 0.0, "classic"])
    cyst, word = masks()["spleen"], masks()["liver tumor"]
    results = [results[0], result_of(cyst, "left kidney cyst", "ct"), result_of(word, "my own implant")]
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    kidney, cyst, own = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence
    assert kidney.SegmentedPropertyTypeCodeSequence[0].CodeValue == "64033007"
    modifier = kidney.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert (modifier.CodeValue, modifier.CodeMeaning) == ("7771000", "Left")
    region = cyst.AnatomicRegionSequence[0]
    assert region.CodeValue == "64033007"
    assert region.AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    assert own.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert own.SegmentLabel == "my own implant"
    made_by = kidney.SegmentationAlgorithmIdentificationSequence[0]
    assert (made_by.AlgorithmName, made_by.AlgorithmVersion) == ("SAT-Nano", "0.1.0")
    assert "ab" * 32 in made_by.AlgorithmParameters
    assert len({item.TrackingUID for item in (kidney, cyst, own)}) == 3


def test_a_label_map_holds_what_does_not_overlap_and_refuses_the_rest(series, tmp_path):
    source, results, grid = matched(series["axial", 0.0, "enhanced"])
    write_dicom_seg(tmp_path / "one.dcm", source, results[:1], ALGORITHM, kind="labelmap")
    np.testing.assert_array_equal(
        DicomSegmentation(tmp_path / "one.dcm").read("left kidney", grid).array, masks()["left kidney"]
    )
    with pytest.raises(OutputError, match="overlap"):
        write_dicom_seg(tmp_path / "all.dcm", source, results, ALGORITHM, kind="labelmap")
    assert not (tmp_path / "all.dcm").exists()


def test_what_was_not_found_is_left_out_and_said(series, tmp_path):
    source, results, _ = matched(series["axial", 0.0, "classic"])
    empty = result_of(np.zeros(SHAPE, bool), "pancreas")
    for write, name in ((write_dicom_seg, "seg.dcm"), (write_rtstruct, "rt.dcm")):
        written = write(tmp_path / name, source, [*results, empty], ALGORITHM)
        assert written.not_found == ("pancreas",)
        assert len(written.segment_ids) == 3
        with pytest.raises(OutputError, match="None of the structures"):
            write(tmp_path / "none.dcm", source, [empty], ALGORITHM)


def test_another_series_is_refused(series):
    frames, affine = series["axial", 0.0, "classic"]
    shifted = to_ras(affine).copy()
    shifted[2, 3] += 1.0
    with pytest.raises(GeometryError, match="no slice of it lies on the scan's grid"):
        match_series(frames, SHAPE, shifted)
    with pytest.raises(GeometryError, match=r"Only 6 of the scan's 7 slices"):
        match_series(frames[1:], SHAPE, to_ras(affine))
    with pytest.raises(GeometryError, match="more than one image"):
        match_series([*frames, frames[0]], SHAPE, to_ras(affine))


def test_a_file_without_the_scan_has_a_grid_of_its_own(series, tmp_path):
    source, results, grid = matched(series["oblique", 0.0, "classic"])
    write_dicom_seg(tmp_path / "seg.dcm", source, results, ALGORITHM)
    alone = DicomSegmentation(tmp_path / "seg.dcm").read("left kidney")
    assert alone.array.sum() == masks()["left kidney"].sum()
    first = np.argwhere(alone.array)[0][::-1]
    there = np.argwhere(masks()["left kidney"])[0][::-1]
    np.testing.assert_allclose((alone.ijk_to_ras @ [*first, 1])[:3], (grid.ijk_to_ras @ [*there, 1])[:3], atol=1e-3)


@pytest.mark.parametrize("seed", range(60))
def test_outlines_hold_just_the_voxels_of_the_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 14), rng.integers(1, 14))) < rng.choice([0.2, 0.5, 0.8, 0.95])
    np.testing.assert_array_equal(filled(outlines(mask), mask.shape), mask)
