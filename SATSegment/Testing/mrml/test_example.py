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
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, np.eye(4)).GetID())
    with pytest.raises(GeometryError, match="same transform"):
        exampleOf(volumeNode, node, LEFT_ID)
