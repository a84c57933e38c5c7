"""Chips: sides, composites, keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import qt
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import hands

from SATSegmentLib import anatomy
from SATSegmentLib.gui.chip_model import Chip, sides
from SATSegmentLib.gui.chips import ChipBox
from SATSegmentLib.types import Prompt

LABELS = anatomy.load_labels()


def prompt(text: str, modality: str = "ct") -> Prompt:
    return anatomy.find_label(modality, text).prompt()


@pytest.fixture
def box() -> Iterator[ChipBox]:
    window = qt.QWidget()
    column = qt.QVBoxLayout(window)
    box = ChipBox(window, "ct")
    column.addWidget(box.widget)
    column.addStretch(1)
    window.resize(340, 300)
    window.show()
    window.activateWindow()
    hands.settle()
    yield box
    box.release()


def chipTexts(box: ChipBox) -> list[str]:
    return [widget.button.text for widget in box.widgets]


# --- the model


def test_a_sided_chip_goes_left_right_both_and_back() -> None:
    chip = Chip("left kidney", (prompt("left kidney"),))
    right = chip.toggled()
    both = right.toggled()
    assert [p.text for p in right.prompts] == ["right kidney"]
    assert both.name == "left and right kidney"
    assert [p.text for p in both.prompts] == ["left kidney", "right kidney"]
    assert both.toggled() == chip


def test_what_has_no_sides_stays_as_it_is() -> None:
    for text in ("liver", "kidney", "vertebrae"):
        chip = Chip(text, (prompt(text),))
        assert chip.side is None
        assert chip.toggled() == chip


@pytest.mark.parametrize("label", [label for label in LABELS if label.laterality], ids=lambda label: label.text)
def test_left_is_left_and_right_is_right_for_every_trained_pair(label: anatomy.Label) -> None:
    other = "right" if label.laterality == "left" else "left"
    found = sides((label.prompt(),))
    if not found:
        # A few were trained on one side only.
        assert anatomy.find_label(label.modality, label.text.replace(label.laterality, other, 1)) is None
        return
    assert found[label.laterality] == (label.prompt(),)
    partner = anatomy.find_label(label.modality, found[other][0].text)
    assert partner.laterality == other
    assert set(found["both"]) == {label.prompt(), partner.prompt()}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4), st.sampled_from(["ct", "mri", "pet"]))
def test_another_modality_never_changes_what_is_asked_for(labels: list, modality: str) -> None:
    chip = Chip("any", tuple(dict.fromkeys(label.prompt() for label in labels)))
    moved = chip.inModality(modality)
    assert [p.text for p in moved.prompts] == [p.text for p in chip.prompts]
    assert all(anatomy.find_label(p.modality, p.text) is not None for p in moved.prompts)
    assert all(p.modality == modality for p in moved.fits(modality))


# --- the widgets


def test_a_click_toggles_the_side(box: ChipBox) -> None:
    box.add("left kidney", (prompt("left kidney"),))
    hands.click(box.widgets[0].button)
    assert [p.text for p in box.prompts()] == ["right kidney"]
    assert chipTexts(box) == ["right kidney"]
    assert box.widgets[0].button.accessibleName == "right kidney"


def test_enter_and_space_toggle_too(box: ChipBox) -> None:
    box.add("left kidney", (prompt("left kidney"),))
    button = box.widgets[0].button
    button.setFocus()
    hands.press(button, qt.Qt.Key_Space)
    assert chipTexts(box) == ["right kidney"]
    hands.press(button, qt.Qt.Key_Return)
    assert chipTexts(box) == ["left and right kidney"]


def test_a_side_that_is_there_already_is_taken_over(box: ChipBox) -> None:
    box.addEach([prompt("left kidney"), prompt("right kidney"), prompt("liver")])
    hands.click(box.widgets[0].button)
    assert [p.text for p in box.prompts()] == ["right kidney", "liver"]
    assert len(box.widgets) == 2


def test_a_composite_shows_its_count_and_lets_members_go(box: ChipBox) -> None:
    preset = next(p for p in anatomy.presets("ct") if p.id == "great-vessels")
    box.add(preset.title, preset.prompts)
    widget = box.widgets[0]
    assert widget.button.text == f"{preset.title} ▸ {len(preset.prompts)}"
    hands.click(widget.button)
    assert widget.menu.visible
    actions = widget.menu.actions()
    assert [action.text for action in actions] == [p.text for p in preset.prompts]
    actions[0].trigger()
    assert box.prompts() == preset.prompts[1:]
    assert widget.button.text == f"{preset.title} ▸ {len(preset.prompts) - 1}"
    widget.menu.hide()


def test_del_removes_and_the_focus_goes_to_the_neighbour(box: ChipBox) -> None:
    left = []
    box.leftToLine.connect(lambda: left.append(1))
    box.addEach([prompt("liver"), prompt("spleen"), prompt("pancreas")])
    box.widgets[1].button.setFocus()
    hands.press(box.widgets[1].button, qt.Qt.Key_Delete)
    assert chipTexts(box) == ["liver", "pancreas"]
    assert box.widgets[1].button.hasFocus()
    hands.press(box.widgets[1].button, qt.Qt.Key_Delete)
    hands.press(box.widgets[0].button, qt.Qt.Key_Delete)
    assert box.chips == ()
    assert left == [1], "after the last chip the focus goes to the prompt line"
    assert box.widget.isHidden()


def test_the_cross_removes(box: ChipBox) -> None:
    box.addEach([prompt("liver"), prompt("spleen")])
    hands.click(box.widgets[0].closeButton)
    assert chipTexts(box) == ["spleen"]


def test_arrows_go_from_chip_to_chip(box: ChipBox) -> None:
    box.addEach([prompt("liver"), prompt("spleen")])
    box.widgets[0].button.setFocus()
    hands.press(box.widgets[0].button, qt.Qt.Key_Right)
    assert box.widgets[1].button.hasFocus()
    hands.press(box.widgets[1].button, qt.Qt.Key_Left)
    assert box.widgets[0].button.hasFocus()


def test_a_prompt_is_in_one_chip_only(box: ChipBox) -> None:
    box.addEach([prompt("liver"), prompt("spleen")])
    assert box.add("both", (prompt("spleen"), prompt("pancreas"))) is True
    assert chipTexts(box) == ["liver", "spleen", "pancreas"]
    assert box.add("again", (prompt("spleen"),)) is False


def test_in_another_modality_a_chip_says_what_it_misses(box: ChipBox) -> None:
    box.add("pair", (prompt("liver"), prompt("left lung")))
    box.add("left lung lobe", (prompt("left lung upper lobe"),))
    box.setModality("mri")
    assert chipTexts(box) == ["pair ▸ 1/2", "left lung lobe · CT only"]
    assert [p.text for p in box.prompts()] == ["liver"]
    assert "not trained" in box.widgets[1].button.accessibleName
    assert box.widgets[1].button.font.strikeOut()


def test_free_text_is_marked(box: ChipBox) -> None:
    box.add("quux", (Prompt("quux", "ct", trained=False),))
    assert box.widgets[0].button.font.italic()
    assert "not trained" in box.widgets[0].button.toolTip


def test_chips_flow_into_the_width_that_is_there(box: ChipBox) -> None:
    box.addEach([label.prompt() for label in LABELS if label.modality == "ct"][:12])
    hands.settle()
    frames = [widget.frame for widget in box.widgets]
    assert max(frame.x + frame.width for frame in frames) <= box.widget.width
    assert len({frame.y for frame in frames}) > 2


def test_two_hundred_chips_come_quickly(box: ChipBox) -> None:
    from time import process_time

    before = process_time()
    box.addEach([label.prompt() for label in LABELS if label.modality == "ct"][:200])
    hands.settle()
    assert process_time() - before < 5.0
    assert len(box.prompts()) == 200
