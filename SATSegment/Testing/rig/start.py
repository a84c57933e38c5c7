"""Starts the rig: after `start()`, `import qt, ctk, slicer` work as in Slicer."""

from __future__ import annotations

import os
import sys
from typing import Any

_app: Any = None

PACKAGES = "libegl1 libgl1 libx11-6 libxkbcommon0 libdbus-1-3 libfontconfig1 libfreetype6 libglib2.0-0 libzstd1"
MISSING = """The GUI tests need PySide6 and the libraries it is built on, and one is missing here: {error}
On Debian: apt-get install --no-install-recommends {packages}"""


def start() -> Any:
    """The application, made at the first call.

    Raises
    ------
    RuntimeError: PySide6 cannot be loaded; says what to install.
    """
    global _app
    if _app is not None:
        return _app
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    # PythonQt's enumerators are whole numbers, zero is False, and two with "|" between them are a whole number.
    os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x02"
    try:
        import PySide6
        from PySide6 import QtCore, QtGui, QtWidgets  # noqa: F401
    except ImportError as error:
        raise RuntimeError(MISSING.format(error=error, packages=PACKAGES)) from error

    if PySide6.__version_info__[:2] >= (6, 12) and sys.version_info < (3, 12):
        raise RuntimeError("PySide6 6.12 breaks Python 3.11 (rig/README.md): pip install PySide6-Essentials==6.11.1")

    from rig import pythonqt

    pythonqt.adopt()
    from rig.ctk_widgets import CtkModule
    from rig.qt_module import QtModule
    from rig.slicer_app import install, qSlicerApplication

    sys.modules["qt"] = QtModule("qt")
    sys.modules["ctk"] = CtkModule("ctk")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    _app = qSlicerApplication(["rig"])
    _app.applicationName = "Slicer"
    _app.organizationName = "SATSegmentTests"
    install(_app)
    return _app


def settingsFolder(folder: str) -> None:
    """Keep QSettings in this folder, so that no test sees a user's settings or another test's."""
    from PySide6 import QtCore

    for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, folder)
