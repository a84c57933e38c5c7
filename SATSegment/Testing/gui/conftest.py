"""Fixtures of the tests that run the panel's real widgets: see rig/README.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.start import settingsFolder, start

start()

import qt  # noqa: E402
import slicer  # noqa: E402

from helpers.small_model import makeModel  # noqa: E402
from SATSegmentLib.setup.shared_engine import shared_engine  # noqa: E402


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with one small model in it."""
    home = tmp_path_factory.mktemp("models")
    makeModel(home)
    return home


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path) -> Iterator[None]:
    settingsFolder(str(tmp_path / "settings"))
    slicer.app.setProperty("SATSegmentLog", "")
    # Most panels of the tests never run anything; test_module_warm_start.py turns it on.
    qt.QSettings().setValue("SATSegment/loadAhead", False)
    yield
    # Where runs go outlives a panel: a server of one test is not the next one's.
    shared_engine.use("", "")


@pytest.fixture(autouse=True)
def _slotErrors() -> Iterator[None]:
    """An exception in a slot is printed by Qt and lost; here it fails the test."""
    errors: list[BaseException] = []
    hook = sys.excepthook
    sys.excepthook = lambda kind, error, trace: errors.append(error)
    yield
    sys.excepthook = hook
    if errors:
        raise AssertionError(f"{len(errors)} exception(s) in slots") from errors[0]


@pytest.fixture(autouse=True)
def _noWidgetLeft() -> Iterator[None]:
    """What a test shows does not stay for the next one."""
    from PySide6 import QtWidgets
    from rig.hands import settle

    yield
    for widget in QtWidgets.QApplication.topLevelWidgets():
        widget.hide()
        widget.deleteLater()
    settle()


@pytest.fixture
def scene() -> Iterator[Any]:
    """slicer.mrmlScene, fresh."""
    from rig.slicer_app import newScene

    scene = newScene()
    yield scene
    scene.Clear(1)
