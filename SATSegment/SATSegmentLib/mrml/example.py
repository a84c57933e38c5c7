"""From a volume node and a segment to an example that a word can be taught from."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.types import Example, Image


def exampleOf(volumeNode, segmentationNode, segmentId: str) -> Example:
    """A volume's image, and a segment as a mask on the volume's own grid (bool, KJI).

    A segment that was drawn on another grid is resampled to the nearest voxel. Both are copies: the scene may change
    while they are learned from.

    Raises
    ------
    ScanError: no volume, no such segment, or nothing of the segment lies in the volume.
    GeometryError: volume and segmentation are not under the same transform.
    """
    image = imageFromVolume(volumeNode)
    segment = None if segmentationNode is None else segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise ScanError("No segment is chosen.", "Choose the segment that shows the structure.")
    if segmentationNode.GetTransformNodeID() != volumeNode.GetTransformNodeID():
        raise GeometryError(
            f"{segmentationNode.GetName()} and {volumeNode.GetName()} are not under the same transform.",
            "Put both under one transform, or harden it (module Data).",
        )
    mask = _maskOnGrid(segmentationNode, segmentId, image)
    if not mask.any():
        raise ScanError(f"Nothing of the segment {segment.GetName()} lies in the volume.", "Mark the structure first.")
    return Example(Image(np.array(image.array), image.ijk_to_ras), mask)


def _maskOnGrid(segmentationNode, segmentId: str, image: Image) -> np.ndarray:
    labelmap = slicer.vtkOrientedImageData()
    mask = np.zeros(image.array.shape, bool)
    if not segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap) or labelmap.IsEmpty():
        return mask
    reference = slicer.vtkOrientedImageData()
    k, j, i = image.array.shape
    reference.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    toRas = vtk.vtkMatrix4x4()
    toRas.DeepCopy(np.asarray(image.ijk_to_ras, float).ravel().tolist())
    reference.SetGeometryFromImageToWorldMatrix(toRas)
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
