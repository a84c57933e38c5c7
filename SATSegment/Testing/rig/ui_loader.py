"""QUiLoader that knows CTK's and MRML's widgets, which Slicer's Qt Designer plugins provide."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets
from rig import ctk_widgets, mrml_widgets


class UiLoader(QtUiTools.QUiLoader):
    """Loads the same .ui file as Slicer does.

    Connections between MRML widgets in the file carry MRML pointers, which Qt's own loader cannot connect here: they
    are taken out of the file and made in Python. Enumerators of CTK classes are handed over as text.
    """

    def createWidget(self, className: str, parent: Any = None, name: str = "") -> QtWidgets.QWidget:
        cls = ctk_widgets.WIDGETS.get(className) or mrml_widgets.WIDGETS.get(className)
        if cls is None:
            return super().createWidget(className, parent, name)
        widget = cls(parent)
        widget.objectName = name
        return widget

    def load(self, device: Any, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        connections = _takeConnections(root)
        _takeForeignEnumerators(root)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        if widget is None:
            raise RuntimeError(self.errorString())
        for sender, receiver in connections:
            _named(widget, sender)._sceneReceivers.append(_named(widget, receiver))
        return widget


def _takeConnections(root: ElementTree.Element) -> list[tuple[str, str]]:
    """(sender, receiver) of the file's mrmlSceneChanged connections, which are removed from it."""
    found = []
    for connections in root.iter("connections"):
        for connection in list(connections):
            parts = {key: connection.findtext(key) for key in ("sender", "signal", "receiver", "slot")}
            expected = ("mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)")
            if (parts["signal"], parts["slot"]) != expected:
                continue
            connections.remove(connection)
            found.append((parts["sender"], parts["receiver"]))
    return found


def _takeForeignEnumerators(root: ElementTree.Element) -> None:
    for widget in root.iter("widget"):
        for prop in list(widget.findall("property")):
            value = prop.findtext("set") or prop.findtext("enum") or ""
            if value.startswith(("ctk", "qMRML")):
                widget.remove(prop)


def _named(widget: QtWidgets.QWidget, name: str) -> Any:
    return widget if widget.objectName == name else widget.findChild(QtWidgets.QWidget, name)
