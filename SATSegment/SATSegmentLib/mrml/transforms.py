"""The parent transforms of nodes: what they do, and how they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

from SATSegmentLib.mrml.volumes import arrayFromMatrix


def toWorld(node: Any) -> np.ndarray:
    """From a node's own coordinates to the world, 4x4; the node is under no transform, or under a linear one."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return arrayFromMatrix(matrix)


def placeOf(node: Any) -> str:
    """ "Head is under the transform Registration", "Head segmentation is under no transform"."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return f"{node.GetName()} is under no transform"
    return f"{node.GetName()} is under the transform {transform.GetName()}"
