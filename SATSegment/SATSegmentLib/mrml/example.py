"""From a volume node and a segment to an example that a word can be taught from."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.mrml.transforms import placeOf, toVolume
from SATSegmentLib.mrml.volumes import arrayFromMatrix, imageFromVolume, matrixFromArray
from SATSegmentLib.types import Example, Image


def exampleOf(volumeNode: Any, segmentationNode: Any, segmentId: str) -> Example:
    """A volume's image, and a segment as a mask on the volume's own grid (bool, KJI).

    A segment that was drawn on another grid, or lies under another linear transform, is resampled to the nearest voxel.
    Both are copies: the scene may change while they are learned from.

    Raises
    ------
    ScanError
        No volume, no such segment, or nothing of the segment lies in the volume.
    GeometryError
        Volume or segmentation is under a transform that is not linear.
    """
    image = imageFromVolume(volumeNode)
    segment = None if segmentationNode is None else segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise ScanError("No segment is chosen.", "Choose the segment that shows the structure.")
    matrix = toVolume(segmentationNode, volumeNode)
    mask = maskOnGrid(segmentationNode, segmentId, image, matrix)
    if not mask.any():
        where = "" if np.allclose(matrix, np.eye(4)) else f" {placeOf(segmentationNode)}, and {placeOf(volumeNode)}."
        raise ScanError(
            f"Nothing of the segment {segment.GetName()} lies in the volume.{where}", "Mark the structure first."
        )
    return Example(Image(np.array(image.array), image.ijk_to_ras), mask)


def maskOnGrid(segmentationNode: Any, segmentId: str, image: Image, toVolume: np.ndarray) -> np.ndarray:
    """A segment as a bool mask on an image's grid, by the nearest voxel; `toVolume` leads to the image's own space."""
    labelmap = slicer.vtkOrientedImageData()
    mask = np.zeros(image.array.shape, bool)
    if not segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap) or labelmap.IsEmpty():
        return mask
    if not np.allclose(toVolume, np.eye(4), atol=1e-9):
        own = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(own)
        labelmap.SetGeometryFromImageToWorldMatrix(matrixFromArray(toVolume @ arrayFromMatrix(own)))
    reference = slicer.vtkOrientedImageData()
    k, j, i = image.array.shape
    reference.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    reference.SetGeometryFromImageToWorldMatrix(matrixFromArray(image.ijk_to_ras))
    reference.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    onGrid = slicer.vtkOrientedImageData()
    if not slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        labelmap, reference, onGrid, False
    ):
        raise GeometryError("The segment could not be brought onto the volume's grid.", "Check both in module Data.")
    i0, i1, j0, j1, k0, k1 = onGrid.GetExtent()
    voxels = vtk_to_numpy(onGrid.GetPointData().GetScalars()).reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    # As asked for, its extent is the reference's, or a part of it.
    mask[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = voxels > 0
    return mask
