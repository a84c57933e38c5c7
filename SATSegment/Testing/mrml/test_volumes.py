"""A volume node becomes an image at the same place, or is refused with a remedy."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import slicer
import vtk
from mrml.mrml_phantom import SHAPE, addLinearTransform, addVolume, grid

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.mrml.volumes import imageFromVolume

VOXELS = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
def test_voxels_and_place_are_those_of_the_node(scene, kind: str) -> None:
    image = imageFromVolume(addVolume(scene, VOXELS, grid(kind)))
    np.testing.assert_array_equal(image.array, VOXELS)
    np.testing.assert_allclose(image.ijk_to_ras, grid(kind), atol=1e-12)


def test_a_linear_transform_is_left_to_the_segmentation(scene) -> None:
    volumeNode = addVolume(scene, VOXELS, grid("oblique"))
    moved = np.eye(4)
    moved[0, 3] = 7
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, moved).GetID())
    np.testing.assert_allclose(imageFromVolume(volumeNode).ijk_to_ras, grid("oblique"), atol=1e-12)


def test_a_mirroring_transform_is_told(scene, caplog: pytest.LogCaptureFixture) -> None:
    volumeNode = addVolume(scene, VOXELS, grid("axial"))
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, np.diag([-1.0, 1, 1, 1])).GetID())
    with caplog.at_level(logging.WARNING):
        imageFromVolume(volumeNode)
    assert "mirrored" in caplog.text


@pytest.mark.parametrize("outer", [False, True])
def test_a_non_linear_transform_is_refused_also_further_up(scene, outer: bool) -> None:
    volumeNode = addVolume(scene, VOXELS, grid("axial"))
    bent = slicer.vtkMRMLGridTransformNode()
    scene.AddNode(bent)
    if outer:
        linear = addLinearTransform(scene, np.eye(4))
        linear.SetAndObserveTransformNodeID(bent.GetID())
        volumeNode.SetAndObserveTransformNodeID(linear.GetID())
    else:
        volumeNode.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(GeometryError, match="non-linear") as caught:
        imageFromVolume(volumeNode)
    assert "Harden" in caught.value.remedy


def colourVolume(scene):
    imageData = vtk.vtkImageData()
    imageData.SetDimensions(2, 2, 2)
    imageData.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node = slicer.vtkMRMLVectorVolumeNode()
    node.SetName("photo")
    node.SetAndObserveImageData(imageData)
    return scene.AddNode(node)


def labelMap(scene):
    node = slicer.vtkMRMLLabelMapVolumeNode()
    node.SetName("labels")
    return scene.AddNode(node)


def emptyVolume(scene):
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName("nothing")
    return scene.AddNode(node)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda scene: None, "No volume"),
        (lambda scene: scene.AddNode(slicer.vtkMRMLModelNode()), "No volume"),
        (colourVolume, "3 values per voxel"),
        (labelMap, "label map"),
        (emptyVolume, "no voxels"),
    ],
)
def test_what_is_no_scan_is_refused(scene, make, message: str) -> None:
    with pytest.raises(ScanError, match=message) as caught:
        imageFromVolume(make(scene))
    assert caught.value.remedy
