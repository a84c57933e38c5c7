"""The renaming of a segment, as a step that can be taken back. No widgets."""

from __future__ import annotations

from typing import Any


class RenameStep:
    """Names are not voxels: nothing that a user has drawn is lost by taking a name back."""

    def __init__(self, segmentationNode: Any, segmentId: str, name: str) -> None:
        self.segmentationNode = segmentationNode
        self._segmentId = segmentId
        self._other = self._segment().GetName()
        self._segment().SetName(name)

    @property
    def possible(self) -> bool:
        return self.segmentationNode.GetScene() is not None

    def editedIds(self) -> set[str]:
        return set()

    def editedSince(self) -> list[str]:
        return []

    def restamp(self, edited: set[str]) -> None:
        """Nothing to remember."""

    def undo(self) -> None:
        segment = self._segment()
        if segment is not None:
            now = segment.GetName()
            segment.SetName(self._other)
            self._other = now

    redo = undo

    def _segment(self) -> Any:
        return self.segmentationNode.GetSegmentation().GetSegment(self._segmentId)
