"""The parent transforms of nodes: what they do, and how they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.mrml.volumes import arrayFromMatrix


def toWorld(node: Any) -> np.ndarray:
    """From a node's own coordinates to the world, 4x4; the node is under no transform, or under a linear one."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix)


def toVolume(segmentationNode: Any, volumeNode: Any) -> np.ndarray:
    """From a segmentation's own coordinates to a volume's, 4x4: the unit matrix where both are under one transform.

    Raises
    ------
    GeometryError
        The segmentation is under a transform that is not linear.
    """
    transform = segmentationNode.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        raise GeometryError(
            f"{placeOf(segmentationNode)}, which is not linear, and {placeOf(volumeNode)}.",
            f"Harden {transform.GetName()} (module Data: right-click on the transform of the segmentation).",
        )
    return np.linalg.inv(toWorld(volumeNode)) @ toWorld(segmentationNode)


def placeOf(node: Any) -> str:
    """ "Head is under the transform Registration", "Head segmentation is under no transform"."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return f"{node.GetName()} is under no transform"
    return f"{node.GetName()} is under the transform {transform.GetName()}"
