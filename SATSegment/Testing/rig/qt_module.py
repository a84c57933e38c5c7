"""The module `qt`: PySide6's names, flat, as far as PythonQt has them."""

from __future__ import annotations

import types
from typing import Any

from PySide6 import QtCore, QtGui, QtSvg, QtWidgets
from rig.api import moduleNames
from rig.file_dialog import QFileDialog
from rig.ui_loader import UiLoader

_SOURCES = (QtCore, QtGui, QtWidgets, QtSvg)


class QtModule(types.ModuleType):
    """`import qt` in the tests."""

    QUiLoader = UiLoader
    QFileDialog = QFileDialog

    def __getattr__(self, name: str) -> Any:
        if name not in moduleNames("qt"):
            raise AttributeError(f"PythonQt has no qt.{name}")
        for source in _SOURCES:
            if hasattr(source, name):
                value = getattr(source, name)
                setattr(self, name, value)
                return value
        raise NotImplementedError(f"qt.{name} is in PythonQt, but not in the stand-in: rig/qt_module.py")
