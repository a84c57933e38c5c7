"""The whole panel by the keyboard alone, with real key events; and its file dialogs."""

from __future__ import annotations

import csv
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, leftovers, segmentNames
from PySide6 import QtCore, QtTest, QtWidgets
from rig.file_dialog import QFileDialog
from rig.hands import click, press, settle, typeText, waitFor
from rig.wrappers import isA

CONTROL = QtCore.Qt.ControlModifier
Key = QtCore.Qt.Key


@pytest.fixture(scope="module")
def worker(models: Path) -> Iterator[Any]:
    """One worker for all tests here: starting it is what takes the time."""
    import os
    import sys

    from SATSegmentLib.engine.process import WorkerEngine

    worker = WorkerEngine(sys.executable, {**os.environ, "OMP_NUM_THREADS": "1"})
    yield worker
    worker.close()


@pytest.fixture
def rig(scene: Any, models: Path, worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(models))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    qt.QSettings().setValue("SATSegment/model", str(models / "tiny"))
    monkeypatch.setattr(QFileDialog, "answers", [])
    monkeypatch.setattr(QFileDialog, "asked", [])
    addHead(scene)
    rig = PanelInRig()
    monkeypatch.setattr(rig.module, "sharedEngine", lambda: worker)
    monkeypatch.setattr(rig.module, "closeEngine", lambda: None)
    rig.moduleWidget.parent.activateWindow()
    settle()
    yield rig
    rig.cleanup()
    assert [one for one in leftovers() if not one.startswith("satsegment-worker-")] == []


def focused() -> Any:
    return QtWidgets.QApplication.focusWidget()


def key(which: Any, modifiers: Any = QtCore.Qt.NoModifier) -> None:
    """A key to whatever has the focus, as the keyboard sends it."""
    press(focused(), which, modifiers)


def tabTo(name: str) -> Any:
    """Tab until the control of this accessible name has the focus."""
    seen = []
    for _ in range(40):
        if focused().accessibleName == name:
            return focused()
        seen.append(focused().accessibleName)
        key(Key.Key_Tab)
    raise AssertionError(f"Tab never comes to {name!r}, only to {seen}")


def runByKeys(rig: PanelInRig, *names: str) -> Any:
    for name in names:
        typeText(focused(), name)
        key(Key.Key_Return)
    key(Key.Key_Return, CONTROL)
    rig.waitForEnd(120)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert rig.panel.results.rows, "nothing was run"
    return rig.ui.outputSelector.currentNode()


def test_from_the_open_panel_to_segments_and_back_without_a_mouse(rig: PanelInRig) -> None:
    line = rig.panel.promptBox.lineEdit
    assert focused() is line, "the focus starts in the prompt line"
    node = runByKeys(rig, "left hippocampus", "brainstem")
    assert list(segmentNames(node)) == ["SAT_mri_left_hippocampus", "SAT_mri_brainstem"]
    assert focused() is line, "and comes back there"
    key(Key.Key_Z, CONTROL)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_ctrl_z_in_the_line_takes_back_letters_before_it_takes_back_a_run(rig: PanelInRig) -> None:
    node = runByKeys(rig, "brainstem")
    typeText(focused(), "liv")
    key(Key.Key_Escape)
    key(Key.Key_Z, CONTROL)
    assert rig.panel.promptBox.lineEdit.text == ""
    assert segmentNames(node)
    key(Key.Key_Z, CONTROL)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_tab_comes_to_every_control_in_the_panels_order(rig: PanelInRig) -> None:
    runByKeys(rig, "left hippocampus")
    rig.panel.results.table.setCurrentCell(0, 0)
    rig.panel.promptBox.setFocus()
    seen = []
    for _ in range(60):
        key(Key.Key_Tab)
        if focused() is rig.panel.promptBox.lineEdit:
            break
        seen.append(focused())
    kinds = (QtWidgets.QAbstractButton, QtWidgets.QAbstractSlider, QtWidgets.QAbstractItemView)
    visible = [
        widget
        for widget in rig.moduleWidget.parent.findChildren(QtWidgets.QWidget)
        if widget.isVisibleTo(rig.moduleWidget.parent) and widget.enabled and widget.focusPolicy & QtCore.Qt.TabFocus
        if any(isA(widget, kind) for kind in kinds) and not isA(widget, QtWidgets.QScrollBar)
    ]
    missed = [widget.accessibleName or widget.objectName for widget in visible if widget not in seen]
    assert missed == []
    tops = [widget.mapTo(rig.moduleWidget.parent, QtCore.QPoint(0, 0)).y() for widget in seen]
    # From the prompt line downwards, then from the top again.
    wraps = sum(later < earlier - 30 for earlier, later in itertools.pairwise(tops))
    assert wraps <= 1, [(widget.accessibleName, top) for widget, top in zip(seen, tops, strict=True)]


