"""Hears of changes to the chosen scan: a loader adds a volume first, and gives it voxels and DICOM tags after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk

from SATSegmentLib.gui.signal import Connections

# Loaders set a volume's parts one after the other in one go; one look after it is enough.
_PAUSE_MS = 50


class ScanWatch:
    """Calls `changed()` a moment after the watched volume's voxels, attributes or transform have changed.

    Parameters
    ----------
    changed : Callable[[], None]
        Called in Qt's thread.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._node: Any = None
        self._tags: list[int] = []
        self._connections = Connections()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._connections.connect(self._timer, "timeout()", changed)

    def watch(self, volumeNode: Any) -> None:
        """Watch this volume and no other; None for none."""
        self._timer.stop()
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node, self._tags = volumeNode, []
        if volumeNode is not None:
            events = (
                vtk.vtkCommand.ModifiedEvent,
                slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
                slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            )
            self._tags = [volumeNode.AddObserver(event, self._onEvent) for event in events]

    def release(self) -> None:
        """Let go of the volume and of all connections."""
        self.watch(None)
        self._connections.release()

    def _onEvent(self, caller: Any, event: str) -> None:
        self._timer.start()
