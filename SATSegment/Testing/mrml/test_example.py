"""A segment becomes a mask on the volume's own voxels, however it was drawn."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from mrml.mrml_phantom import SHAPE, addLinearTransform, addVolume, box, grid
from vtk.util.numpy_support import vtk_to_numpy

from helpers.results import result
from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.mrml.example import exampleOf
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults

LEFT, RIGHT = box(2, 5, 2, 8, 3, 6), box(2, 5, 2, 8, 8, 11)
LEFT_ID, RIGHT_ID = "SAT_mri_left_hippocampus", "SAT_mri_right_hippocampus"


def scan(scene, kind: str = "oblique"):
    return addVolume(scene, np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), grid(kind))


def segmented(volumeNode):
    node = createSegmentation(volumeNode)
    writeResults(node, volumeNode, [result("left hippocampus", LEFT), result("right hippocampus", RIGHT)])
    return node


@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
def test_the_mask_is_the_segment_and_only_that_segment(scene, kind: str) -> None:
    volumeNode = scan(scene, kind)
    node = segmented(volumeNode)
    for identifier, expected in ((LEFT_ID, LEFT), (RIGHT_ID, RIGHT)):
        found = exampleOf(volumeNode, node, identifier)
        image, mask = found.image, found.mask
        np.testing.assert_array_equal(mask, expected)
        assert image.array.shape == SHAPE
        np.testing.assert_allclose(image.ijk_to_ras, grid(kind))


def test_the_image_is_a_copy(scene) -> None:
    volumeNode = scan(scene)
    image = exampleOf(volumeNode, segmented(volumeNode), LEFT_ID).image
    before = image.array.copy()
    vtk_to_numpy(volumeNode.GetImageData().GetPointData().GetScalars())[:] = 7
    np.testing.assert_array_equal(image.array, before)


def test_a_segment_drawn_on_a_finer_grid_is_brought_onto_the_scans(scene) -> None:
    volumeNode = scan(scene)
    node = segmented(volumeNode)
    fine = slicer.vtkOrientedImageData()
    k, j, i = SHAPE
    fine.SetExtent(0, 2 * i - 1, 0, 2 * j - 1, 0, 2 * k - 1)
    affine = grid("oblique") @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1]])
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(affine.ravel().tolist())
    fine.SetGeometryFromImageToWorldMatrix(matrix)
    fine.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    doubled = LEFT.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    vtk_to_numpy(fine.GetPointData().GetScalars())[:] = doubled.ravel()
    segment = slicer.vtkSegment()
    segment.SetName("by hand")
    segment.AddRepresentation("Binary labelmap", fine)
    node.GetSegmentation().AddSegment(segment, "hand")
    mask = exampleOf(volumeNode, node, "hand").mask
    np.testing.assert_array_equal(mask, LEFT)


def test_what_is_no_example_is_refused(scene) -> None:
    volumeNode = scan(scene)
    node = segmented(volumeNode)
    with pytest.raises(ScanError, match="No segment"):
        exampleOf(volumeNode, node, "nothing of the kind")
    with pytest.raises(ScanError, match="No segment"):
        exampleOf(volumeNode, None, LEFT_ID)
    with pytest.raises(ScanError, match="No volume"):
        exampleOf(None, node, LEFT_ID)
    node.GetSegmentation().AddEmptySegment("empty")
    with pytest.raises(ScanError, match="Nothing of the segment"):
        exampleOf(volumeNode, node, "empty")
    warp = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
    node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(GeometryError, match=r"under the transform Warp, which is not linear, and .* no transform"):
        exampleOf(volumeNode, node, LEFT_ID)


def turned(degrees: float, *shift: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, shift[0]], [s, c, 0, shift[1]], [0, 0, 1, shift[2]], [0, 0, 0, 1]])


@pytest.mark.parametrize("which", ["volume", "segmentation", "both"])
def test_linear_transforms_of_one_or_both_are_taken_into_account(scene, which: str) -> None:
    """Seen in the world, the segment lies where it lay before; its own coordinates are other ones."""
    volumeNode = scan(scene)
    node = segmented(volumeNode)
    own, other = turned(25, 7, -3, 2), turned(-40, 1, 5, -8)
    if which in ("volume", "both"):
        volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, own).GetID())
    if which in ("segmentation", "both"):
        node.SetAndObserveTransformNodeID(addLinearTransform(scene, other).GetID())
    forVolume = own if which != "segmentation" else np.eye(4)
    forNode = other if which != "volume" else np.eye(4)
    move = vtk.vtkTransform()
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((np.linalg.inv(forNode) @ forVolume).ravel().tolist())
    move.SetMatrix(matrix)
    for identifier in (LEFT_ID, RIGHT_ID):
        labelmap = node.GetSegmentation().GetSegment(identifier).GetRepresentation("Binary labelmap")
        alone = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(identifier, alone)
        slicer.vtkOrientedImageDataResample.TransformOrientedImage(alone, move, True)
        own_segment = node.GetSegmentation().GetSegment(identifier)
        own_segment.AddRepresentation("Binary labelmap", alone)
        own_segment.SetLabelValue(1)
        assert labelmap is not alone
    for identifier, expected in ((LEFT_ID, LEFT), (RIGHT_ID, RIGHT)):
        example = exampleOf(volumeNode, node, identifier)
        np.testing.assert_array_equal(example.mask, expected)
        np.testing.assert_allclose(example.image.ijk_to_ras, grid("oblique"))


def test_one_that_lies_elsewhere_says_which_transform_takes_it_there(scene) -> None:
    volumeNode = scan(scene)
    node = segmented(volumeNode)
    transform = addLinearTransform(scene, turned(0, 900, 0, 0))
    transform.SetName("Far away")
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(ScanError, match=r"segmentation is under the transform Far away, and .* is under no transform"):
        exampleOf(volumeNode, node, LEFT_ID)
