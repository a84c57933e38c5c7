"""Undo and redo, the status line, and results of a scene that was loaded, through the widgets and real MRML."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, keptEngine, leftovers, segmentNames
from mrml.mrml_phantom import worldPoints
from PySide6 import QtCore
from rig.hands import click, press, settle
from rig.slicer_app import closeScene

from helpers.results import result
from SATSegmentLib.mrml.run import VolumeRun
from SATSegmentLib.mrml.segmentations import writeResults
from SATSegmentLib.types import Prompt

HIPPOCAMPUS, BRAINSTEM = "SAT_mri_left_hippocampus", "SAT_mri_brainstem"


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


def run(rig: PanelInRig, *names: str) -> Any:
    rig.ask(*names)
    click(rig.ui.runButton)
    rig.waitForEnd()
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    return rig.ui.outputSelector.currentNode()


def threshold(rig: PanelInRig, row: int, value: int) -> None:
    rig.panel.results.table.setCurrentCell(row, 0)
    rig.panel.results.thresholdSlider.setValue(value)
    rig.waitForEnd()


def voxels(node: Any, identifier: str) -> list[list[float]]:
    return sorted(worldPoints(node, identifier).round(3).tolist())


def undoText(rig: PanelInRig) -> str:
    return rig.ui.undoButton.accessibleName


def test_steps_are_named_taken_back_one_by_one_and_done_again(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    assert undoText(rig) == "Undo segmentation of 2 structures"
    states = [voxels(node, HIPPOCAMPUS)]
    for value in (80, 70, 60, 40, 30, 20, 10, 35, 45, 55):
        threshold(rig, 0, value)
        assert undoText(rig) == "Undo threshold of left hippocampus"
        states.append(voxels(node, HIPPOCAMPUS))
        # The status line tells of that structure, and not of a run of one.
        assert rig.ui.stageLabel.text.startswith(f"left hippocampus with threshold 0.{value}")
        assert "of 1 found" not in rig.ui.stageLabel.text
    for state in reversed(states[:-1]):
        click(rig.ui.undoButton)
        assert voxels(node, HIPPOCAMPUS) == state
    assert rig.panel.results.rows[0].threshold == 0.5
    assert rig.ui.stageLabel.text == "Undone: threshold of left hippocampus."
    assert undoText(rig) == "Undo segmentation of 2 structures"
    for state in states[1:]:
        assert rig.ui.redoButton.accessibleName == "Redo threshold of left hippocampus"
        press(rig.panel.widget, QtCore.Qt.Key_Z, QtCore.Qt.ControlModifier | QtCore.Qt.ShiftModifier)
        assert voxels(node, HIPPOCAMPUS) == state
    assert not rig.ui.redoButton.enabled
    assert rig.panel.results.rows[0].threshold == 0.55


def test_the_first_run_is_taken_back_with_its_node_and_done_again(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    before = voxels(node, HIPPOCAMPUS)
    click(rig.ui.undoButton)
    assert node.GetScene() is None
    assert rig.ui.outputSelector.currentNode() is None
    assert rig.ui.redoButton.isVisible()
    press(rig.panel.widget, QtCore.Qt.Key_Y, QtCore.Qt.ControlModifier)
    assert rig.ui.outputSelector.currentNode() is node
    assert voxels(node, HIPPOCAMPUS) == before
    assert [row.prompt.text for row in rig.panel.results.rows] == ["left hippocampus"]


def test_removals_and_renamings_are_steps_too(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    rig.panel.results.table.item(1, 0).setText("stem")
    settle()
    assert segmentNames(node)[BRAINSTEM] == "stem"
    assert undoText(rig) == "Undo renaming to stem"
    rig.panel.results.table.setCurrentCell(0, 0)
    click(rig.panel.results.removeButton)
    assert [row.prompt.text for row in rig.panel.results.rows] == ["brainstem"]
    assert undoText(rig) == "Undo removal of left hippocampus"
    click(rig.ui.undoButton)
    click(rig.ui.undoButton)
    assert segmentNames(node) == {HIPPOCAMPUS: "left hippocampus", BRAINSTEM: "brainstem"}
    assert [row.prompt.text for row in rig.panel.results.rows] == ["left hippocampus", "brainstem"]


def test_a_step_on_a_segmentation_that_was_deleted_is_offered_no_more(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    slicer.mrmlScene.RemoveNode(node)
    settle()
    assert not rig.ui.undoButton.enabled


def test_an_edit_by_hand_between_two_steps_is_not_lost_unasked(
    rig: PanelInRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    asked: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, *_: bool(asked.append(text)))
    labelmap = node.GetSegmentation().GetSegment(HIPPOCAMPUS).GetRepresentation("Binary labelmap")
    labelmap.GetPointData().GetScalars().SetTuple1(0, 1)
    labelmap.Modified()
    edited = voxels(node, HIPPOCAMPUS)
    threshold(rig, 1, 30)
    click(rig.ui.undoButton)
    assert asked == []
    click(rig.ui.undoButton)
    assert "left hippocampus" in asked[0]
    assert voxels(node, HIPPOCAMPUS) == edited


def test_a_closed_scene_takes_the_status_line_with_it(rig: PanelInRig) -> None:
    run(rig, "left hippocampus")
    assert "found" in rig.ui.stageLabel.text
    rig.panel.run._onWarning("Look at it with care.")
    closeScene()
    settle()
    assert rig.ui.stageLabel.isHidden()
    assert rig.ui.warningLabel.isHidden()
    assert rig.ui.errorFrame.isHidden()
    assert not rig.ui.undoButton.enabled


def test_a_scene_that_is_loaded_has_its_table_and_says_what_is_gone(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    rows = list(rig.panel.results.rows)
    text = slicer.mrmlScene
    text.SetSaveToXMLString(1)
    text.Commit()
    content = text.GetSceneXMLString()
    segments = slicer.vtkSegmentation()
    segments.DeepCopy(node.GetSegmentation())
    closeScene()
    settle()
    assert rig.panel.results.rows == []
    head = addHead(slicer.mrmlScene)
    slicer.mrmlScene.SetLoadFromXMLString(1)
    slicer.mrmlScene.SetSceneXMLString(content)
    slicer.mrmlScene.Import()
    settle()
    (loaded,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    loaded.GetSegmentation().DeepCopy(segments)
    rig.panel.resultsPanel.sceneLoaded()
    rig.ui.outputSelector.setCurrentNode(loaded)
    settle()
    assert rig.panel.results.rows == rows
    assert rig.panel.results.table.item(0, 0).text() == "left hippocampus"
    assert not rig.ui.undoButton.enabled
    assert "before the scene was saved" in rig.ui.undoButton.toolTip
    assert head is not None


def test_the_threshold_says_why_it_cannot_be_changed(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    rig.panel.results.table.setCurrentCell(0, 0)
    assert rig.panel.results.thresholdSlider.enabled
    rig.ui.modelComboBox.setCurrentIndex(rig.ui.modelComboBox.findData("demo"))
    settle()
    rig.panel.resultsPanel.refresh()
    rig.panel.results.table.setCurrentCell(0, 0)
    assert not rig.panel.results.thresholdSlider.enabled
    assert "choose Tiny" in rig.panel.results.noteLabel.text
    slicer.mrmlScene.RemoveNode(rig.ui.inputSelector.currentNode())
    settle()
    rig.ui.outputSelector.setCurrentNode(node)
    rig.panel.results.table.setCurrentCell(0, 0)
    assert "not in the scene" in rig.panel.results.noteLabel.text


def test_the_threshold_goes_to_the_scan_of_the_result_whatever_scan_is_chosen(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    head = rig.ui.inputSelector.currentNode()
    other = addHead(slicer.mrmlScene, "Other", (2, 1, 1))
    rig.ui.inputSelector.setCurrentNode(other)
    rig.ui.outputSelector.setCurrentNode(node)
    threshold(rig, 0, 30)
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is head
    assert rig.panel.results.rows[0].threshold == 0.3


def test_a_structure_that_the_model_does_not_know_stops_no_other(rig: PanelInRig) -> None:
    rig.panel.promptBox.addPrompts("left putamen", [Prompt("left putamen", "mri", concept="SAT:left_putamen")])
    node = run(rig, "left hippocampus", "brainstem")
    rows = {row.prompt.text: row for row in rig.panel.results.rows}
    assert rows["left putamen"].status == "unknown"
    assert rows["left hippocampus"].status == "found"
    assert set(segmentNames(node)) == {HIPPOCAMPUS, BRAINSTEM}
    table = rig.panel.results.table
    texts = {table.item(n, 0).text(): table.item(n, 1).text() for n in range(table.rowCount)}
    assert texts["left putamen"] == "not known to this model"
    assert "2 of 2 found" in rig.ui.stageLabel.text
    assert "1 not known to this model" in rig.ui.stageLabel.text
    assert "Choose another model" in rig.ui.warningLabel.text
    number = next(n for n, row in enumerate(rig.panel.results.rows) if row.status == "unknown")
    table.setCurrentCell(number, 0)
    assert "Choose another model" in rig.panel.results.noteLabel.text
    assert not rig.panel.results.thresholdSlider.enabled


def test_what_another_model_found_stays_where_this_one_does_not_know_it(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    before = voxels(node, HIPPOCAMPUS)
    written = writeResults(
        node,
        rig.ui.inputSelector.currentNode(),
        [dataclasses.replace(result("left hippocampus", np.zeros((2, 2, 2), bool)), status="unknown")],
    )
    assert written.unknown == ("left hippocampus",)
    assert written.notFound == ()
    assert voxels(node, HIPPOCAMPUS) == before


@pytest.fixture
def atFirst(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a function here: it is called once, in the middle of a run, when the first structure was shown."""
    todo: list[Any] = []
    show = VolumeRun.show

    def shown(run: VolumeRun, index: int, found: Any) -> None:
        show(run, index, found)
        if todo:
            todo.pop()()

    monkeypatch.setattr(VolumeRun, "show", shown)
    return todo


