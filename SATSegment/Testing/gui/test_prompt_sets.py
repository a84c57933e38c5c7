"""Presets, own sets and the history of the prompt line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import qt
from gui.prompt_rig import promptBox
from rig import hands

from SATSegmentLib import anatomy
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.prompt_box import PromptBox

ENTER, ESCAPE, DOWN = qt.Qt.Key_Return, qt.Qt.Key_Escape, qt.Qt.Key_Down


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PromptBox]:
    yield from promptBox(tmp_path)


def texts(box: PromptBox) -> list[str]:
    return [prompt.text for prompt in box.prompts()]


def names(box: PromptBox) -> list[str]:
    return [chip.name for chip in box.chips]


def entries(menu: qt.QMenu) -> dict:
    return {action.text: action for action in menu.actions()}


def submenu(box: PromptBox, title: str) -> qt.QMenu:
    box.presets.refill()
    hands.settle()
    return next(menu for menu in box.presets.menu.findChildren(qt.QMenu) if menu.title == title)


def test_a_preset_is_one_chip(box: PromptBox) -> None:
    action = next(a for text, a in entries(submenu(box, "Presets")).items() if text.startswith("Spine numbering"))
    action.trigger()
    preset = next(p for p in anatomy.presets("ct") if p.id == "spine-numbering")
    assert box.prompts() == preset.prompts
    assert box.chipBox.widgets[0].button.text == f"{preset.title} ▸ {len(preset.prompts)}"


def test_presets_are_those_of_the_modality(box: PromptBox) -> None:
    box.setModality("pet")
    assert len(entries(submenu(box, "Presets"))) == len(anatomy.presets("pet"))


def test_own_sets_are_saved_offered_and_forgotten(box: PromptBox, tmp_path: Path) -> None:
    box.addText("liver, spleen")
    box.presets.refill()
    entries(box.presets.menu)["Save these structures as a set…"].trigger()
    assert box.question.nameEdit.hasFocus()
    hands.typeText(box.question.nameEdit, "upper")
    hands.press(box.question.nameEdit, ENTER)
    assert not box.question.isOpen
    assert list(History(tmp_path / "sets.json").sets) == ["upper"]
    box.clear()
    entries(submenu(box, "My sets"))["upper (2)"].trigger()
    assert texts(box) == ["liver", "spleen"]
    entries(submenu(box, "Forget a set"))["upper"].trigger()
    assert box.history.sets == {}


def test_history_is_offered_on_down_and_in_the_menu(box: PromptBox) -> None:
    box.addText("liver, spleen")
    box.remember()
    box.clear()
    hands.press(box.lineEdit, DOWN)
    assert [row.name for row in box.popup.rows] == ["liver", "spleen"]
    hands.press(box.lineEdit, ENTER)
    assert texts(box) == ["liver"]
    assert list(entries(submenu(box, "History"))) == ["liver", "spleen"]


def test_a_damaged_file_of_sets_is_left_alone_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    path.write_text("{broken", encoding="utf-8")
    history = History(path)
    assert "sets.json" in history.problem
    history.remember([anatomy.find_label("ct", "liver").prompt()])
    assert history.recent("ct") == ()
    assert path.read_text(encoding="utf-8") == "{broken"


def test_a_set_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    path.write_text("{broken", encoding="utf-8")
    window = qt.QWidget()
    box = PromptBox(window, "ct", History(path))
    box.addText("liver")
    box.presets.saveRequested.emit()
    box.question.named.emit("mine")
    assert "cannot be read" in box.question.label.text
    box.release()


# --- everything else that is asked of a panel
