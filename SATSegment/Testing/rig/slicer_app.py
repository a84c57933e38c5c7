"""What of the Slicer application a panel needs, on top of the real MRML and `slicer.util` of slicer-core."""

# The names are those of the classes that are stood in for.
# ruff: noqa: N801, N815

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Signal
from rig import mrml_widgets, scripted_module
from rig.launcher import writeLauncher


class qSlicerApplication(QtWidgets.QApplication):
    """`slicer.app`: always in testing mode, so that no message box waits for a click."""

    startupCompleted = Signal()

    def testingEnabled(self) -> bool:
        return True

    def settings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    def userSettings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    @property
    def temporaryPath(self) -> str:
        return tempfile.gettempdir()

    @property
    def slicerHome(self) -> str:
        if sys.platform == "win32":
            raise AttributeError("The rig's launcher is a shell script.")
        return _home()

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """What Slicer was started with."""
        return QtCore.QProcessEnvironment.systemEnvironment()

    def pauseRender(self) -> None:
        """There are no views."""

    def resumeRender(self) -> None:
        """There are no views."""


@functools.cache
def _home() -> str:
    """Slicer's folder, with the launcher in it."""
    home = _ownFolder("slicer-home-")
    writeLauncher(Path(home))
    return home


@functools.cache
def _cache() -> str:
    """Where the contents of scene bundles are unpacked to."""
    return _ownFolder("slicer-cache-")


def _ownFolder(prefix: str) -> str:
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class _Module:
    """A module: its logic, and its widget where it has one."""

    def __init__(self, logic: Any, editor: Any = None) -> None:
        self._logic, self.editor = logic, editor

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> Any:
        return self

    def self(self) -> Any:
        return self


def install(app: qSlicerApplication) -> None:
    """Put the application's parts on the `slicer` package."""
    import slicer

    slicer.app = app
    slicer.modules = types.SimpleNamespace()
    for name, cls in mrml_widgets.WIDGETS.items():
        setattr(slicer, name, cls)
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text, context=None: text
    i18n.translate = lambda context, text: text
    sys.modules["slicer.i18n"] = slicer.i18n = i18n
    sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = scripted_module
    slicer.util.selectModule = lambda module: setattr(slicer.modules, "selected", module)
    slicer.util.saveScene, slicer.util.loadScene = _saveScene, _loadScene
    slicer.util.exit = app.exit
    if sys.platform != "win32":
        _home()
    newScene()


def newScene() -> Any:
    """A fresh scene with the logics Slicer has, three slice views, and a Segment Editor."""
    import slicer

    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    files = slicer.vtkMRMLRemoteIOLogic()
    files.SetMRMLScene(scene)
    files.GetCacheManager().SetRemoteCacheDirectory(_cache())
    files.AddDataIOToScene()
    slicer.modules.files = files  # the scene does not keep it
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
    segmentations.SetMRMLScene(scene)
    for name in ("Red", "Yellow", "Green"):
        node = slicer.vtkMRMLSliceNode()
        node.SetName(name)
        node.SetLayoutName(name)
        node.SetSingletonTag(name)
        scene.AddNode(node)
    slicer.modules.segmentations = _Module(segmentations)
    slicer.modules.segmenteditor = _Module(None, mrml_widgets.qMRMLSegmentEditorWidget())
    slicer.modules.selected = ""
    return scene


def _saveScene(path: str) -> bool:
    import slicer

    if path.endswith(".mrb"):
        return slicer.mrmlScene.WriteToMRB(path, None)
    return slicer.mrmlScene.SaveSceneToSlicerDataBundleDirectory(path, None)


def _loadScene(path: str) -> bool:
    import slicer

    if path.endswith(".mrb"):
        return slicer.mrmlScene.ReadFromMRB(path)
    slicer.mrmlScene.SetURL(path)
    return bool(slicer.mrmlScene.Import())


def closeScene() -> None:
    """What File > Close scene does: nodes go, with the events that modules listen to."""
    import slicer

    slicer.mrmlScene.Clear(0)
