"""One door for masks: a structure reads the same from whatever holds it, for comparing, teaching and training."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.dicom_results import ALGORITHM, ORIENTATIONS, SHAPE, masks, result_of, source_frames, to_ras
from helpers.dicom_series import lps_affine, write_classic
from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.evaluation.datasets import Datasets
from SATSegmentLib.evaluation.run import evaluate
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.learning.data.mask_files import find_masks
from SATSegmentLib.learning.data.mask_voxels import read_masks
from SATSegmentLib.masks.cases import find_cases
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.storage import write_segmentation
from SATSegmentLib.storage.dicom_seg import write_dicom_seg
from SATSegmentLib.storage.dicom_series import match_series
from SATSegmentLib.storage.rtstruct import write_rtstruct
from SATSegmentLib.types import Image


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same masks as .seg.nrrd, DICOM SEG, RTSTRUCT and a folder of NIfTI files, and the scan's grid."""
    root = tmp_path_factory.mktemp("masks")
    affine = lps_affine(SHAPE, ORIENTATIONS["axial"])
    write_classic(root / "scan", np.zeros(SHAPE, int), affine)
    grid = Grid(SHAPE, to_ras(affine))
    results = [result_of(mask, text) for text, mask in masks().items()]
    series = match_series(source_frames(root / "scan"), SHAPE, grid.ijk_to_ras)
    write_segmentation(root / "all.seg.nrrd", Image(np.zeros(SHAPE), grid.ijk_to_ras), results)
    write_dicom_seg(root / "seg.dcm", series, results, ALGORITHM)
    write_rtstruct(root / "rt.dcm", series, results, ALGORITHM)
    (root / "folder").mkdir()
    for text, mask in masks().items():
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(np.linalg.norm(affine[:3, :3], axis=0).tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        sitk.WriteImage(image, str(root / "folder" / f"{text}.nii.gz"))
    return root, grid


@pytest.mark.parametrize("name", ["all.seg.nrrd", "seg.dcm", "rt.dcm", "folder"])
def test_every_kind_gives_the_same_masks(written, name):
    root, grid = written
    opened = open_masks(root / name)
    given = {"left kidney": "Kidney_L", "spleen": "Spleen"} if name == "rt.dcm" else {}
    assert sorted(opened.names) == sorted(given.get(text, text) for text in masks())
    for text, mask in masks().items():
        found = opened.read(given.get(text, text), grid)
        np.testing.assert_array_equal(found.array, mask)
        np.testing.assert_allclose(found.ijk_to_ras, grid.ijk_to_ras, atol=1e-3)


@pytest.mark.parametrize("reference", ["all.seg.nrrd", "seg.dcm", "rt.dcm"])
@pytest.mark.parametrize("prediction", ["all.seg.nrrd", "seg.dcm", "rt.dcm"])
def test_any_kind_is_compared_with_any_other(written, reference, prediction):
    root, _ = written
    cases = [find_cases(root / name) for name in (reference, prediction)]
    datasets = Datasets("ct")
    if reference == prediction == "rt.dcm":
        with pytest.raises(GeometryError, match="both sides are contours"):
            evaluate(*cases, datasets)
        return
    scores = evaluate(*cases, datasets)
    assert {row.key.label: row.metric("dsc") for row in scores.rows} == dict.fromkeys(masks(), 1.0)


@pytest.mark.parametrize(("name", "label"), [("seg.dcm", "left kidney"), ("rt.dcm", "kidney_l")])
def test_training_reads_dicom_masks(written, name, label):
    root, grid = written
    sources, reasons = find_masks(name, [label], root)
    assert reasons == []
    (voxels,) = read_masks(sources, grid)
    np.testing.assert_array_equal(voxels.array, masks()["left kidney"])


@pytest.mark.parametrize(("file", "name"), [("seg.dcm", "left kidney"), ("rt.dcm", "Kidney_L")])
@pytest.mark.parametrize("times", [2, 3])
def test_masks_of_thicker_slices_are_no_masks_of_thin_ones(written, file, name, times):
    """Every second slice would be empty, and the volume half."""
    root, grid = written
    thin = grid.ijk_to_ras.copy()
    thin[:3, 2] /= times
    with pytest.raises(GeometryError, match=f"one of {times} slices of the scan only"):
        open_masks(root / file).read(name, Grid(((SHAPE[0] - 1) * times + 1, *SHAPE[1:]), thin))


def test_contours_need_the_scan_they_were_drawn_on(written):
    root, _ = written
    with pytest.raises(GeometryError, match="no voxels of their own"):
        open_masks(root / "rt.dcm").read("Kidney_L")


@pytest.mark.parametrize(
    ("maker", "square", "refused"), [("rt-utils", False, True), ("rt-utils", True, False), ("SATSegment", False, False)]
)
def test_contours_of_a_program_that_exchanges_the_spacings_are_refused_where_it_matters(
    tmp_path, monkeypatch, maker, square, refused
):
    if square:
        monkeypatch.setattr("helpers.dicom_series.SPACING", (0.75, 0.75))
    affine = lps_affine(SHAPE, ORIENTATIONS["axial"])
    write_classic(tmp_path / "scan", np.zeros(SHAPE, int), affine)
    grid = Grid(SHAPE, to_ras(affine))
    series = match_series(source_frames(tmp_path / "scan"), SHAPE, grid.ijk_to_ras)
    write_rtstruct(tmp_path / "rt.dcm", series, [result_of(masks()["spleen"], "spleen")], ALGORITHM)
    made = pydicom.dcmread(tmp_path / "rt.dcm")
    made.ManufacturerModelName = maker
    made.save_as(tmp_path / "rt.dcm")
    opened = open_masks(tmp_path / "rt.dcm")
    if refused:
        with pytest.raises(GeometryError, match="exchanges the two spacings"):
            opened.read("Spleen", grid)
    else:
        np.testing.assert_array_equal(opened.read("Spleen", grid).array, masks()["spleen"])


def test_what_is_no_mask_is_refused_by_name(written, tmp_path):
    root, _ = written
    with pytest.raises(ScanError, match="neither a segmentation nor a structure set"):
        open_masks(root / "scan" / "0000.dcm")
    (tmp_path / "notes.txt").write_text("liver")
    with pytest.raises(ScanError, match="none of the files that masks are read from"):
        open_masks(tmp_path / "notes.txt")
    with pytest.raises(ScanError, match="no file or folder"):
        open_masks(tmp_path / "nothing.dcm")


def test_pixels_without_a_size_are_refused(written, tmp_path):
    data = pydicom.dcmread(written[0] / "seg.dcm")
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0, 1]
    data.save_as(tmp_path / "flat.dcm")
    with pytest.raises(GeometryError, match=r"flat\.dcm, frame 1 is 0 x 1 mm; each must be finite and above zero"):
        open_masks(tmp_path / "flat.dcm")


