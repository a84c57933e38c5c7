"""The DICOM files behind a volume, and segments as results on its grid: what an export needs of the scene."""

from __future__ import annotations

import types

import numpy as np
import pytest
import slicer
import vtk
from mrml.mrml_phantom import SHAPE, addLinearTransform, addVolume, box, grid
from vtk.util.numpy_support import vtk_to_numpy

from helpers.results import result
from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.mrml.dicom_files import dicomFiles
from SATSegmentLib.mrml.results import resultOf
from SATSegmentLib.mrml.segmentations import checkTarget, createSegmentation, writeResults
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.types import Prompt

MASKS = {"left hippocampus": box(2, 5, 2, 8, 3, 6), "brainstem": box(4, 9, 3, 9, 4, 12)}  # these two overlap
PROMPT = Prompt("left hippocampus", "mri")


def scan(scene, kind: str = "oblique", name: str = "scan"):
    return addVolume(scene, np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), grid(kind), name)


def segmented(volumeNode):
    node = createSegmentation(volumeNode)
    writeResults(node, volumeNode, [result(text, mask) for text, mask in MASKS.items()])
    return node


def database(monkeypatch, files: dict[str, str], isOpen: bool = True) -> None:
    """As much of ctkDICOMDatabase as is asked: what it does not know gives an empty text."""
    stand_in = types.SimpleNamespace(isOpen=isOpen, fileForInstance=lambda uid: files.get(uid, ""))
    monkeypatch.setattr(slicer, "dicomDatabase", stand_in, raising=False)


def test_the_files_come_in_the_order_of_the_volumes_images(scene, monkeypatch) -> None:
    database(monkeypatch, {"1.2": "/x/b.dcm", "1.1": "/x/a.dcm"})
    volumeNode = scan(scene)
    volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2 1.1")
    assert dicomFiles(volumeNode) == ("/x/b.dcm", "/x/a.dcm")


@pytest.mark.parametrize(
    ("uids", "files", "isOpen", "reason"),
    [
        (None, {}, True, "was not loaded from Slicer's DICOM database"),
        ("1.1 1.2", {"1.1": "/a"}, True, "1 of the 2 images of scan are no longer in"),
        ("1.1", {"1.1": "/a"}, False, "database is not open"),
    ],
)
def test_why_there_are_no_files_is_said(scene, monkeypatch, uids, files, isOpen, reason) -> None:
    database(monkeypatch, files, isOpen)
    volumeNode = scan(scene)
    if uids:
        volumeNode.SetAttribute("DICOM.instanceUIDs", uids)
    with pytest.raises(ScanError, match=reason):
        dicomFiles(volumeNode)


def voxels(volumeNode, node, text: str) -> np.ndarray:
    identifier = f"SAT_mri_{text.replace(' ', '_')}"
    found = resultOf(node, identifier, Prompt(text, "mri"), volumeNode, imageFromVolume(volumeNode))
    assert found.voxels == found.mask.sum()
    return found.whole_mask(SHAPE)


@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
@pytest.mark.parametrize("moved", [False, True])
def test_segments_come_back_as_the_masks_they_were_made_from(scene, kind: str, moved: bool) -> None:
    volumeNode = scan(scene, kind)
    if moved:
        shift = np.eye(4)
        shift[:3, 3] = (7, -3, 11)
        volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, shift).GetID())
    node = segmented(volumeNode)
    for text, mask in MASKS.items():
        np.testing.assert_array_equal(voxels(volumeNode, node, text), mask)


def test_what_was_edited_on_another_extent_or_grid_comes_back_too(scene) -> None:
    """The Segment Editor's effects leave labelmaps that go beyond the scan, or lie on a finer grid."""
    volumeNode = scan(scene)
    node = segmented(volumeNode)
    segment = node.GetSegmentation().GetSegment("SAT_mri_brainstem")
    for finer in (1, 2):
        labelmap = slicer.vtkOrientedImageData()
        k, j, i = (n * finer for n in SHAPE)
        labelmap.SetExtent(-3, i + 1, -2, j + 4, 0, k - 1)
        step = np.diag([1 / finer] * 3 + [1.0])
        step[:3, 3] = (1 / finer - 1) / 2
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy((grid("oblique") @ step).ravel().tolist())
        labelmap.SetGeometryFromImageToWorldMatrix(matrix)
        labelmap.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        values = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(k, j + 7, i + 5)
        values[...] = 0
        mask = MASKS["brainstem"].repeat(finer, 0).repeat(finer, 1).repeat(finer, 2)
        values[:, 2 : j + 2, 3 : i + 3] = mask
        values[:, 0] = 1  # beyond the scan
        segment.SetLabelValue(1)
        segment.AddRepresentation("Binary labelmap", labelmap)
        np.testing.assert_array_equal(voxels(volumeNode, node, "brainstem"), MASKS["brainstem"])


def test_a_segmentation_moved_against_its_scan_gives_the_voxels_that_are_seen(scene) -> None:
    volumeNode = scan(scene, "axial")
    node = segmented(volumeNode)
    shift = np.eye(4)
    shift[0, 3] = 2.0  # two voxels
    node.SetAndObserveTransformNodeID(addLinearTransform(scene, shift).GetID())
    np.testing.assert_array_equal(
        voxels(volumeNode, node, "left hippocampus"), np.roll(MASKS["left hippocampus"], 2, axis=2)
    )


def test_results_of_another_scan_are_refused(scene) -> None:
    first, second = scan(scene, "axial", "CT of May"), scan(scene, "axial", "CT of June")
    node = segmented(first)
    before = node.GetSegmentation().GetNumberOfSegments()
    for other in (second, scan(scene, "flipped", "CT of July")):
        with pytest.raises(GeometryError, match=r"holds segments of CT of May, not of CT of (June|July)"):
            writeResults(node, other, [result("spinal cord", MASKS["brainstem"])])
    assert node.GetSegmentation().GetNumberOfSegments() == before
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is first
    for identifier in ("SAT_mri_left_hippocampus", "SAT_mri_brainstem"):
        node.GetSegmentation().RemoveSegment(identifier)
    writeResults(node, second, [result("spinal cord", MASKS["brainstem"])])  # an empty one belongs to nobody


def test_where_the_scan_is_gone_its_grid_decides(scene) -> None:
    """As after loading a .seg.nrrd beside the scan."""
    first = scan(scene, "oblique")
    node = segmented(first)
    scene.RemoveNode(first)
    checkTarget(node, scan(scene, "oblique", "the same, loaded again"))
    for kind in ("axial", "flipped", "permuted"):
        with pytest.raises(GeometryError, match="on another grid than that of scan"):
            checkTarget(node, scan(scene, kind))
