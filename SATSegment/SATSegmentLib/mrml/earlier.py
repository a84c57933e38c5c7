"""Structures that a segmentation holds from earlier runs, as results to compare new ones with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import vtk

from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.mrml.record import records
from SATSegmentLib.mrml.snapshot import masksOf
from SATSegmentLib.mrml.volumes import arrayFromMatrix
from SATSegmentLib.types import Image, Prompt, SegmentResult

# Millimetres: a segment on another grid than the scan's is not compared, because its voxels are others.
_SAME_GRID = 1e-3


def earlierResults(
    segmentationNode: Any, image: Image, volumeNode: Any, without: Collection[str]
) -> list[SegmentResult]:
    """The structures of earlier runs, with the voxels that their segments have now.

    Parameters
    ----------
    segmentationNode : vtkMRMLSegmentationNode or None
        What holds them.
    image : Image
        The scan.
    volumeNode : vtkMRMLScalarVolumeNode
        The same scan's node.
    without : collection of str
        Ids of segments that the run replaces.
    """
    if segmentationNode is None or segmentationNode.GetScene() is None:
        return []
    segmentation = segmentationNode.GetSegmentation()
    said = {one: entry for one, entry in _recorded(segmentationNode).items() if one not in without}
    ids = [one for one in said if segmentation.GetSegment(one) is not None]
    own, grid = vtk.vtkMatrix4x4(), Grid.of(image)
    volumeNode.GetIJKToRASMatrix(own)
    found = []
    for identifier, (mask, geometry) in masksOf(segmentation, ids).items():
        if geometry is None or not mask.voxels or not _isSame(geometry, own) or not _isWithin(mask.box, image):
            continue
        entry = said[identifier]
        prompt = Prompt(str(entry["text"]), entry["modality"], concept=str(entry.get("concept", "")))
        found.append(
            SegmentResult(
                prompt=prompt,
                status="found",
                cropped=mask,
                voxels=mask.voxels,
                volume_ml=mask.voxels * grid.voxel_ml,
                mean_probability=float(entry.get("mean_probability", 0.0)),
                max_probability=float(entry.get("max_probability", 0.0)),
                cut_by=grid.touched_sides(mask.box),
                orientation=prompt.orientation,
                device="",
                precision="",
                seconds=0.0,
            )
        )
    return found


def _recorded(segmentationNode: Any) -> dict[str, dict[str, Any]]:
    """What the record last said of each segment."""
    found: dict[str, dict[str, Any]] = {}
    for entry in records(segmentationNode):
        for one in entry.get("prompts", ()):
            if {"segment", "text", "modality"} <= one.keys():
                found[one["segment"]] = one
    return found


def _isSame(one: Any, other: Any) -> bool:
    return bool(np.allclose(arrayFromMatrix(one), arrayFromMatrix(other), atol=_SAME_GRID))


def _isWithin(box: Box, image: Image) -> bool:
    return all(side.start >= 0 and side.stop <= size for side, size in zip(box, image.array.shape, strict=True))
