"""Flags and statistics in the panel's table of results: a sign and words, sentences, and what a screen reader gets."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from typing import Any

import pytest
import qt
import slicer

from helpers.sound_results import as_result, chest
from SATSegmentLib.engine.api import ModelRecord
from SATSegmentLib.gui.results_model import asCsv, rowsOfNode, toTableNode
from SATSegmentLib.gui.results_table import ResultsTable
from SATSegmentLib.mrml.record import addRecord
from SATSegmentLib.quality import assess
from SATSegmentLib.types import Doubt, DoubtKind, WindowUse

MODEL = ModelRecord("Tiny", "0" * 64, "", "2")


@pytest.fixture
def node(scene: Any) -> Any:
    """A segmentation whose record tells of two lungs with their sides exchanged, and of a liver that was not found."""
    image, masks = chest().image, {one.prompt.text: one for one in chest().results}
    shape = image.array.shape
    left, right = masks["left lung"].whole_mask(shape), masks["right lung"].whole_mask(shape)
    texts = {"left lung": right, "right lung": left, "liver": left & False}
    results = assess(image, [as_result(image, text, "ct", mask) for text, mask in texts.items()])
    results[0] = dataclasses.replace(results[0], windows=WindowUse("adaptive", 0.5, 36, 15, 0.05))
    node = slicer.vtkMRMLSegmentationNode()
    scene.AddNode(node)
    for one in results:
        node.GetSegmentation().AddEmptySegment(f"SAT_{one.prompt.text}".replace(" ", "_"), one.prompt.text)
    addRecord(node, results, MODEL, 0.5, [Doubt(DoubtKind.SIDES, "Its words may name a file.")])
    for row in rowsOfNodeIds(node):
        if node.GetSegmentation().GetSegment(row) is None:
            node.GetSegmentation().AddEmptySegment(row, row)
    return node


def rowsOfNodeIds(node: Any) -> list[str]:
    from SATSegmentLib.mrml.record import records

    return [one["segment"] for run in records(node) for one in run["prompts"]]


@pytest.fixture
def table(node: Any) -> Iterator[ResultsTable]:
    parent = qt.QWidget()
    qt.QVBoxLayout(parent)
    table = ResultsTable(parent)
    table.show(rowsOfNode(node), node)
    yield table
    table.release()


def testAFlagIsASignAndWordsAndASentenceForTheChosenRow(table: ResultsTable) -> None:
    item = table.table.item(0, 1)
    assert item.text().startswith("\u26a0 ")
    assert "wrong side" in item.text()
    assert "look exchanged" in item.toolTip()
    assert "HU" in item.toolTip()
    assert "15 of 36 windows" in item.toolTip()
    assert "windows" not in table.table.item(2, 1).toolTip()
    assert "look exchanged" in item.data(qt.Qt.AccessibleDescriptionRole)
    assert "\u26a0" not in table.table.item(2, 1).text()

    table.table.setCurrentCell(0, 0)
    assert "mm to the right of" in table.noteLabel.text
    table.table.setCurrentCell(2, 0)
    assert table.noteLabel.text == ""


def testCsvAndTableNodeHoldFlagsAndStatistics(node: Any) -> None:
    rows = rowsOfNode(node)
    table = list(csv.DictReader(io.StringIO(asCsv(rows))))
    assert table[0]["flags"] == "side"
    assert {row["doubts"] for row in table} == {"sides"}
    assert float(table[0]["mean"]) < -700
    assert (table[0]["unit"], table[2]["mean"]) == ("HU", "")
    vtkTable = toTableNode(rows, node).GetTable()
    assert vtkTable.GetColumnByName("mean").GetValue(0) == pytest.approx(float(table[0]["mean"]))


def testARecordOfAnOlderVersionHasNoFlags(node: Any) -> None:
    from SATSegmentLib.mrml.record import RECORD_ATTRIBUTE

    text = node.GetAttribute(RECORD_ATTRIBUTE).replace('"flags"', '"formerly"').replace('"statistics"', '"once"')
    node.SetAttribute(RECORD_ATTRIBUTE, text)
    assert [row.flags for row in rowsOfNode(node)] == [(), (), ()]
    assert all(row.statisticsText == "" for row in rowsOfNode(node))
