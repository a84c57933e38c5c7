"""Taking back what one step did to a segmentation, and doing it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from SATSegmentLib.mrml.segmentations import changedSince, putBesideVolume, removeNode, stampOf
from SATSegmentLib.mrml.snapshot import NodeSnapshot

# No segment has it: one with this stamp counts as edited.
_NEVER = -1


class RunUndo:
    """What the segments that a step will change were before it, and, once it is taken back, what they were after it.

        undo = RunUndo(segmentationNode, [segment_id(prompt) for prompt in prompts])
        writeResults(segmentationNode, volumeNode, results)
        undo.written()
        undo.undo()
        undo.redo()

    Parameters
    ----------
    segmentationNode : vtkMRMLSegmentationNode
        Where the step will write.
    segmentIds : iterable of str
        What it may write.
    isNew : bool
        Whether the node was made for the step; then taking back removes it.
    shown : iterable of str
        Segments that the step has added already; before it they were not there.
    """

    def __init__(
        self, segmentationNode: Any, segmentIds: Iterable[str], isNew: bool = False, shown: Iterable[str] = ()
    ) -> None:
        self.segmentationNode = segmentationNode
        self.isNew = isNew
        self._ids = list(dict.fromkeys(segmentIds))
        self._before = NodeSnapshot(segmentationNode, self._ids, shown)
        self._after: NodeSnapshot | None = None
        self._stamps: dict[str, int] = {}
        # Of all segments, before the step: what differs from an earlier step's stamps was edited between the two.
        segmentation = segmentationNode.GetSegmentation()
        there = (segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments()))
        self.stampsBefore = {one: stampOf(segmentation.GetSegment(one)) for one in there}
        # Taken out of their scene by `undo`, in the order in which `redo` puts them back.
        self._removed: tuple[Any, list[Any]] | None = None

    def written(self, edited: Iterable[str] = ()) -> None:
        """The step has written: what changes from now on was the user, and what is `edited` already."""
        self.restamp(())
        self._stamps |= dict.fromkeys(edited, _NEVER)

    @property
    def possible(self) -> bool:
        """Whether the segmentation is still there, or was taken away by `undo` itself."""
        return self._removed is not None or self.segmentationNode.GetScene() is not None

    def editedIds(self) -> set[str]:
        """Those of the step's segments that may have been changed after it."""
        return changedSince(self.segmentationNode, self._stamps)

    def editedBefore(self, later: RunUndo) -> set[str]:
        """Those of the step's segments that may have been changed between it and a later step."""
        return {one for one, stamp in self._stamps.items() if later.stampsBefore.get(one, stamp) != stamp}

    def editedSince(self) -> list[str]:
        """Names of the step's segments that may have been changed after it; taking back would lose that."""
        edited, segmentation = self.editedIds(), self.segmentationNode.GetSegmentation()
        return [segmentation.GetSegment(one).GetName() for one in self._stamps if one in edited]

    def restamp(self, edited: Iterable[str]) -> None:
        """Take the segments as they are now for unchanged, but for those that a user has edited."""
        segmentation, kept = self.segmentationNode.GetSegmentation(), set(edited)
        for identifier in self._ids:
            segment = segmentation.GetSegment(identifier)
            if identifier in kept:
                continue
            if segment is None:
                self._stamps.pop(identifier, None)
            else:
                self._stamps[identifier] = stampOf(segment)

    def undo(self) -> None:
        """Make the segmentation what it was; segments that the step did not write stay as they are now."""
        node = self.segmentationNode
        segmentation = node.GetSegmentation()
        there = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
        if self.isNew and not set(there) - set(self._ids):
            self._remove()
            return
        self._after = NodeSnapshot(node, self._ids)
        self._before.apply()
        self.restamp(())

    def redo(self) -> None:
        """Make the segmentation what it was before `undo`."""
        if self._removed is not None:
            scene, nodes = self._removed
            self._removed = None
            for one in nodes:
                scene.AddNode(one)
            node = self.segmentationNode
            putBesideVolume(node, node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()))
        elif self._after is not None:
            self._after.apply()
            self._after = None
        self.restamp(())

    def _remove(self) -> None:
        """Take the node out of its scene, with the nodes that are only there for it."""
        scene = self.segmentationNode.GetScene()
        # Known before the node is gone: whoever hears of that asks whether the step is still possible.
        self._removed = (scene, [])
        self._removed = (scene, removeNode(self.segmentationNode))
