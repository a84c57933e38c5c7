"""From an edited segment to a word in the prompt line, through the panel, the worker and a real network."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, keptEngine, leftovers, segmentNames
from PySide6 import QtCore
from rig.hands import click, press, settle, typeText, waitFor
from rig.slicer_app import closeScene

from SATSegmentLib.anatomy.personal.user_words import word_files
from SATSegmentLib.mrml.record import records


@pytest.fixture(scope="module", autouse=True)
def _engine(models: Path) -> Iterator[None]:
    with keptEngine(models):
        yield


@pytest.fixture
def rig(scene: Any, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(models))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", *(["HOME"] if sys.platform == "darwin" else [])):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    qt.QSettings().setValue("SATSegment/model", str(models / "tiny"))
    addHead(scene)
    rig = PanelInRig()
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    rig.waitForEnd()
    yield rig
    rig.cleanup()
    assert leftovers() == []


def test_a_segment_becomes_a_word_that_is_typed_and_run(rig: PanelInRig) -> None:
    panel, bar = rig.panel, rig.panel.teachBar
    assert not bar.isOpen
    panel.results.table.setCurrentCell(0, 0)
    click(panel.results.teachButton)
    assert bar.isOpen
    assert bar.segmentCombo.currentText == "left hippocampus"
    assert not bar.teachButton.enabled
    typeText(bar.nameEdit, "my implant")
    click(bar.teachButton)
    assert panel.run.running, rig.ui.errorLabel.text
    assert rig.ui.runButton.text == "Cancel"
    assert not bar.teachButton.enabled
    rig.waitForEnd(120)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert not bar.isOpen
    assert "my implant" in rig.ui.stageLabel.text
    (word,) = word_files()
    assert word.record.name == "my implant"
    # It is in the list at once, marked as taught, and Enter takes it.
    line = panel.promptBox.lineEdit
    line.setFocus()
    typeText(line, "my im")
    row = panel.promptBox.popup.rows[0]
    assert (row.name, row.badge, row.enabled) == ("my implant", "MRI taught", True)
    press(panel.promptBox.popup.view, QtCore.Qt.Key_Return)
    settle()
    assert [prompt.text for prompt in panel.promptBox.prompts()] == ["left hippocampus", "my implant"]
    chip = panel.promptBox.chips[1]
    assert chip.isTaught
    assert not chip.isFreeText
    click(rig.ui.runButton)
    rig.waitForEnd(120)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    node = rig.ui.outputSelector.currentNode()
    statuses = {row.prompt.text: row.status for row in panel.results.rows}
    assert set(statuses) == {"left hippocampus", "my implant"}
    assert ("my implant" in segmentNames(node).values()) == (statuses["my implant"] == "found")
    asked = {prompt["text"]: prompt for prompt in records(node)[-1]["prompts"]}
    assert len(asked["my implant"]["word_sha256"]) == 64
    assert "word_sha256" not in asked["left hippocampus"]


def test_the_menu_teaches_any_segment_of_the_result(rig: PanelInRig) -> None:
    panel = rig.panel
    node = rig.ui.outputSelector.currentNode()
    node.GetSegmentation().AddEmptySegment("drawn", "Segment_1")
    panel.promptBox.presets.refill()
    texts = [action.text for action in panel.promptBox.presets.menu.actions()]
    assert any("Teach a word" in text for text in texts)
    panel.promptBox.presets.teachRequested.emit()
    bar = panel.teachBar
    names = [bar.segmentCombo.itemText(number) for number in range(bar.segmentCombo.count)]
    assert names == ["left hippocampus", "Segment_1"]
    bar.segmentCombo.setCurrentIndex(1)
    typeText(bar.nameEdit, "my implant")
    click(bar.teachButton)
    assert not panel.run.running
    assert "Mark the structure first" in rig.ui.errorLabel.text
    assert word_files() == ()


def test_a_name_that_sat_knows_is_refused_at_once(rig: PanelInRig) -> None:
    rig.panel.teachBar.open(rig.ui.outputSelector.currentNode())
    typeText(rig.panel.teachBar.nameEdit, "brainstem")
    press(rig.panel.teachBar.nameEdit, QtCore.Qt.Key_Return)
    assert not rig.panel.run.running
    assert "already means" in rig.ui.errorLabel.text
    assert rig.panel.teachBar.isOpen  # with the name, to be changed


def test_teaching_can_be_cancelled_and_leaves_no_word(rig: PanelInRig) -> None:
    rig.panel.teachBar.open(rig.ui.outputSelector.currentNode())
    typeText(rig.panel.teachBar.nameEdit, "my implant")
    click(rig.panel.teachBar.teachButton)
    waitFor(lambda: "fitting" in rig.ui.stageLabel.text, 60, "the fit")
    click(rig.ui.runButton)
    rig.waitForEnd(30)
    assert word_files() == ()
    assert rig.ui.errorFrame.isHidden()
    assert rig.panel.teachBar.teachButton.enabled


def test_nothing_to_teach_from_is_said(rig: PanelInRig) -> None:
    closeScene()
    assert not rig.panel.teachBar.isOpen
    rig.panel.promptBox.presets.teachRequested.emit()
    assert rig.panel.teachBar.isOpen
    assert "no segment" in rig.panel.teachBar.label.text
    assert not rig.panel.teachBar.nameEdit.isVisible()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None
