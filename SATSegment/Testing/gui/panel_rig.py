"""The module's panel in the rig: Slicer's own steps to show it, and the data it is tried on."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import qt
from mrml.mrml_phantom import addVolume
from PySide6 import QtCore
from rig.hands import press, settle, typeText, waitFor

from helpers.small_model import headLikeImage
from SATSegmentLib.engine.offline import offline_environment
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.setup.shared_engine import SharedEngine, shared_engine

MODULE = "SATSegmentInRig"
PATH = Path(__file__).parents[2] / "SATSegment.py"


class _Finder:
    """Finds the module file again for importlib.reload: by its own name, pytest would give the folder SATSegment."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.util.spec_from_file_location(MODULE, PATH) if name == MODULE else None


def loadModule() -> ModuleType:
    """SATSegment.py, executed anew as Slicer does at its start."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
    spec = importlib.util.spec_from_file_location(MODULE, PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module


@functools.cache
def _sharedWorker() -> WorkerEngine:
    """One process for the panels of all files: starting it takes longer than most of what it is asked for."""
    engine = WorkerEngine(sys.executable, offline_environment({**os.environ, "OMP_NUM_THREADS": "1"}))
    atexit.register(engine.close)
    return engine


@contextlib.contextmanager
def keptEngine(models: Path | None = None) -> Iterator[None]:
    """One process for all panels within; that they end and start theirs is tested elsewhere.

    With a folder of models it is one for this file, which looks for models there.
    """
    engine = _sharedWorker()
    if models is not None:
        environment = {**os.environ, "SATSEGMENT_MODELS": str(models), "OMP_NUM_THREADS": "1"}
        engine = WorkerEngine(sys.executable, offline_environment(environment))
    # Started here, its temporary files lie outside of the tests' own temporary folders.
    engine.call("check_device", {"device": "cpu"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_engine, "_engine", engine)
        patch.setattr(shared_engine, "close", lambda: None)
        yield
    if models is not None:
        engine.close()


def ownEngine(patch: pytest.MonkeyPatch) -> None:
    """Within `keptEngine`: a test whose panel starts and ends a process of its own."""
    patch.setattr(shared_engine, "_engine", None)
    patch.setattr(shared_engine, "close", SharedEngine.close.__get__(shared_engine))


class PanelInRig:
    """A shown panel, and hands for it."""

    def __init__(self, module: ModuleType | None = None) -> None:
        self.module = module or loadModule()
        self.moduleWidget = self.module.SATSegmentWidget()
        self.moduleWidget.setup()
        self.moduleWidget.parent.resize(400, 900)
        self.moduleWidget.parent.show()
        self.moduleWidget.enter()
        settle()
        from SATSegmentLib.gui.search_tables import areRead

        waitFor(lambda: areRead(self.panel.modality), 60, "the search tables")

    @property
    def panel(self) -> Any:
        return self.moduleWidget.panel

    @property
    def ui(self) -> Any:
        return self.panel.ui

    def ask(self, *names: str) -> None:
        """Type names into the prompt line, each with Enter."""
        line = self.panel.promptBox.lineEdit
        for name in names:
            line.setFocus()
            typeText(line, name)
            press(line, QtCore.Qt.Key_Return)

    def waitForEnd(self, seconds: float = 60.0) -> None:
        waitFor(lambda: not self.panel.run.running, seconds, "the end of the run")
        settle()

    def cleanup(self) -> None:
        self.moduleWidget.cleanup()
        self.moduleWidget.parent.hide()
        self.moduleWidget.parent.deleteLater()
        settle()


@contextlib.contextmanager
def panelWithDemoModel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    """A panel that takes the demonstration model, and leaves nothing behind; what it writes lies in `folder`."""
    monkeypatch.setenv("SATSEGMENT_MODELS", str(folder / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    qt.QSettings().setValue("SATSegment/model", "demo")
    rig = PanelInRig()
    yield rig
    rig.cleanup()
    assert leftovers() == []


def libraryModules() -> dict[str, ModuleType]:
    """The library as it is imported now; to be restored after a test that reloads it."""
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "SATSegmentLib"}


def restoreLibrary(kept: dict[str, ModuleType]) -> None:
    """What the tests have imported is what runs again; what only the reloaded library has imported goes with it."""
    for name in libraryModules().keys() - kept.keys():
        del sys.modules[name]
    sys.modules.update(kept)


def importWhatRunsNeed() -> None:
    """Done by the first run otherwise; here it may also have to compile the files, which nobody's Slicer does."""
    for name in ("mrml.run", "engine.offline", "engine.process", "gui.panel_task", "mrml.views"):
        importlib.import_module(f"SATSegmentLib.{name}")


class Heart:
    """Beats in the event loop: how often, and what came between two beats.

    Attributes
    ----------
    beats : int
        A panel that waits for something does not beat.
    longestWork : float
        Seconds of this thread's own processor time between two beats; other programs do not lengthen it.
    longestPause : float
        Seconds by the clock, for benchmarks.
    """

    def __init__(self) -> None:
        self.beats, self.longestWork, self.longestPause = 0, 0.0, 0.0
        self._last = time.monotonic(), time.thread_time()
        self._timer = QtCore.QTimer()
        self._timer.setInterval(5)
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.monotonic(), time.thread_time()
        self.beats += 1
        self.longestPause = max(self.longestPause, now[0] - self._last[0])
        self.longestWork = max(self.longestWork, now[1] - self._last[1])
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


def addHead(scene: Any, name: str = "Head", times: tuple[int, int, int] = (1, 1, 1)) -> Any:
    """A scan that the small model segments; `times` makes it large."""
    image = headLikeImage()
    return addVolume(scene, np.tile(image.array, times), image.ijk_to_ras, name)


def addRealHead(scene: Any) -> Any:
    """The real T1 head that comes with the demonstration model, as a volume node."""
    from SATSegmentLib.resources import resource_path
    from SATSegmentLib.scans import read_scan

    image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    return addVolume(scene, np.ascontiguousarray(image.array), image.ijk_to_ras, "T1 head")


def segmentNames(segmentationNode: Any) -> dict[str, str]:
    """Id -> name."""
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    return {one: segmentation.GetSegment(one).GetName() for one in ids}


def leftovers() -> list[str]:
    """Temporary files of ours."""
    return sorted(one for one in os.listdir(tempfile.gettempdir()) if one.startswith("satsegment-"))
