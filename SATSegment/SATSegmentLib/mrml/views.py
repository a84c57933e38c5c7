"""What the views of a scene show, and bringing structures into them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import vtk

from SATSegmentLib.mrml.segmentations import SURFACE, jumpToSegment
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import SegmentResult

# How much of a 3-D view's height a structure takes that is brought into its middle.
_FILLS = 0.75


def sliceStates(scene: Any) -> dict[str, tuple[float, ...]]:
    """Where each slice view stands: by the node's id, the elements of its matrix."""
    return {node.GetID(): _elements(node.GetSliceToRAS()) for node in _nodes(scene, "vtkMRMLSliceNode")}


def moveToResults(
    segmentationNode: Any, volumeNode: Any, results: Sequence[SegmentResult], before: dict[str, tuple[float, ...]]
) -> bool:
    """Move the slice views to the first structure that was found, where none of them lies in a slice that is shown.

    Parameters
    ----------
    volumeNode : vtkMRMLScalarVolumeNode
        The scan in whose grid the results are.
    before : dict
        What `sliceStates` gave when the run began: nothing is moved where a user has moved a view since.

    Returns
    -------
    bool
        Whether the views were moved.
    """
    slices = [node for node in _nodes(segmentationNode.GetScene(), "vtkMRMLSliceNode") if node.GetID() in before]
    shown = [node for node in slices if node.IsMappedInLayout()] or slices
    found = [result for result in results if result.voxels]
    if not shown or not found or any(_elements(one.GetSliceToRAS()) != before[one.GetID()] for one in slices):
        return False
    toWorld = _indexToWorld(volumeNode)
    if any(_cuts(one, _corners(result, toWorld)) for result in found for one in shown):
        return False
    jumpToSegment(segmentationNode, segment_id(found[0].prompt))
    return True


def somethingIn3D(scene: Any, besides: Any) -> bool:
    """Whether the 3-D views show anything but this segmentation."""
    for node in _nodes(scene, "vtkMRMLDisplayableNode"):
        if node is besides:
            continue
        displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
        visible = [one for one in displays if one is not None and one.GetVisibility() and one.GetVisibility3D()]
        if any(_drawsIn3D(node, one) for one in visible):
            return True
    return False


def centre3DViews(segmentationNode: Any) -> None:
    """Point the cameras of all 3-D views at a segmentation, from the side they look from, and as far as it is large."""
    bounds = [0.0] * 6
    segmentationNode.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    if not (np.isfinite(bounds).all() and (low <= high).all()):
        return
    middle, radius = (low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, 1.0)
    for camera in _nodes(segmentationNode.GetScene(), "vtkMRMLCameraNode"):
        direction = np.array(camera.GetPosition()) - np.array(camera.GetFocalPoint())
        length = float(np.linalg.norm(direction))
        direction = direction / length if length > 0 else np.array([0.0, 1.0, 0.0])
        distance = radius / _FILLS / math.sin(math.radians(camera.GetViewAngle()) / 2)
        wasModifying = camera.StartModify()
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle + distance * direction))
        if camera.GetParallelProjection():
            camera.SetParallelScale(radius / _FILLS)
        camera.ResetClippingRange()
        camera.EndModify(wasModifying)


def _drawsIn3D(node: Any, display: Any) -> bool:
    if node.IsA("vtkMRMLSegmentationNode"):
        return bool(node.GetSegmentation().ContainsRepresentation(SURFACE))
    if node.IsA("vtkMRMLModelNode"):
        return node.GetPolyData() is not None and node.GetPolyData().GetNumberOfPoints() > 0
    if node.IsA("vtkMRMLMarkupsNode"):
        return node.GetNumberOfControlPoints() > 0
    # A volume is in the 3-D view where it is volume rendered; its other display nodes are of the slice views.
    return bool(display.IsA("vtkMRMLVolumeRenderingDisplayNode"))


def _indexToWorld(volumeNode: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    toWorld = np.array(_elements(matrix)).reshape(4, 4)
    transform = volumeNode.GetParentTransformNode()
    if transform is not None and transform.IsTransformToWorldLinear():
        transform.GetMatrixTransformToWorld(matrix)
        toWorld = np.array(_elements(matrix)).reshape(4, 4) @ toWorld
    return toWorld


def _corners(result: SegmentResult, toWorld: np.ndarray) -> np.ndarray:
    """The corners of a result's box in the world, (8, 3)."""
    low = np.array(result.cropped.offset) - 0.5
    ends = np.stack([low, low + result.cropped.shape])[:, ::-1]
    places = [(ends[a, 0], ends[b, 1], ends[c, 2], 1.0) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    return (np.array(places) @ toWorld.T)[:, :3]


def _cuts(sliceNode: Any, corners: np.ndarray) -> bool:
    """Whether a slice goes through a box."""
    plane = np.array(_elements(sliceNode.GetSliceToRAS())).reshape(4, 4)
    heights = (corners - plane[:3, 3]) @ plane[:3, 2]
    return bool(heights.min() <= 0 <= heights.max())


def _nodes(scene: Any, className: str) -> Iterable[Any]:
    return [scene.GetNthNodeByClass(n, className) for n in range(scene.GetNumberOfNodesByClass(className))]


def _elements(matrix: Any) -> tuple[float, ...]:
    return tuple(matrix.GetElement(row, column) for row in range(4) for column in range(4))
