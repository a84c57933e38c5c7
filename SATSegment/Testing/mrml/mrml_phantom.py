"""Volumes with a known place, results with known voxels, and what Slicer says about them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

SHAPE = (10, 12, 14)  # K, J, I


def grid(kind: str) -> np.ndarray:
    """IJK to RAS of an axial, a flipped, a permuted and an oblique grid."""
    c, s = np.cos(0.4), np.sin(0.4)
    return {
        "axial": np.array([[1.0, 0, 0, -5], [0, 1.2, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]]),
        "flipped": np.array([[-1.0, 0, 0, 50], [0, -1.2, 0, 60], [0, 0, 3.0, 7], [0, 0, 0, 1]]),
        "permuted": np.array([[0, 0, 3.0, -5], [-1.0, 0, 0, 6], [0, 1.2, 0, 7], [0, 0, 0, 1]]),
        "oblique": np.array([[c, -1.2 * s, 0, -5], [s, 1.2 * c, 0, 6], [0, 0, -3.0, 7], [0, 0, 0, 1]]),
    }[kind]


def addVolume(scene, array: np.ndarray, ijkToRas: np.ndarray, name: str = "scan"):
    imageData = vtk.vtkImageData()
    imageData.SetDimensions(*array.shape[::-1])
    imageData.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    volumeNode = slicer.vtkMRMLScalarVolumeNode()
    volumeNode.SetName(name)
    volumeNode.SetAndObserveImageData(imageData)
    volumeNode.SetIJKToRASMatrix(matrix(ijkToRas))
    scene.AddNode(volumeNode)
    return volumeNode


def addLinearTransform(scene, array: np.ndarray):
    node = slicer.vtkMRMLLinearTransformNode()
    node.SetMatrixTransformToParent(matrix(array))
    scene.AddNode(node)
    return node


def matrix(array: np.ndarray):
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(array, float).ravel().tolist())
    return result


def fromMatrix(found) -> np.ndarray:
    return np.array([[found.GetElement(row, column) for column in range(4)] for row in range(4)])


def box(*bounds: int) -> np.ndarray:
    k0, k1, j0, j1, i0, i1 = bounds
    full = np.zeros(SHAPE, bool)
    full[k0:k1, j0:j1, i0:i1] = True
    full[k0, j0, i0] = False  # no mask fills its box: a mirrored one would show
    return full


def worldPoints(segmentationNode, identifier: str) -> np.ndarray:
    """World positions (mm) of a segment's voxels as Slicer computes them, sorted."""
    labelmap = slicer.vtkOrientedImageData()
    assert segmentationNode.GetBinaryLabelmapRepresentation(identifier, labelmap)
    i0, i1, j0, j1, k0, k1 = labelmap.GetExtent()
    shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    values = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)
    found = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(found)
    toWorld = vtk.vtkMatrix4x4()
    if segmentationNode.GetParentTransformNode():
        segmentationNode.GetParentTransformNode().GetMatrixTransformToWorld(toWorld)
    indices = np.argwhere(values > 0) + np.array([k0, j0, i0])
    return _sorted(indices, fromMatrix(toWorld) @ fromMatrix(found))


def expectedPoints(full: np.ndarray, ijkToWorld: np.ndarray) -> np.ndarray:
    return _sorted(np.argwhere(full), ijkToWorld)


def _sorted(kji: np.ndarray, ijkToWorld: np.ndarray) -> np.ndarray:
    homogeneous = np.c_[kji[:, ::-1], np.ones(len(kji))]
    points = np.round((homogeneous @ ijkToWorld.T)[:, :3], 4) + 0.0  # no -0
    return points[np.lexsort(points.T)]