def test_results_are_renamed_found_and_removed_by_keys(rig: PanelInRig) -> None:
    node = runByKeys(rig, "left hippocampus", "brainstem")
    table = rig.panel.results.table
    table.setFocus()
    table.setCurrentCell(0, 0)
    key(Key.Key_Down)
    assert rig.panel.results.currentRow().prompt.text == "brainstem"
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    red.JumpSliceByCentering(500, 500, 500)
    key(Key.Key_Return)
    assert place(red) == pytest.approx(list(node.GetSegmentCenterRAS("SAT_mri_brainstem")), abs=1.0)
    key(Key.Key_F2)
    typeText(focused(), "my stem")
    key(Key.Key_Return)
    assert segmentNames(node)["SAT_mri_brainstem"] == "my stem"
    table.setFocus()
    table.setCurrentCell(0, 0)
    key(Key.Key_Delete)
    assert list(segmentNames(node)) == ["SAT_mri_brainstem"]
    key(Key.Key_Z, CONTROL)
    assert list(segmentNames(node)) == ["SAT_mri_left_hippocampus", "SAT_mri_brainstem"]


def place(sliceNode: Any) -> list[float]:
    return [sliceNode.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]


def test_a_click_on_a_row_moves_the_views(rig: PanelInRig) -> None:
    node = runByKeys(rig, "left hippocampus", "brainstem")
    table = rig.panel.results.table
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    for row, identifier in enumerate(segmentNames(node)):
        red.JumpSliceByCentering(500, 500, 500)
        middle = table.visualItemRect(table.item(row, 1)).center()
        QtTest.QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, middle)
        settle()
        assert place(red) == pytest.approx(list(node.GetSegmentCenterRAS(identifier)), abs=1.0)


def test_the_threshold_moves_by_arrow_keys_and_starts_one_run(rig: PanelInRig) -> None:
    runByKeys(rig, "left hippocampus")
    table = rig.panel.results.table
    table.setCurrentCell(0, 0)
    before = rig.panel.results.rows[0].volumeMl
    rig.panel.results.thresholdSlider.setFocus()
    key(Key.Key_PageUp)
    rig.waitForEnd()
    assert rig.panel.results.rows[0].threshold == pytest.approx(0.6)
    assert rig.panel.results.rows[0].volumeMl < before


def test_escape_twice_cancels_a_run_by_keys(rig: PanelInRig) -> None:
    rig.ui.inputSelector.setCurrentNode(addHead(slicer.mrmlScene, "Long", (6, 8, 8)))
    rig.panel.promptBox.setFocus()
    typeText(focused(), "brainstem")
    key(Key.Key_Return)
    key(Key.Key_Return, CONTROL)
    waitFor(lambda: rig.ui.progressBar.value > 0, 120)
    key(Key.Key_Escape)
    assert not rig.panel.run._task.cancelAsked
    key(Key.Key_Escape)
    rig.waitForEnd(10)
    assert "Cancelled" in rig.ui.logTextEdit.plainText


def test_chips_are_reached_and_removed_by_keys(rig: PanelInRig) -> None:
    typeText(focused(), "left hippocampus")
    key(Key.Key_Return)
    tabTo("left hippocampus")
    key(Key.Key_Space)
    assert [prompt.text for prompt in rig.panel.promptBox.prompts()] == ["right hippocampus"]
    key(Key.Key_Delete)
    assert rig.panel.promptBox.prompts() == ()
    assert focused() is rig.panel.promptBox.lineEdit


def test_the_table_is_saved_where_the_dialog_says_and_nowhere_after_cancel(rig: PanelInRig, tmp_path: Path) -> None:
    runByKeys(rig, "left hippocampus")
    target = tmp_path / "mine.csv"
    QFileDialog.answers[:] = ["", str(target), str(tmp_path / "no such folder" / "mine.csv")]
    rig.panel.resultsPanel.toCsvAction.trigger()
    assert list(tmp_path.glob("*.csv")) == []
    rig.panel.resultsPanel.toCsvAction.trigger()
    with target.open(newline="", encoding="utf-8") as file:
        assert [row["structure"] for row in csv.DictReader(file)] == ["left hippocampus"]
    assert rig.ui.errorFrame.isHidden()
    rig.panel.resultsPanel.toCsvAction.trigger()
    assert not rig.ui.errorFrame.isHidden()
    assert QFileDialog.answers == []


def test_what_the_model_was_not_trained_on_is_said_before_the_run(rig: PanelInRig) -> None:
    box = rig.panel.promptBox
    typeText(focused(), "left putamen")
    assert not box.popup.rows[0].enabled
    assert "not in this model" in box.popup.rows[0].evidence()
    assert box.popup.highlighted() is None
    key(Key.Key_Return)
    assert box.prompts() == ()
    assert "not trained on left putamen" in box.question.label.text
    assert "Settings" in box.question.label.text
    click(box.question.buttons[0])
    assert "was not trained on left putamen" in rig.ui.mismatchLabel.text
    assert "not in this model" in box.chipBox.widgets[0].button.text
    assert not rig.ui.runButton.enabled
    box.setFocus()
    key(Key.Key_Backspace)
    typeText(focused(), "left hippocampus")
    key(Key.Key_Return)
    assert rig.ui.mismatchLabel.isHidden()


def test_the_table_goes_into_the_scene_by_its_menu(rig: PanelInRig) -> None:
    runByKeys(rig, "left hippocampus")
    rig.panel.resultsPanel.toSceneAction.trigger()
    (table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert table.GetCellText(0, 0) == "left hippocampus"
