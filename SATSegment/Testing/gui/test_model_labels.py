"""What the chosen model does not know is grey wherever structures are offered, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import qt
from gui.prompt_rig import promptBox
from learning.teach.teaching import put_word
from rig import hands

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import WORDS_VARIABLE
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.prompt_box import PromptBox
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import Prompt

ENTER = qt.Qt.Key_Return
SMALL = ModelLabels("Small model", frozenset({("left lung", "ct"), ("liver", "ct"), ("spleen", "ct")}), readsText=False)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[PromptBox]:
    for box in promptBox(tmp_path):
        box.setLabels(SMALL)
        yield box


def prompt(text: str) -> Prompt:
    return anatomy.find_label("ct", text).prompt()


def test_the_demonstration_model_does_not_know_a_kidney_although_it_reads_free_text() -> None:
    demo = ModelLabels.of(str(resource_path("Models/demo")), "Demo")
    assert demo.knows(Prompt("left putamen", "mri"))
    assert not demo.knows(Prompt("left kidney", "ct"))
    assert demo.knows(Prompt("the thing at the top", "mri", trained=False))


def test_a_folder_without_a_list_of_labels_restricts_nothing(tmp_path: Path) -> None:
    assert ModelLabels.of(str(tmp_path), "x").knows(Prompt("left kidney", "ct"))
    (tmp_path / "bank.safetensors").write_bytes(b"damaged")
    assert ModelLabels.of(str(tmp_path), "x").knows(Prompt("left kidney", "ct"))


def test_the_popup_greys_what_the_model_does_not_know_and_offers_the_rest(box: PromptBox) -> None:
    hands.typeText(box.lineEdit, "left lu")
    rows = {row.name: row for row in box.popup.rows}
    assert rows["left lung"].enabled
    assert not rows["left lung upper lobe"].enabled
    assert rows["left lung upper lobe"].evidence() == "not in this model"
    assert "not in this model" in rows["left lung upper lobe"].spoken()


def test_enter_on_a_grey_row_says_why_and_adds_nothing_unless_asked(box: PromptBox) -> None:
    hands.typeText(box.lineEdit, "left kidney")
    assert box.popup.highlighted() is None
    hands.press(box.lineEdit, ENTER)
    assert box.chips == ()
    assert "Small model was not trained on left kidney" in box.question.label.text
    hands.click(box.question.buttons[0])
    (chip,) = box.chipBox.widgets
    assert chip.button.text == "left kidney · not in this model"
    assert chip.button.font.strikeOut()
    box.setLabels(ANY_LABEL)
    assert chip.button.text == "left kidney"


def test_a_group_that_is_known_in_part_says_how_much(box: PromptBox) -> None:
    hands.typeText(box.lineEdit, "lungs")
    row = box.popup.rows[0]
    assert row.enabled
    assert "1 of 2 in this model" in row.evidence()
    hands.press(box.lineEdit, ENTER)
    assert "1/2" in box.chipBox.widgets[0].button.text


def test_a_pasted_list_keeps_what_the_model_does_not_know_and_marks_it(box: PromptBox) -> None:
    box.addText("liver, left kidney")
    assert [one.button.text for one in box.chipBox.widgets] == ["liver", "left kidney · not in this model"]


def test_free_text_is_no_choice_where_the_model_reads_none(box: PromptBox) -> None:
    box.addText("zzqq of the patient")
    assert "takes no free text" in box.question.label.text
    assert all("free text" not in button.text for button in box.question.buttons)


def test_the_tree_greys_it_too(box: PromptBox) -> None:
    box.tree.open(())
    items = box.tree.items()
    assert items["left kidney"].text(1) == "not in this model"
    assert not items["left kidney"].flags() & qt.Qt.ItemIsUserCheckable
    assert items["liver"].flags() & qt.Qt.ItemIsUserCheckable
    items["liver"].setCheckState(0, qt.Qt.Checked)
    assert [one.text for one in box.prompts()] == ["liver"]
    box.setLabels(ANY_LABEL)
    items = box.tree.items()
    assert items["left kidney"].flags() & qt.Qt.ItemIsUserCheckable
    assert items["liver"].checkState(0) == qt.Qt.Checked


def test_presets_and_history_say_it(box: PromptBox) -> None:
    box.history.remember([prompt("left kidney"), prompt("liver")])
    box.presets.refill()
    entries = {}
    for submenu in box.presets._submenus:
        entries.update({action.text: action for action in submenu.actions()})
    assert not entries["left kidney · not in this model"].enabled
    assert entries["liver"].enabled
    partly = [text for text in entries if "of" in text and "in this model" in text]
    assert partly
    assert all(entries[text].enabled for text in partly)


def test_a_report_lists_it_unchecked(box: PromptBox) -> None:
    box.report.open()
    box.report.edit.setPlainText("The liver is normal. Small cyst of the left kidney.")
    box.report.read()
    lines = {box.report.list.item(n).text(): box.report.list.item(n) for n in range(box.report.list.count)}
    assert lines["liver"].checkState() == qt.Qt.Checked
    others = [item for text, item in lines.items() if "not in this model" in text]
    assert len(others) == 2  # the cyst, and the kidney that it is in
    assert all(item.checkState() == qt.Qt.Unchecked for item in others)


@pytest.mark.parametrize(
    ("text", "left"),
    [("my th", "my"), ("the th", "the"), ("patient liv", "patient"), ("whole thyr", "whole"), ("my left lu", "my")],
)
def test_a_suggestion_that_leaves_out_a_typed_word_is_not_chosen_and_says_so(
    box: PromptBox, text: str, left: str
) -> None:
    box.setLabels(ANY_LABEL)
    hands.typeText(box.lineEdit, text)
    row = box.popup.rows[0]
    assert row.leftOut == (left,)
    assert f"without “{left}”" in row.evidence()
    assert f"without “{left}”" in row.evidenceVariants()[-1]
    assert f"without “{left}”" in row.spoken()
    assert box.popup.highlighted() is None


@pytest.mark.parametrize("text", ["lt kidn", "rt kid", "thym", "my liver", "lh hipp", "t12 vert", "or"])
def test_a_completion_of_all_words_is_chosen(box: PromptBox, text: str) -> None:
    box.setLabels(ANY_LABEL)
    hands.typeText(box.lineEdit, text)
    assert box.popup.rows[0].leftOut == ()
    assert box.popup.highlighted() is not None


def test_a_side_that_the_structure_does_not_have_is_said(box: PromptBox) -> None:
    box.setLabels(ANY_LABEL)
    hands.typeText(box.lineEdit, "left thyr")
    whole = next(row for row in box.popup.rows if row.name in ("thyroid", "thyroid gland"))
    assert whole.leftOut == ("left",)


def test_a_word_that_was_taught_to_another_model_is_grey_while_one_types(
    box: PromptBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORDS_VARIABLE, str(tmp_path))
    put_word(tmp_path, name="my implant", modality="ct", model_sha256="a" * 64)
    box.setLabels(ModelLabels("Another", sha256="b" * 64))
    hands.typeText(box.lineEdit, "my impl")
    row = next(row for row in box.popup.rows if row.name == "my implant")
    assert not row.enabled
    assert "taught to" in row.badge
    box.setLabels(ModelLabels("Its own", sha256="a" * 64))
    hands.typeText(box.lineEdit, "a")
    assert next(row for row in box.popup.rows if row.name == "my implant").enabled
