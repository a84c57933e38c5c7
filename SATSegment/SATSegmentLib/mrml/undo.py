"""Taking back what one run did to a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from SATSegmentLib.mrml.record import RECORD_ATTRIBUTE
from SATSegmentLib.mrml.segmentations import LABELMAP, releaseSegments


@dataclass(frozen=True)
class _Kept:
    """A segment as it was, and the id of the one that came after it."""

    identifier: str
    segment: Any
    nextId: str


class RunUndo:
    """What the segments that a run will write were before it.

        undo = RunUndo(segmentationNode, [segment_id(prompt) for prompt in prompts])
        writeResults(segmentationNode, volumeNode, results)
        undo.written()
        undo.restore()

    Keeps copies cropped to the segments, so it costs little, and holds no scene state.

    Parameters
    ----------
    segmentationNode: where the run will write.
    segmentIds: what it may write.
    isNew: whether the node was made for the run; then taking back removes it.
    """

    def __init__(self, segmentationNode: Any, segmentIds: Sequence[str], isNew: bool = False) -> None:
        self.segmentationNode = segmentationNode
        self.isNew = isNew
        self._ids = list(segmentIds)
        self._record = segmentationNode.GetAttribute(RECORD_ATTRIBUTE)
        self._stamps: dict[str, int] = {}
        segmentation = segmentationNode.GetSegmentation()
        order = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
        self._kept = [
            _Kept(one, _copy(segmentation.GetSegment(one)), _after(order, one)) for one in order if one in self._ids
        ]

    def written(self) -> None:
        """The run has written: what changes from now on was the user."""
        segmentation = self.segmentationNode.GetSegmentation()
        for identifier in self._ids:
            segment = segmentation.GetSegment(identifier)
            if segment is not None:
                self._stamps[identifier] = _stamp(segment)

    @property
    def possible(self) -> bool:
        """Whether the segmentation is still there."""
        return self.segmentationNode.GetScene() is not None

    def editedSince(self) -> list[str]:
        """Names of the run's segments that may have been changed after it; taking back would lose that."""
        segmentation = self.segmentationNode.GetSegmentation()
        segments = [(one, segmentation.GetSegment(one)) for one in self._stamps]
        return [s.GetName() for one, s in segments if s is not None and _stamp(s) != self._stamps[one]]

    def restore(self) -> None:
        """Make the segmentation what it was; segments that the run did not write stay as they are now."""
        node = self.segmentationNode
        segmentation = node.GetSegmentation()
        foreign = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
        if self.isNew and not [one for one in foreign if one not in self._ids]:
            node.GetScene().RemoveNode(node)
            return
        wasModifying = node.StartModify()
        try:
            node.SetAttribute(RECORD_ATTRIBUTE, self._record)
            there = [one for one in self._ids if segmentation.GetSegment(one) is not None]
            releaseSegments(segmentation, there)
            for identifier in there:
                segmentation.RemoveSegment(identifier)
            for kept in reversed(self._kept):
                segmentation.AddSegment(kept.segment, kept.identifier, kept.nextId)
                kept.segment.Modified()
        finally:
            node.EndModify(wasModifying)


def _after(order: list[str], identifier: str) -> str:
    following = order[order.index(identifier) + 1 :]
    return following[0] if following else ""


def _stamp(segment: Any) -> int:
    """Changes when the segment's voxels may have been changed.

    A layer's time is that of all segments in it: better to ask once too often than to lose an edit.
    """
    labelmap = segment.GetRepresentation(LABELMAP)
    return labelmap.GetMTime() if labelmap is not None else 0


def _copy(segment: Any) -> Any:
    """A segment with a labelmap of its own, cropped to its voxels."""
    copy = slicer.vtkSegment()
    copy.DeepCopyMetadata(segment)
    labelmap = segment.GetRepresentation(LABELMAP)
    own = slicer.vtkOrientedImageData()
    scalars = labelmap.GetPointData().GetScalars() if labelmap is not None else None
    if scalars is not None:
        low_i, high_i, low_j, high_j, low_k, high_k = labelmap.GetExtent()
        shape = (high_k - low_k + 1, high_j - low_j + 1, high_i - low_i + 1)
        inside = vtk_to_numpy(scalars).reshape(shape) == segment.GetLabelValue()
        places = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
        if all(len(place) for place in places):
            box = tuple(slice(int(place[0]), int(place[-1]) + 1) for place in places)
            values = np.ascontiguousarray(inside[box]).astype(np.uint8)
            starts = [low + part.start for low, part in zip((low_k, low_j, low_i), box, strict=True)]
            k, j, i = starts
            depth, rows, columns = values.shape
            own.SetExtent(i, i + columns - 1, j, j + rows - 1, k, k + depth - 1)
            array = numpy_to_vtk(values.ravel(), deep=True)
            array.SetName("ImageScalars")
            own.GetPointData().SetScalars(array)
        own.CopyDirections(labelmap)
        own.SetOrigin(labelmap.GetOrigin())
        own.SetSpacing(labelmap.GetSpacing())
    copy.AddRepresentation(LABELMAP, own)
    copy.SetLabelValue(1)
    return copy
