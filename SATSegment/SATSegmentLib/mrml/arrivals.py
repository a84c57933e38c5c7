"""Structures of a run that goes on, shown as they are finished, and taken away again where the run comes to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from SATSegmentLib.mrml.segmentations import (
    addSegment,
    changedSince,
    checkTarget,
    createSegmentation,
    removeNode,
    removeSegment,
    stampOf,
)
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import Prompt, SegmentResult


class Arrivals:
    """Only what the segmentation does not have yet is added; an earlier result stays until the run is complete.

    Parameters
    ----------
    volumeNode : vtkMRMLScalarVolumeNode
        The scan.
    prompts : sequence of Prompt
        What was asked for.
    segmentationNode : vtkMRMLSegmentationNode or None
        Where segments go; by default a new node, made when it is needed.
    name : str
        Of a new node.

    Attributes
    ----------
    isNew : bool
        Whether the node was made here.
    """

    def __init__(self, volumeNode: Any, prompts: Sequence[Prompt], segmentationNode: Any, name: str) -> None:
        self._volumeNode, self._node, self._name = volumeNode, segmentationNode, name
        self._ids = [segment_id(prompt) for prompt in prompts]
        self._stamps: dict[str, int] = {}
        self.isNew = False

    def target(self) -> Any:
        """The segmentation; a new one where there is none, or where it was deleted during the run."""
        if self._node is None or self._node.GetScene() is None:
            self._node, self.isNew, self._stamps = createSegmentation(self._volumeNode, self._name), True, {}
        return self._node

    @property
    def shown(self) -> set[str]:
        """Ids of the segments that were added."""
        return set(self._stamps)

    def show(self, index: int, result: SegmentResult) -> None:
        """Add a structure that was found.

        Parameters
        ----------
        index : int
            Its place among the prompts; segments get their order from it, not from when they are finished.

        Raises
        ------
        GeometryError, ScanError
            As `segmentations.checkTarget`.
        """
        if not result.voxels or (self._stamps and self._node.GetScene() is None):
            return  # a segmentation that a user has deleted does not come back with each structure
        node, identifier = self.target(), self._ids[index]
        segmentation = node.GetSegmentation()
        if segmentation.GetSegment(identifier) is not None:
            return
        checkTarget(node, self._volumeNode)
        following = (one for one in self._ids[index + 1 :] if one in self._stamps)
        nextId = next((one for one in following if segmentation.GetSegment(one) is not None), "")
        addSegment(node, self._volumeNode, result, nextId)
        self._stamps[identifier] = stampOf(segmentation.GetSegment(identifier))

    def edited(self) -> set[str]:
        """Those of the shown segments that a user has changed since."""
        return changedSince(self._node, self._stamps) if self._node is not None else set()

    def discard(self) -> None:
        """Take away what was added, and a node that was made for it; what a user has drawn since then stays."""
        node = self._node
        if node is None or node.GetScene() is None or node.GetScene().IsClosing():
            return
        for identifier in self.shown - self.edited():
            removeSegment(node, identifier)
        self._stamps = {}
        if self.isNew and not node.GetSegmentation().GetNumberOfSegments():
            removeNode(node)