@pytest.mark.parametrize("declared", [-1.0, 0.0, None, 1.0])
@pytest.mark.parametrize("frames", ["all", "one"])
def test_positions_say_where_slices_lie_whatever_sign_their_spacing_has(written, tmp_path, declared, frames):
    root, grid = written
    data = pydicom.dcmread(root / "seg.dcm")
    measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    distance = float(np.linalg.norm(grid.ijk_to_ras[:3, 2]))
    if declared is None:
        measures.pop("SpacingBetweenSlices", None)
    else:
        measures.SpacingBetweenSlices = declared * distance
    if frames == "one":
        data.NumberOfFrames = 1
        data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:1]
        data.PixelData = data.PixelData[: -(-int(data.Rows) * int(data.Columns) // 8) + 1]
    data.save_as(tmp_path / "seg.dcm")
    read = open_masks(tmp_path / "seg.dcm")
    name = read.names[0]
    alone, fitted = read.read(name), read.read(name, grid)
    assert np.linalg.norm(alone.ijk_to_ras[:3, 2]) == pytest.approx(distance, rel=1e-3)
    assert np.linalg.det(alone.ijk_to_ras[:3, :3]) * np.linalg.det(grid.ijk_to_ras[:3, :3]) > 0
    assert alone.array.sum() == fitted.array.sum() > 0
    if frames == "all":
        np.testing.assert_array_equal(fitted.array, masks()[name])
