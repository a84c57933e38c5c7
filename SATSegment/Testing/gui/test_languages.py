"""The prompt line for somebody who types and reads another language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import qt
from gui.prompt_rig import promptBox
from rig import hands

from SATSegmentLib.gui import search_tables
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.language import SETTING, chooseLanguage, languageChanged, userLanguage
from SATSegmentLib.gui.popup_delegate import segments
from SATSegmentLib.gui.prompt_box import PromptBox
from SATSegmentLib.gui.results_model import ResultRow
from SATSegmentLib.gui.results_table import ResultsTable
from SATSegmentLib.types import Prompt


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
    yield from promptBox(tmp_path)


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


def test_a_chip_shows_both_names_and_follows_the_choice(box):
    box.addText("linke Niere")
    chip = box.chipBox.widgets[0]
    assert chip.button.text == "left kidney · Niere links"
    chooseLanguage("fr")
    assert chip.button.text == "left kidney · rein gauche"
    chooseLanguage("en")
    assert chip.button.text == "left kidney"
    assert [prompt.text for prompt in box.prompts()] == ["left kidney"]


def test_a_question_offers_both_names_and_adds_the_trained_one(box):
    box.addText("Blase, Harn-")
    choice = next(button for button in box.question.buttons if button.text.startswith("urinary bladder"))
    assert choice.text == "urinary bladder · Harnblase"
    choice.click()
    assert [prompt.text for prompt in box.prompts()] == ["urinary bladder"]


def test_the_tree_shows_both_names_keeps_its_checks_and_finds_the_users_words(box):
    box.addText("linke Niere")
    box.tree.open(box.prompts())
    item = box.tree.items()["left kidney"]
    assert item.text(0) == "left kidney · Niere links"
    chooseLanguage("es")
    item = box.tree.items()["left kidney"]
    assert item.text(0) == "left kidney · riñón izquierdo"
    assert item.checkState(0) == qt.Qt.Checked
    box.tree.searchBox.setText("bazo")
    hands.settle()
    assert not box.tree.items()["spleen"].isHidden()
    assert box.tree.items()["pancreas"].isHidden()


def test_the_table_of_results_shows_the_users_name_in_a_column_of_its_own(german):
    parent = qt.QWidget()
    qt.QVBoxLayout(parent)
    table = ResultsTable(parent)
    table.show([_result("left kidney"), _result("my implant", trained=False)], None)
    header = table.table.horizontalHeader()
    local = next(n for n in range(table.table.columnCount) if header.visualIndex(n) == 1)
    assert [table.table.item(row, local).text() for row in (0, 1)] == ["Niere links", ""]
    assert table.table.item(0, 0).text() == "left kidney"
    assert "Niere links" in table.table.item(0, 0).toolTip()
    assert not table.table.isColumnHidden(local)
    chooseLanguage("en")
    assert table.table.isColumnHidden(local)
    table.release()


def _result(name: str, trained: bool = True) -> ResultRow:
    prompt = Prompt(name, "ct", "RAS", "", trained=trained)
    return ResultRow(prompt, "found", 1.0, 0.9, 0.99, (), 1.0, "cpu", "float32", "", 0.5, "demo")


def test_what_is_released_hears_of_no_other_language(tmp_path, german):
    before = list(languageChanged._slots)
    window = qt.QWidget()
    box = PromptBox(window, "ct", History(tmp_path / "sets.json"))
    box.addText("linke Niere")
    assert len(languageChanged._slots) > len(before)
    box.release()
    assert languageChanged._slots == before
    chooseLanguage("fr")
