"""qMRML widgets over real MRML nodes: what they hold and signal, not how they look."""

# The names are those of the classes that are stood in for.
# ruff: noqa: N801, N815

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal


class _SceneFollower:
    """Keeps (scene, tag) pairs and lets go of them."""

    def __init__(self) -> None:
        self._observed: list[tuple[Any, int]] = []

    def observe(self, source: Any, event: Any, callback: Any) -> None:
        self._observed.append((source, source.AddObserver(event, callback)))

    def letGo(self) -> None:
        for source, tag in self._observed:
            source.RemoveObserver(tag)
        self._observed = []


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows the scene and hands it on."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._sceneReceivers: list[Any] = []

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        for receiver in self._sceneReceivers:
            receiver.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


def _settable(name: str, kind: Any) -> Property:
    return Property(kind, lambda self: self._values[name], lambda self, value: self._set(name, value))


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A combo of the scene's nodes of some types, with "none" and "create new" where asked for."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    nodeTypes = _settable("nodeTypes", "QStringList")
    noneEnabled = _settable("noneEnabled", bool)
    addEnabled = _settable("addEnabled", bool)
    removeEnabled = _settable("removeEnabled", bool)
    renameEnabled = _settable("renameEnabled", bool)
    editEnabled = _settable("editEnabled", bool)
    showHidden = _settable("showHidden", bool)
    showChildNodeTypes = _settable("showChildNodeTypes", bool)
    selectNodeUponCreation = _settable("selectNodeUponCreation", bool)
    baseName = _settable("baseName", str)
    noneDisplay = _settable("noneDisplay", str)
    currentNodeID = Property(str, lambda self: self._current, lambda self, value: self.setCurrentNodeID(value))

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        row.addWidget(self._combo)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self.setFocusProxy(self._combo)
        self._values: dict[str, Any] = {
            "nodeTypes": [], "noneEnabled": False, "addEnabled": True, "removeEnabled": True, "renameEnabled": False,
            "editEnabled": False, "showHidden": False, "showChildNodeTypes": True, "baseName": "",
            "selectNodeUponCreation": True, "noneDisplay": "None",
        }  # fmt: skip
        self._scene: Any = None
        self._current: str = ""
        self._requested: str = ""
        self._follower = _SceneFollower()
        self._combo.currentIndexChanged.connect(self._onIndex)
        self._combo.activated.connect(self._onActivated)
        self.destroyed.connect(self._follower.letGo)

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._follower.letGo()
        self._scene = scene
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent):
                self._follower.observe(scene, event, self._onSceneChanged)
        self._refill()

    def mrmlScene(self) -> Any:
        return self._scene

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        index = self._combo.findData(nodeID or "")
        # A scene that is being loaded is listed at its end; the choice waits for that.
        self._requested = nodeID or "" if index < 0 else ""
        if index >= 0:
            self._combo.setCurrentIndex(index)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._combo.setCurrentIndex(index + (1 if self._values["noneEnabled"] else 0))

    def nodeCount(self) -> int:
        return self._combo.count - (1 if self._values["noneEnabled"] else 0)

    def addNode(self, className: str = "") -> Any:
        """Make a node as the "create new" entry does, and select it."""
        node = self._scene.AddNewNodeByClass(
            className or self._values["nodeTypes"][0],
            self._scene.GenerateUniqueName(self._values["baseName"] or "Node"),
        )
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _fits(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self._values["showHidden"]:
            return False
        if self._values["showChildNodeTypes"]:
            return any(node.IsA(kind) for kind in self._values["nodeTypes"])
        return node.GetClassName() in self._values["nodeTypes"]

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        found = (self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes()))
        return [node for node in found if self._fits(node)]

    def _onSceneChanged(self, caller: Any, event: str) -> None:
        if not self._scene.IsBatchProcessing():
            self._refill()

    def _refill(self) -> None:
        nodes = self._nodes()
        self._follow(nodes)
        entries = [(node.GetName(), node.GetID()) for node in nodes]
        if self._values["noneEnabled"]:
            entries.insert(0, (self._values["noneDisplay"], ""))
        wanted, self._requested = self._requested or self._current, ""
        self._combo.blockSignals(True)
        self._combo.clear()
        for name, nodeID in entries:
            self._combo.addItem(name, nodeID)
        index = self._combo.findData(wanted)
        if index < 0 and entries:
            index = 0
        self._combo.setCurrentIndex(index)
        self._combo.blockSignals(False)
        self._onIndex(index)

    def _follow(self, nodes: list[Any]) -> None:
        """Names in the list follow the nodes' names."""
        if not hasattr(self, "_renames"):
            self._renames = _SceneFollower()
            self.destroyed.connect(self._renames.letGo)
        self._renames.letGo()
        for node in nodes:
            self._renames.observe(node, vtk.vtkCommand.ModifiedEvent, self._onRenamed)

    def _onRenamed(self, node: Any, event: str) -> None:
        index = self._combo.findData(node.GetID())
        if index >= 0 and self._combo.itemText(index) != node.GetName():
            self._combo.setItemText(index, node.GetName())

    def _onIndex(self, index: int) -> None:
        now = self._combo.itemData(index) or "" if index >= 0 else ""
        if now == self._current:
            return
        self._current = now
        self.currentNodeChanged.emit(self.currentNode())
        self.currentNodeIDChanged.emit(now)

    def _onActivated(self, index: int) -> None:
        self.nodeActivated.emit(self.currentNode())

    def _set(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._refill()


class qMRMLSegmentationShow3DButton(QtWidgets.QPushButton):
    """Shows a segmentation in 3D; the stand-in makes the surface, as the real one does."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._segmentation: Any = None
        self.setCheckable(True)
        self.toggled.connect(self._onToggled)

    def segmentationNode(self) -> Any:
        return self._segmentation

    def setSegmentationNode(self, node: Any) -> None:
        self._segmentation = node
        self.enabled = node is not None

    def _onToggled(self, on: bool) -> None:
        if self._segmentation is None:
            return
        if on:
            self._segmentation.CreateClosedSurfaceRepresentation()
        else:
            self._segmentation.RemoveClosedSurfaceRepresentation()


class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """What the Segment Editor would show. A volume before a segmentation is refused: the real one floods errors."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._segmentation: Any = None
        self._volume: Any = None
        self._segment = ""

    def setSegmentationNode(self, node: Any) -> None:
        self._segmentation = node
        self._segment = ""

    def segmentationNode(self) -> Any:
        return self._segmentation

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._segmentation is None:
            raise RuntimeError("Set the segmentation before the source volume.")
        self._volume = node

    def sourceVolumeNode(self) -> Any:
        return self._volume

    def setCurrentSegmentID(self, segmentID: str) -> None:
        if self._segmentation is None or self._segmentation.GetSegmentation().GetSegment(segmentID) is None:
            raise RuntimeError(f"No segment {segmentID}.")
        self._segment = segmentID

    def currentSegmentID(self) -> str:
        return self._segment


WIDGETS = {
    cls.__name__: cls
    for cls in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentationShow3DButton, qMRMLSegmentEditorWidget)
}
