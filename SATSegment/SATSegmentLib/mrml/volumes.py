"""From a volume node to an image the engine understands."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.types import Image


def imageFromVolume(volumeNode: Any) -> Image:
    """The voxels of a scalar volume node and where they are, before its parent transform.

    The voxels are not copied: they are valid until the volume changes. A linear parent transform is
    left out on purpose; the segmentation is put under the same one (`segmentations.writeResults`).

        image = imageFromVolume(slicer.util.getNode("CTChest"))

    Raises
    ------
    ScanError
        No volume, no voxels, a label map, colour or vector voxels.
    GeometryError
        The volume is under a non-linear transform.
    """
    checkVolume(volumeNode)
    imageData = volumeNode.GetImageData()
    columns, rows, slices = imageData.GetDimensions()
    array = vtk_to_numpy(imageData.GetPointData().GetScalars()).reshape(slices, rows, columns)
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return Image(array=array, ijk_to_ras=arrayFromMatrix(matrix))


def checkVolume(volumeNode: Any) -> None:
    """Refuse a node that is no scan, or whose place on the screen masks could not follow.

    Raises
    ------
    ScanError, GeometryError
        As `imageFromVolume`.
    """
    if volumeNode is None or not volumeNode.IsA("vtkMRMLScalarVolumeNode"):
        raise ScanError("No volume is chosen.", "Choose a scan that is loaded in Slicer.")
    name = volumeNode.GetName()
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise ScanError(f"{name} is a label map, not a scan.", "Choose the scan that it belongs to.")
    imageData = volumeNode.GetImageData()
    if imageData is None or not imageData.GetNumberOfPoints() or imageData.GetPointData().GetScalars() is None:
        raise ScanError(f"{name} has no voxels.", "Load the scan again.")
    components = imageData.GetNumberOfScalarComponents()
    if components > 1:
        raise ScanError(
            f"{name} holds {components} values per voxel (a colour or vector volume); SAT needs one.",
            "Choose a scalar volume (module Vector to Scalar Volume makes one).",
        )
    _checkTransform(volumeNode)


def _checkTransform(volumeNode: Any) -> None:
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is None:
        return
    if not transformNode.IsTransformToWorldLinear():
        raise GeometryError(
            f"{volumeNode.GetName()} is under a non-linear transform.",
            "Harden it first (module Data: right-click on the transform of the volume, Harden transform), "
            "or take the volume out of the transform.",
        )
    matrix = vtk.vtkMatrix4x4()
    transformNode.GetMatrixTransformToWorld(matrix)
    if np.linalg.det(arrayFromMatrix(matrix)[:3, :3]) < 0:
        # What is left in the scan is shown on the right: the scan's own header is believed, and the user told.
        logging.warning(
            f"{volumeNode.GetName()} is mirrored by its parent transform; left and right are those of the scan itself."
        )


def arrayFromMatrix(matrix: Any) -> np.ndarray:
    """A vtkMatrix4x4 as a 4x4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrixFromArray(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """A 4x4 array as a vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, float).ravel().tolist())
    return matrix


def volumeOf(segmentationNode: Any) -> Any:
    """The scan that a segmentation's results are of; None where it is not in the scene."""
    if segmentationNode is None:
        return None
    return segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole())
