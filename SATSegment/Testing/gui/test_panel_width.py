"""The panel at its narrowest, 340 pixels, and with few chips: nothing sticks out, no room is wasted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead, panelWithDemoModel
from PySide6 import QtGui, QtWidgets
from rig import hands
from rig.hands import settle

from helpers.results import result
from SATSegmentLib.engine.api import ModelRecord
from SATSegmentLib.errors import OutOfMemory
from SATSegmentLib.mrml.record import addRecord
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.mrml.undo import RunUndo

NARROWEST = 340


@pytest.fixture
def rig(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelInRig]:
    application = QtWidgets.QApplication.instance()
    before = QtGui.QFont(application.font())
    # Slicer's font is larger than the one of the tests.
    large = QtGui.QFont(before)
    large.setPointSize(11)
    QtWidgets.QApplication.setFont(large)
    addHead(scene, "A scan with a name as long as those that a hospital's archive gives to a series")
    with panelWithDemoModel(tmp_path, monkeypatch) as rig:
        yield rig
    QtWidgets.QApplication.setFont(before)


def chips(rig: PanelInRig) -> None:
    rig.ask("left putamen", "right putamen", "brainstem")


def question(rig: PanelInRig) -> None:
    rig.ask("superior longitudinal fasciculus")
    rig.ask("temporal")
    assert rig.panel.promptBox.question.isOpen


def error(rig: PanelInRig) -> None:
    rig.panel.run.showError(OutOfMemory("The GPU ran out of memory.", "Segment on the CPU."))


def settings(rig: PanelInRig) -> None:
    rig.ui.settingsCollapsibleButton.collapsed = False
    rig.ui.logCollapsibleButton.collapsed = False


def setup(rig: PanelInRig) -> None:
    rig.ui.modelComboBox.setCurrentIndex(rig.ui.modelComboBox.findData("sat-pro"))


def results(rig: PanelInRig) -> None:
    volumeNode = rig.ui.inputSelector.currentNode()
    shape = slicer.util.arrayFromVolume(volumeNode).shape
    node = createSegmentation(volumeNode)
    change = RunUndo(node, [], isNew=True)
    found = [result("left putamen", np.ones(shape, bool)), result("brainstem", np.zeros(shape, bool))]
    writeResults(node, volumeNode, found)
    addRecord(node, found, ModelRecord("Demonstration model", "", "", ""), 0.5)
    rig.panel.resultsPanel.added(
        "segmentation of the left superior longitudinal fasciculus", change, "Undo segmentation"
    )
    rig.panel.results.table.setCurrentCell(0, 0)
    assert rig.panel.results.rows


def teaching(rig: PanelInRig) -> None:
    rig.panel.teachBar.open(None)


@pytest.mark.parametrize("state", [chips, question, error, settings, setup, results, teaching])
def test_the_panel_is_no_wider_than_asked_for(rig: PanelInRig, state: Callable[[PanelInRig], None]) -> None:
    state(rig)
    settle()
    layout = rig.panel.widget.layout()
    assert layout.totalMinimumSize().width() <= NARROWEST - 22, _widest(rig)
    rig.moduleWidget.parent.resize(NARROWEST, 900)
    settle()
    assert rig.moduleWidget.parent.width == NARROWEST


def translations(locale: str) -> dict[str, str]:
    """The panel's texts in a language; English ones stand for themselves, and are in each file."""
    english = locale == "en-US"
    name = f"SATSegment_{'de-DE' if english else locale}.ts"
    file = Path(__file__).parents[2] / "Resources" / "Translations" / name
    pairs = (
        (one.findtext("source", ""), one.findtext("translation", "")) for one in ElementTree.parse(file).iter("message")
    )
    return {source: source if english else translation for source, translation in pairs}


@pytest.mark.parametrize("locale", ["en-US", "de-DE", "fr-FR"])
@pytest.mark.parametrize("width", [NARROWEST, 400])
def test_the_undo_button_says_what_fits_and_is_not_cut(
    rig: PanelInRig, monkeypatch: Any, locale: str, width: int
) -> None:
    texts = translations(locale)
    monkeypatch.setattr("SATSegmentLib.gui.results_panel._", texts.__getitem__)
    results(rig)
    rig.moduleWidget.parent.resize(width, 900)
    for name, brief in (
        ("segmentation of {structures}", "Undo segmentation"),
        ("threshold of {structure}", "Undo threshold"),
        ("removal of {structure}", "Undo removal"),
        ("renaming to {name}", "Undo renaming"),
    ):
        step = texts[name].format(structures="left hippocampus", structure="left hippocampus", name="left hippocampus")
        rig.panel.resultsPanel.added(step, rig.panel.resultsPanel.history._done[-1].change, texts[brief])
        settle()
        button = rig.ui.undoButton
        assert button.text in (texts["Undo {step}"].format(step=step), texts[brief], texts["Undo"])
        assert button.width >= button.sizeHint.width(), (button.text, button.width, button.sizeHint.width())
        assert step in button.toolTip


def test_what_helps_after_an_error_can_be_read(rig: PanelInRig) -> None:
    rig.panel.run.showError(OutOfMemory("The GPU ran out of memory.", "Segment on the CPU.", device="cuda:0"))
    rig.moduleWidget.parent.resize(400, 900)
    settle()
    for button in (rig.ui.errorActionButton, rig.ui.errorCloseButton):
        assert button.isVisible()
        assert button.width >= button.sizeHint.width(), button.text


def test_a_section_that_is_opened_shows_what_is_in_it(rig: PanelInRig) -> None:
    settings(rig)
    rig.moduleWidget.parent.resize(400, 900)
    settle()
    box = rig.ui.loadAheadCheckBox
    assert box.isVisible()
    assert box.width >= box.sizeHint.width()


def _widest(rig: PanelInRig) -> list[tuple[int, str, str]]:
    found = []
    for widget in rig.panel.widget.findChildren(QtWidgets.QWidget):
        if widget.isVisible():
            hint = widget.minimumSizeHint if isinstance(widget.minimumSizeHint, qt.QSize) else widget.minimumSizeHint()
            least = widget.minimumWidth or hint.width()
            found.append((least, type(widget).__name__, widget.objectName))
    return sorted(found, reverse=True)[:10]


@pytest.mark.parametrize("names", [["brainstem"], ["left putamen", "brainstem"]])
def test_few_chips_leave_no_gap_above_the_button(rig: PanelInRig, names: list[str]) -> None:
    rig.ask(*names)
    settle()
    chip = rig.panel.promptBox.chipBox.widgets[-1].frame
    bottom = chip.mapTo(rig.panel.widget, qt.QPoint(0, chip.height)).y()
    above = rig.ui.mismatchLabel if rig.ui.mismatchLabel.isVisible() else rig.ui.runButton
    top = above.mapTo(rig.panel.widget, qt.QPoint(0, 0)).y()
    assert 0 <= top - bottom <= 20


def test_a_question_with_one_answer_leaves_no_gap_either(rig: PanelInRig) -> None:
    rig.panel.promptBox.question.ask("Did you mean", (("brainstem", ""),))
    settle()
    frame = rig.panel.promptBox.question.widget
    assert frame.height <= frame.fontMetrics().height() * 5
    hands.press(rig.panel.promptBox.lineEdit, qt.Qt.Key_Escape)
