"""What is seen of a run while another module is open, and what a reload leaves."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, keptEngine, leftovers
from PySide6 import QtWidgets
from rig.hands import click, settle, waitFor

from SATSegmentLib.errors import ScanError


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with keptEngine():
        yield


@pytest.fixture
def rig(scene: Any, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(models))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    qt.QSettings().setValue("SATSegment/model", str(models / "tiny"))
    addHead(scene)
    rig = PanelInRig()
    yield rig
    rig.cleanup()
    assert leftovers() == []


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    window = QtWidgets.QMainWindow()
    window.setWindowTitle("3D Slicer 5.12.3")
    window.statusBar()
    window.show()
    settle()
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: window)
    yield window
    window.hide()


def test_a_run_goes_on_in_the_status_bar_while_another_module_is_open(rig: PanelInRig, window: Any) -> None:
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    assert rig.panel.away.widget is None
    rig.moduleWidget.exit()
    assert rig.panel.away.widget.isVisible()
    assert rig.panel.away.widget.parent() is window.statusBar()
    assert window.windowTitle.endswith(" % · 3D Slicer 5.12.3")
    waitFor(lambda: rig.panel.away.widget is None or rig.panel.away.bar.value > 0, 60)
    rig.waitForEnd()
    assert rig.panel.away.widget is None
    assert window.windowTitle == "3D Slicer 5.12.3"
    assert "SAT Segment: 1 of 1 found" in window.statusBar().currentMessage()


def test_coming_back_takes_it_away_and_its_buttons_lead_there_and_cancel(rig: PanelInRig, window: Any) -> None:
    rig.ui.inputSelector.setCurrentNode(addHead(slicer.mrmlScene, "Long", (6, 8, 8)))
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    rig.moduleWidget.exit()
    click(rig.panel.away.showButton)
    assert slicer.modules.selected == "SATSegment"
    rig.moduleWidget.enter()
    assert rig.panel.away.widget is None
    rig.moduleWidget.exit()
    click(rig.panel.away.cancelButton)
    rig.waitForEnd(10)
    assert rig.panel.away.widget is None
    assert window.windowTitle == "3D Slicer 5.12.3"
    assert "SAT Segment" not in window.statusBar().currentMessage()


def test_the_log_keeps_what_went_wrong_before_a_reload(rig: PanelInRig) -> None:
    rig.panel.run.showError(ScanError("The scan could not be used.", "Load another one."))
    kept = {name: module for name, module in sys.modules.items() if name.startswith("SATSegmentLib")}
    try:
        rig.moduleWidget.onReload()
        settle()
        assert "The scan could not be used." in rig.moduleWidget.reloaded.panel.ui.logTextEdit.plainText
        rig.moduleWidget.reloaded.cleanup()
    finally:
        sys.modules.update(kept)
