"""From a report to chips."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import qt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig import hands

from SATSegmentLib.gui.report_dialog import ReportDialog
from SATSegmentLib.gui.report_text import findings, marked

REPORT = (
    "CT abdomen.\nFINDINGS: Small left pleural effusion. No pulmonary embolism. The liver is normal.\n"
    "Status post splenectomy. Possible cyst of the right kidney. The liver is smooth."
)


@pytest.fixture
def dialog() -> Iterator[ReportDialog]:
    window = qt.QWidget()
    dialog = ReportDialog(window, "ct")
    dialog.open()
    yield dialog
    dialog.release()


def lines(dialog: ReportDialog) -> dict[str, bool]:
    items = [dialog.list.item(row) for row in range(dialog.list.count)]
    return {item.text(): item.checkState() == qt.Qt.Checked for item in items}


def test_what_is_there_is_suggested_and_what_is_not_there_is_only_listed(dialog: ReportDialog) -> None:
    dialog.edit.setPlainText(REPORT)
    dialog.read()
    assert lines(dialog) == {
        "lung effusion · named as “left pleural effusion”; left side in the report": True,
        "pulmonary embolism · said not to be there": False,
        "liver": True,
        "spleen · removed": False,
        "right kidney cyst · only possible": True,
        "right kidney": True,
    }
    assert dialog.addButton.text == "Add 4 structures"


def test_the_text_is_read_after_a_pause_in_typing(dialog: ReportDialog) -> None:
    hands.typeText(dialog.edit, "The liver is normal.")
    assert lines(dialog) == {}
    hands.waitFor(lambda: dialog.list.count == 1, 5, "the report to be read")
    assert lines(dialog) == {"liver": True}


def test_the_findings_are_marked_in_their_sentences() -> None:
    found = findings(REPORT, "ct")
    text = marked(REPORT, found, {finding for finding in found if finding.suggested})
    assert "<b><u>left pleural effusion</u></b>" in text
    assert "<s>pulmonary embolism</s>" in text
    assert "<s>splenectomy</s>" in text
    assert found[0].sentence == "Small left pleural effusion."


def test_taking_over_gives_the_checked_ones_and_forgets_the_report(dialog: ReportDialog) -> None:
    taken = []
    dialog.accepted.connect(taken.append)
    dialog.edit.setPlainText(REPORT)
    dialog.read()
    dialog.list.item(0).setCheckState(qt.Qt.Unchecked)
    assert dialog.addButton.text == "Add 3 structures"
    hands.click(dialog.addButton)
    assert [[prompt.text for prompt in prompts] for prompts in taken] == [
        ["liver", "right kidney cyst", "right kidney"]
    ]
    assert dialog.edit.toPlainText() == ""
    assert dialog.view.toPlainText() == ""
    assert not dialog.dialog.visible


def test_another_modality_reads_the_report_again(dialog: ReportDialog) -> None:
    dialog.edit.setPlainText("Left pleural effusion. Normal liver.")
    dialog.read()
    dialog.setModality("mri")
    assert lines(dialog) == {"liver": True}


def test_nothing_to_add_is_nothing_to_click(dialog: ReportDialog) -> None:
    dialog.edit.setPlainText("Bonjour tout le monde.")
    dialog.read()
    assert not dialog.addButton.enabled


def test_a_report_with_markup_is_shown_as_written(dialog: ReportDialog) -> None:
    report = "Liver <b>12</b> cm & spleen > 11 cm"
    dialog.edit.setPlainText(report)
    dialog.read()
    assert dialog.view.toPlainText() == report


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*REPORT.split(), "<", "&", "\n", "é", "no", "left"]), max_size=30))
def test_any_text_is_shown_whole(words: list[str]) -> None:
    import html
    import re

    text = " ".join(words)
    shown = marked(text, findings(text, "ct"), set())
    assert html.unescape(re.sub(r"</?(?:b|u|i|s|div)(?: [^>]*)?>", "", shown)) == text
