"""The module from typing to segments, through the widgets, the real worker, a real network and real MRML."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import (
    Heart,
    PanelInRig,
    addHead,
    importWhatRunsNeed,
    keptEngine,
    leftovers,
    libraryModules,
    ownEngine,
    restoreLibrary,
    segmentNames,
)
from PySide6 import QtCore, QtWidgets
from rig.hands import click, press, settle, waitFor
from rig.slicer_app import closeScene

from helpers.processor import slowdown
from SATSegmentLib.engine.api import RunListener, RunOptions
from SATSegmentLib.gui.self_test.acceptance import killWorker
from SATSegmentLib.types import Prompt


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with keptEngine():
        yield


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    ownEngine(monkeypatch)


@pytest.fixture(autouse=True)
def _world(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(models))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    qt.QSettings().setValue("SATSegment/model", str(models / "tiny"))


@pytest.fixture
def rig(scene: Any) -> Iterator[PanelInRig]:
    addHead(scene)
    rig = PanelInRig()
    yield rig
    rig.cleanup()
    assert leftovers() == []


def run(rig: PanelInRig, *names: str) -> Any:
    """Ask, run, wait; the segmentation node."""
    rig.ask(*names)
    click(rig.ui.runButton)
    rig.waitForEnd()
    assert rig.panel.results.rows, "nothing was run"
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    return rig.ui.outputSelector.currentNode()


def test_from_typing_to_an_editable_coded_segment(rig: PanelInRig) -> None:
    assert "guessed" in rig.ui.modalityReasonLabel.text
    assert rig.ui.modalityComboBox.currentText == "MRI"
    assert not rig.ui.runButton.enabled
    rig.ask("left hippocampus")
    assert rig.ui.runButton.enabled
    assert "1 structure" in rig.ui.runButton.text
    press(rig.panel.promptBox.lineEdit, QtCore.Qt.Key_Return, QtCore.Qt.ControlModifier)
    assert rig.panel.run.running
    assert rig.ui.runButton.text == "Cancel"
    rig.waitForEnd()
    node = rig.ui.outputSelector.currentNode()
    assert node.GetName() == "Head segmentation"
    assert segmentNames(node) == {"SAT_mri_left_hippocampus": "left hippocampus"}
    segment = node.GetSegmentation().GetSegment("SAT_mri_left_hippocampus")
    terminology = vtkString(segment, segment.GetTerminologyEntryTagName())
    assert "Hippocampus" in terminology
    assert vtkString(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
    assert "cpu" in rig.ui.stageLabel.text
    table = rig.panel.results.table
    assert table.item(0, 0).text() == "left hippocampus"
    assert float(table.item(0, 2).text()) > 0
    assert "left hippocampus" in rig.ui.logTextEdit.plainText
    assert "Head" not in rig.ui.logTextEdit.plainText  # a scan's name may be a patient's


def vtkString(segment: Any, tag: str) -> str:
    import vtk

    value = vtk.reference("")
    assert segment.GetTag(tag, value), tag
    return str(value)


def test_edit_hands_over_to_segment_editor(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    rig.panel.results.table.setCurrentCell(1, 0)
    click(rig.panel.results.editButton)
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    assert slicer.modules.selected == "SegmentEditor"
    assert editor.segmentationNode() is node
    assert editor.sourceVolumeNode() is rig.ui.inputSelector.currentNode()
    assert editor.currentSegmentID() == "SAT_mri_brainstem"


def test_a_click_on_a_result_moves_the_slice_views_there(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    rig.panel.results._onClicked(0, 0)
    center = node.GetSegmentCenterRAS("SAT_mri_left_hippocampus")
    matrix = red.GetSliceToRAS()
    assert [matrix.GetElement(axis, 3) for axis in range(3)] == pytest.approx(list(center), abs=1.0)


def test_a_rename_with_f2_names_the_segment(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    rig.panel.results.table.item(0, 0).setText("my hippocampus")
    settle()
    assert segmentNames(node) == {"SAT_mri_left_hippocampus": "my hippocampus"}


def test_a_second_run_replaces_its_own_and_undo_brings_it_back(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus")
    segment = node.GetSegmentation().GetSegment("SAT_mri_left_hippocampus")
    before = voxelsOf(node, "SAT_mri_left_hippocampus")
    segment.SetName("named by hand")
    rig.panel.promptBox.clear()
    again = run(rig, "left hippocampus", "brainstem")
    assert again is node
    assert set(segmentNames(node)) == {"SAT_mri_left_hippocampus", "SAT_mri_brainstem"}
    click(rig.ui.undoButton)
    assert segmentNames(node) == {"SAT_mri_left_hippocampus": "named by hand"}
    assert voxelsOf(node, "SAT_mri_left_hippocampus") == before
    assert [row.prompt.text for row in rig.panel.results.rows] == ["left hippocampus"]
    assert rig.ui.undoButton.accessibleName == "Undo segmentation of left hippocampus"


def voxelsOf(node: Any, identifier: str) -> list[tuple[float, ...]]:
    from mrml.mrml_phantom import worldPoints

    return sorted(map(tuple, worldPoints(node, identifier).round(3).tolist()))


def test_undo_of_the_first_run_takes_its_node_away(rig: PanelInRig) -> None:
    run(rig, "left hippocampus")
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    click(rig.ui.undoButton)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == count - 1
    assert rig.panel.results.rows == []


def test_remove_takes_one_and_undo_brings_it_back(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    before = {one: voxelsOf(node, one) for one in segmentNames(node)}
    rig.panel.results.table.setCurrentCell(0, 0)
    click(rig.panel.results.removeButton)
    assert list(segmentNames(node)) == ["SAT_mri_brainstem"]
    assert voxelsOf(node, "SAT_mri_brainstem") == before["SAT_mri_brainstem"]
    click(rig.ui.undoButton)
    assert {one: voxelsOf(node, one) for one in segmentNames(node)} == before
    assert list(segmentNames(node)) == ["SAT_mri_left_hippocampus", "SAT_mri_brainstem"]


def test_the_threshold_makes_a_structure_larger_and_smaller(rig: PanelInRig) -> None:
    node = run(rig, "left hippocampus", "brainstem")
    other = voxelsOf(node, "SAT_mri_brainstem")
    sizes = {}
    for value in (80, 20):
        rig.panel.results.table.setCurrentCell(0, 0)
        rig.panel.results.thresholdSlider.setValue(value)
        rig.waitForEnd()
        sizes[value] = rig.panel.results.rows[0].volumeMl
        assert rig.panel.results.rows[0].threshold == value / 100
    assert sizes[80] < sizes[20]
    assert voxelsOf(node, "SAT_mri_brainstem") == other


def test_the_table_leaves_as_a_node_and_as_csv(rig: PanelInRig, tmp_path: Path) -> None:
    run(rig, "left hippocampus", "brainstem")
    tableNode = rig.panel.resultsPanel.exportToScene()
    assert tableNode.GetNumberOfRows() == 2
    assert tableNode.GetTable().GetColumnByName("volume_ml").GetValue(0) > 0
    rig.panel.resultsPanel.exportCsv(str(tmp_path / "results.csv"))
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["structure"] for row in rows] == ["left hippocampus", "brainstem"]
    assert float(rows[0]["volume_ml"]) == pytest.approx(rig.panel.results.rows[0].volumeMl, abs=1e-3)


def longScan(rig: PanelInRig) -> None:
    node = addHead(slicer.mrmlScene, "Long", (6, 8, 8))
    rig.ui.inputSelector.setCurrentNode(node)
    settle()


@pytest.mark.usefixtures("own")
def test_the_panel_lives_on_during_a_run_and_cancel_ends_it(rig: PanelInRig) -> None:
    longScan(rig)
    rig.ask("left hippocampus", "brainstem")
    importWhatRunsNeed()
    heart = Heart()
    click(rig.ui.runButton)
    waitFor(lambda: rig.ui.progressBar.value > 0, 60)
    beats, value = heart.beats, rig.ui.progressBar.value
    waitFor(lambda: rig.ui.progressBar.value > value, 60)
    waitFor(lambda: heart.beats >= beats + 50, 60)
    assert rig.panel.run.running
    assert "left" in rig.ui.stageLabel.text
    click(rig.ui.runButton)
    waitFor(lambda: not rig.panel.run.running, 10)
    heart.stop()
    print(f"at most {heart.longestWork * 1000:.0f} ms of work between two beats")
    assert heart.longestWork <= 0.1 * slowdown()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_escape_twice_cancels_and_once_does_not(rig: PanelInRig) -> None:
    longScan(rig)
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    waitFor(lambda: rig.ui.progressBar.value > 0, 60)
    rig.panel.run.escape()
    assert not rig.panel.run._task.cancelAsked
    time.sleep(1.1)
    rig.panel.run.escape()
    assert not rig.panel.run._task.cancelAsked
    rig.panel.run.escape()
    rig.waitForEnd(5)
    assert "Cancelled" in rig.ui.logTextEdit.plainText


def test_while_a_run_is_on_its_ground_cannot_be_taken_away(rig: PanelInRig) -> None:
    longScan(rig)
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    locked = (rig.ui.inputSelector, rig.ui.modalityComboBox, rig.ui.outputSelector, rig.panel.promptBox.widget)
    assert not any(widget.enabled for widget in locked)
    click(rig.ui.runButton)
    rig.waitForEnd(5)
    assert all(widget.enabled for widget in locked)


def test_closing_the_scene_ends_the_run_and_empties_the_panel(rig: PanelInRig) -> None:
    run(rig, "left hippocampus")
    rig.ui.outputSelector.setCurrentNode(None)
    longScan(rig)
    click(rig.ui.runButton)
    waitFor(lambda: rig.ui.progressBar.value > 0, 60)
    closeScene()
    settle()
    assert not rig.panel.run.running
    assert rig.panel.results.rows == []
    assert rig.panel.promptBox.prompts() == ()
    assert rig.ui.inputSelector.currentNode() is None
    addHead(slicer.mrmlScene)
    settle()
    # The worker of the run that was dropped may still be stopping.
    waitFor(lambda: not rig.module.sharedEngine()._busy.locked(), 10)
    assert segmentNames(run(rig, "brainstem"))
    # The new node may have the id of the old one, but not its results.
    assert [row.prompt.text for row in rig.panel.results.rows] == ["brainstem"]


def test_the_structures_come_back_with_the_scene(rig: PanelInRig, tmp_path: Path) -> None:
    rig.ask("left hippocampus")
    path = str(tmp_path / "scene.mrml")
    slicer.mrmlScene.SetURL(path)
    slicer.mrmlScene.Commit(path)
    closeScene()
    settle()
    assert rig.panel.promptBox.prompts() == ()
    slicer.mrmlScene.SetURL(path)
    slicer.mrmlScene.Import()
    settle()
    assert [prompt.text for prompt in rig.panel.promptBox.prompts()] == ["left hippocampus"]
    assert rig.panel.modality == "mri"


@pytest.mark.usefixtures("own")
def test_reload_leaves_nothing_of_the_old_panel(rig: PanelInRig) -> None:
    run(rig, "left hippocampus")
    kept = libraryModules()
    pid = rig.module.sharedEngine().pid
    try:
        rig.moduleWidget.onReload()
        settle()
        assert not processExists(pid)
        fresh = rig.moduleWidget.reloaded
        assert type(fresh.panel) is not type(rig.moduleWidget.panel)
        assert fresh.panel.ui.inputSelector.currentNode().GetName() == "Head"
        assert [prompt.text for prompt in fresh.panel.promptBox.prompts()] == ["left hippocampus"]
        fresh.cleanup()
    finally:
        restoreLibrary(kept)


def processExists(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_mismatch_is_seen_before_the_run(rig: PanelInRig) -> None:
    rig.ask("left hippocampus")
    rig.ui.modalityComboBox.setCurrentIndex(0)
    settle()
    assert not rig.ui.mismatchLabel.isHidden()
    assert "CT is chosen" in rig.ui.mismatchLabel.text


def test_a_non_linear_transform_is_refused_with_the_remedy(rig: PanelInRig) -> None:
    node = rig.ui.inputSelector.currentNode()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    rig.ask("left hippocampus")
    click(rig.ui.runButton)
    assert not rig.panel.run.running
    assert "Harden" in rig.ui.errorLabel.text


def test_the_log_can_be_copied(rig: PanelInRig) -> None:
    run(rig, "left hippocampus")
    rig.ui.copyLogButton.click()
    assert "left hippocampus" in QtWidgets.QApplication.clipboard().text()


def test_the_console_does_not_block_and_hears_of_the_end_once(rig: PanelInRig) -> None:
    logic = rig.module.SATSegmentLogic()
    ends: list[tuple[Any, Any]] = []
    progress: list[float] = []
    task = logic.segmentAsync(
        rig.ui.inputSelector.currentNode(),
        [Prompt("left hippocampus", "mri")],
        RunOptions(rig.panel.settings.model),
        "mri",
        listener=RunListener(lambda one: progress.append(one.fraction)),
        onDone=lambda output, error: ends.append((output, error)),
    )
    assert task.running
    waitFor(lambda: not task.running, 60)
    settle()
    ((output, error),) = ends
    assert error is None
    assert segmentNames(output.segmentationNode)
    assert progress == sorted(progress)


def test_a_killed_worker_is_an_error_message_and_the_next_run_works(rig: PanelInRig) -> None:
    node = run(rig, "brainstem")
    before = voxelsOf(node, "SAT_mri_brainstem")
    head = rig.ui.inputSelector.currentNode()
    longScan(rig)
    rig.ui.outputSelector.setCurrentNode(None)
    click(rig.ui.runButton)
    waitFor(lambda: rig.ui.progressBar.value > 0, 60)
    killWorker(rig.module.sharedEngine().pid)
    rig.waitForEnd()
    assert not rig.ui.errorFrame.isHidden()
    assert "Nothing was lost" in rig.ui.errorLabel.text
    assert voxelsOf(node, "SAT_mri_brainstem") == before
    rig.ui.inputSelector.setCurrentNode(head)
    click(rig.ui.runButton)
    rig.waitForEnd()
    assert rig.ui.errorFrame.isHidden()
    # All tests share this process; its temporary files go with it.
    rig.module.sharedEngine().close()
