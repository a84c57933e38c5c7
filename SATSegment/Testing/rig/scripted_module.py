"""`slicer.ScriptedLoadableModule`: the base classes of a scripted module, as far as a panel and its tests use them."""

from __future__ import annotations

import importlib
import os
import sys
import unittest
from typing import Any

import slicer
from PySide6 import QtWidgets

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """Title, categories and texts live on `parent`, a plain object."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename: str) -> str:
        return _resourcePath(type(self), filename)


class ScriptedLoadableModuleWidget:
    """`parent` is the widget that gets the panel; one is made where there is none, as Slicer does for tests."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent = parent
        if parent is None:
            self.parent = QtWidgets.QWidget()
            self.parent.setLayout(QtWidgets.QVBoxLayout())
        self.layout = self.parent.layout()
        # As Slicer names it; a widget that is made anew by a reload takes its place.
        setattr(slicer.modules, type(self).__name__, self)

    def setup(self) -> None:
        """Slicer puts its developer section here."""

    def cleanup(self) -> None:
        """Overridden."""

    def enter(self) -> None:
        """Overridden."""

    def exit(self) -> None:
        """Overridden."""

    def resourcePath(self, filename: str) -> str:
        return _resourcePath(type(self), filename)

    def onReload(self) -> None:
        """As Slicer: clean up, empty the parent, execute the main file anew, make a new widget in the same parent."""
        self.cleanup()
        while self.layout.count():
            item = self.layout.takeAt(0)
            if item.widget() is not None:
                item.widget().deleteLater()
        module = importlib.reload(sys.modules[type(self).__module__])
        widget = getattr(module, type(self).__name__)(self.parent)
        widget.setup()
        self.reloaded = widget


class ScriptedLoadableModuleLogic:
    """Without the parameter node's legacy helpers."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A TestCase."""

    def delayDisplay(self, message: str, **_: Any) -> None:
        """Slicer shows the message for a while."""


def _resourcePath(cls: type, filename: str) -> str:
    folder = os.path.dirname(os.path.abspath(sys.modules[cls.__module__].__file__))
    return os.path.join(folder, "Resources", filename)
