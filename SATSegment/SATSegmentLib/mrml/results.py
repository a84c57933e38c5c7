"""From segments, as they are now, back to results that can be written."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.mrml.example import maskOnGrid
from SATSegmentLib.mrml.segmentations import LABELMAP
from SATSegmentLib.mrml.transforms import toVolume
from SATSegmentLib.mrml.volumes import arrayFromMatrix
from SATSegmentLib.types import Image, Prompt, SegmentResult

# Two grids are one while no voxel of theirs is further apart than this, in voxels.
_SAME_VOXELS = 1e-3


def resultOf(segmentationNode: Any, segmentId: str, prompt: Prompt, volumeNode: Any, image: Image) -> SegmentResult:
    """A segment's voxels on the grid of a volume, with what follows from them; what only a run knows is left at zero.

    Parameters
    ----------
    segmentId : str
        Of the segment; empty for a structure that was not found.
    prompt : Prompt
        What the segment is of.
    volumeNode, image : Any, Image
        The scan, as a node and as `mrml.volumes.imageFromVolume` has it.

    Raises
    ------
    GeometryError
        The segmentation is under a transform that is not linear.
    """
    cropped = CroppedMask(np.zeros(0, np.uint8))
    if segmentId:
        cropped = _cropped(segmentationNode, segmentId, volumeNode, image)
    grid, voxels = Grid.of(image), cropped.voxels
    return SegmentResult(
        prompt=prompt,
        status="found" if voxels else "empty",
        cropped=cropped,
        voxels=voxels,
        volume_ml=voxels * grid.voxel_ml,
        mean_probability=0.0,
        max_probability=0.0,
        cut_by=grid.touched_sides(cropped.box) if cropped else (),
        orientation=prompt.orientation,
        device="",
        precision="",
        seconds=0.0,
    )


def _cropped(segmentationNode: Any, segmentId: str, volumeNode: Any, image: Image) -> CroppedMask:
    matrix = toVolume(segmentationNode, volumeNode)
    if np.allclose(matrix, np.eye(4), atol=1e-9):
        found = _inPlace(segmentationNode, segmentId, image)
        if found is not None:
            return found
    return CroppedMask.from_array(maskOnGrid(segmentationNode, segmentId, image, matrix))


def _inPlace(segmentationNode: Any, segmentId: str, image: Image) -> CroppedMask | None:
    """The segment's own voxels where they are voxels of the scan; None where they are of another grid.

    Resampling goes through the whole scan for each segment: seconds for a hundred of them.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    labelmap = segment.GetRepresentation(LABELMAP)
    if labelmap is None or segmentationNode.GetSegmentation().GetSourceRepresentationName() != LABELMAP:
        return None
    if labelmap.IsEmpty() or labelmap.GetPointData().GetScalars() is None:
        return CroppedMask(np.zeros(0, np.uint8))
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    toIndex = np.linalg.inv(image.ijk_to_ras) @ arrayFromMatrix(matrix)
    i0, i1, j0, j1, k0, k1 = labelmap.GetExtent()
    largest = np.array([max(abs(i0), abs(i1)), max(abs(j0), abs(j1)), max(abs(k0), abs(k1)), 1], float)
    if np.max(np.abs(toIndex - np.eye(4))[:3] @ largest) > _SAME_VOXELS:
        return None
    shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    inside = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape) == segment.GetLabelValue()
    # A labelmap may go on beyond the scan; what is drawn there is no voxel of it.
    kept = []
    for low, size, whole in zip((k0, j0, i0), shape, image.array.shape, strict=True):
        kept.append(slice(max(-low, 0), max(min(size, whole - low), 0)))
    offset = [low + side.start for low, side in zip((k0, j0, i0), kept, strict=True)]
    return CroppedMask.from_array(inside[tuple(kept)], offset)