def segmentationNodes() -> list[Any]:
    return list(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))


def test_a_structure_is_shown_while_the_run_goes_on_and_a_run_is_one_step(rig: PanelInRig, atFirst: list[Any]) -> None:
    there: list[tuple[bool, list[str]]] = []
    atFirst.append(lambda: there.append((rig.panel.run.running, [*segmentNames(segmentationNodes()[0])])))
    node = run(rig, "brainstem", "left hippocampus")
    assert there == [(True, [BRAINSTEM])]
    assert [*segmentNames(node)] == [BRAINSTEM, HIPPOCAMPUS]
    assert len(rig.panel.results.rows) == 2
    assert rig.panel.resultsPanel.history.undoName
    click(rig.ui.undoButton)
    assert segmentationNodes() == []
    assert not rig.panel.resultsPanel.history.undoName


def test_a_run_that_is_cancelled_or_left_takes_what_it_has_shown_with_it(rig: PanelInRig, atFirst: list[Any]) -> None:
    rig.ask("brainstem", "left hippocampus")
    for stop in (rig.panel.run.cancel, rig.panel.run.abandon):
        seen: list[int] = []
        atFirst.append(lambda stop=stop, seen=seen: (seen.append(len(segmentationNodes())), stop()))
        click(rig.ui.runButton)
        rig.waitForEnd()
        assert seen == [1]
        assert segmentationNodes() == []
        assert not rig.panel.resultsPanel.history.undoName
    rig.panel._setBusy(False)
    atFirst.append(closeScene)
    click(rig.ui.runButton)
    rig.waitForEnd()
    assert segmentationNodes() == []
