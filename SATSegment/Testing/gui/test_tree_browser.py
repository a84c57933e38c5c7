"""The tree of all structures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import qt

from SATSegmentLib import anatomy
from SATSegmentLib.gui.tree_browser import TreeBrowser
from SATSegmentLib.gui.tree_model import Branch, branches
from SATSegmentLib.types import Prompt

LABELS = anatomy.load_labels()


def prompt(text: str, modality: str = "ct") -> Prompt:
    return anatomy.find_label(modality, text).prompt()


@pytest.fixture
def browser() -> Iterator[TreeBrowser]:
    window = qt.QWidget()
    browser = TreeBrowser(window, "ct")
    browser.open([])
    yield browser
    browser.release()


def everything(found: tuple[Branch, ...] | list[Branch]) -> Iterator[Branch]:
    for branch in found:
        yield branch
        yield from everything(branch.children)


def isShown(item: Any) -> bool:
    while item is not None:
        if item.isHidden():
            return False
        item = item.parent()
    return True


def test_every_label_is_in_the_tree_once() -> None:
    texts = [branch.text for branch in everything(branches()) if branch.text]
    assert sorted(texts) == sorted({label.text for label in LABELS})


def test_no_branch_leads_to_one_other_only() -> None:
    assert [b.name for b in everything(branches()) if not b.text and len(b.children) < 2] == []


def test_a_kidney_is_below_the_kidneys() -> None:
    kidney = next(branch for branch in everything(branches()) if branch.text == "kidney")
    assert {"left kidney", "right kidney"} <= {branch.text for branch in everything(kidney.children)}


def test_a_check_is_a_prompt_at_once(browser: TreeBrowser) -> None:
    heard = []
    browser.toggled.connect(lambda added, removed: heard.append((added, removed)))
    item = browser.items()["left kidney"]
    item.setCheckState(0, qt.Qt.Checked)
    item.setCheckState(0, qt.Qt.Unchecked)
    assert heard == [((prompt("left kidney"),), ()), ((), (prompt("left kidney"),))]


def test_checks_follow_the_chips_without_a_word(browser: TreeBrowser) -> None:
    heard = []
    browser.toggled.connect(lambda added, removed: heard.append(added))
    browser.setChecked([prompt("liver"), prompt("spleen")])
    checked = {text for text, item in browser.items().items() if item.checkState(0) == qt.Qt.Checked}
    assert checked == {"liver", "spleen"}
    assert heard == []


def test_what_sat_cannot_do_here_is_shown_with_the_reason_and_no_box(browser: TreeBrowser) -> None:
    item = browser.items()["white matter hyperintensities"]
    assert item.text(1) == "MRI only"
    assert not item.flags() & qt.Qt.ItemIsUserCheckable
    browser.setModality("mri")
    item = browser.items()["white matter hyperintensities"]
    assert item.flags() & qt.Qt.ItemIsUserCheckable


def group(browser: TreeBrowser, member: str, name: str) -> Any:
    item = browser.items()[member].parent()
    while item.text(0) != name:
        item = item.parent()
    return item


def test_the_box_of_a_group_stands_for_what_is_in_it(browser: TreeBrowser) -> None:
    heard = []
    browser.toggled.connect(lambda added, removed: heard.append(([p.text for p in added], [p.text for p in removed])))
    abdomen = group(browser, "liver", "abdomen")
    browser.items()["liver"].setCheckState(0, qt.Qt.Checked)
    assert abdomen.checkState(0) == qt.Qt.PartiallyChecked
    abdomen.setCheckState(0, qt.Qt.Checked)
    assert len(heard) == 2, "one signal for all of a group"
    added = heard[1][0]
    assert "kidney" in added
    assert "left kidney" not in added, "the whole kidney is meant already"
    assert "liver" not in added, "it was there"
    assert browser.items()["kidney"].checkState(0) == qt.Qt.Checked
    abdomen.setCheckState(0, qt.Qt.Unchecked)
    assert set(heard[2][1]) == {*added, "liver"}


def test_a_group_without_anything_for_the_modality_has_no_box(browser: TreeBrowser) -> None:
    browser.setModality("pet")
    assert not group(browser, "liver", "abdomen").flags() & qt.Qt.ItemIsUserCheckable


def test_search_shows_what_fits_and_the_way_to_it(browser: TreeBrowser) -> None:
    browser.searchBox.text = "lt kidn"
    shown = {text for text, item in browser.items().items() if isShown(item)}
    assert "left kidney" in shown
    assert "liver" not in shown
    browser.searchBox.text = ""
    assert all(isShown(item) for item in browser.items().values())


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
def test_the_boxes_are_those_of_the_modality(browser: TreeBrowser, modality: str) -> None:
    browser.setModality(modality)
    checkable = {text for text, item in browser.items().items() if item.flags() & qt.Qt.ItemIsUserCheckable}
    assert checkable == {label.text for label in LABELS if label.modality == modality}


def test_it_can_be_used_by_keys(browser: TreeBrowser) -> None:
    from rig import hands

    heard = []
    browser.toggled.connect(lambda added, removed: heard.append([p.text for p in added]))
    browser.searchBox.text = "spleen"
    item = browser.items()["spleen"]
    browser.tree.setCurrentItem(item)
    browser.tree.setFocus()
    hands.press(browser.tree, qt.Qt.Key_Space)
    assert heard == [["spleen"]]
