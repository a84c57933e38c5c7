"""The prompt line for somebody who types and reads another language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import qt
from rig import hands

from SATSegmentLib.gui import search_tables
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.language import SETTING, userLanguage
from SATSegmentLib.gui.popup_delegate import segments
from SATSegmentLib.gui.prompt_box import PromptBox


@pytest.fixture
def german() -> Iterator[None]:
    search_tables.read("ct")
    qt.QSettings().setValue(SETTING, "de")
    userLanguage.cache_clear()
    yield
    qt.QSettings().remove(SETTING)
    userLanguage.cache_clear()


@pytest.fixture
def box(tmp_path: Path, german: None) -> Iterator[PromptBox]:
    window = qt.QWidget()
    column = qt.QVBoxLayout(window)
    box = PromptBox(window, "ct", History(tmp_path / "sets.json"))
    column.addWidget(box.widget)
    window.resize(360, 500)
    window.show()
    window.activateWindow()
    box.setFocus()
    hands.settle()
    yield box
    box.release()


def test_the_list_shows_the_name_in_the_users_language_beside_the_trained_one(box):
    hands.typeText(box.lineEdit, "left kid")
    row = box.popup.rows[0]
    assert row.name == "left kidney"
    assert row.local == "Niere links"
    assert "".join(text for text, _ in segments(row)).endswith("Niere links")
    assert "Niere links" in row.spoken()


def test_enter_takes_a_german_name_and_the_prompt_keeps_the_trained_one(box):
    hands.typeText(box.lineEdit, "linke Niere")
    hands.press(box.lineEdit, qt.Qt.Key_Return)
    assert [prompt.text for prompt in box.prompts()] == ["left kidney"]


def test_the_detail_of_a_row_says_what_the_label_means(box):
    hands.typeText(box.lineEdit, "linke Niere")
    detail = box.popup.rows[0].toolTip()
    assert "left kidney" in detail
    assert "cyst" in detail


def test_the_users_choice_comes_before_slicers_language(german):
    qt.QSettings().setValue("language", "fr_FR")
    assert userLanguage() == "de"
    qt.QSettings().remove(SETTING)
    userLanguage.cache_clear()
    assert userLanguage() == "fr"
    qt.QSettings().remove("language")
