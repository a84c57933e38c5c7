"""Undo gives back what was there, in its place and order, and says where it would cost the user's own work."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from mrml.mrml_phantom import SHAPE, addVolume, box, grid, worldPoints

from helpers.results import result
from SATSegmentLib.mrml.segmentations import LABELMAP, createSegmentation, writeResults
from SATSegmentLib.mrml.undo import RunUndo


def order(node: Any) -> list[str]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]


def points(node: Any) -> dict[str, list[list[float]]]:
    return {one: sorted(worldPoints(node, one).round(4).tolist()) for one in order(node)}


def written(scene: Any) -> tuple[Any, Any]:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("oblique"))
    node = createSegmentation(volumeNode)
    boxes = {
        "brainstem": box(1, 4, 1, 5, 1, 6),
        "cerebellum": box(4, 8, 1, 5, 1, 6),
        "thalamus": box(2, 6, 6, 10, 3, 9),
    }
    writeResults(node, volumeNode, [result(name, mask) for name, mask in boxes.items()])
    return volumeNode, node


def test_a_replaced_segment_comes_back_in_its_place_and_the_others_are_not_touched(scene: Any) -> None:
    volumeNode, node = written(scene)
    before, sequence = points(node), order(node)
    undo = RunUndo(node, [sequence[1]])
    writeResults(node, volumeNode, [result("cerebellum", box(0, 9, 0, 11, 0, 13))])
    undo.written()
    assert points(node) != before
    assert undo.editedSince() == []
    undo.restore()
    assert order(node) == sequence
    assert points(node) == before


def test_a_segment_that_a_run_removed_comes_back(scene: Any) -> None:
    volumeNode, node = written(scene)
    before, sequence = points(node), order(node)
    undo = RunUndo(node, sequence[:1])
    writeResults(node, volumeNode, [result("brainstem", np.zeros(SHAPE, bool))])
    assert sequence[0] not in order(node)
    undo.restore()
    assert order(node) == sequence
    assert points(node) == before


def test_an_edit_after_the_run_is_noticed(scene: Any) -> None:
    volumeNode, node = written(scene)
    undo = RunUndo(node, order(node))
    writeResults(node, volumeNode, [result("brainstem", box(1, 3, 1, 3, 1, 3))])
    undo.written()
    assert undo.editedSince() == []
    segment = node.GetSegmentation().GetSegment(order(node)[0])
    segment.GetRepresentation(LABELMAP).GetPointData().GetScalars().SetTuple1(0, 1)
    segment.GetRepresentation(LABELMAP).Modified()
    assert "brainstem" in undo.editedSince()


def test_a_node_that_the_run_made_goes_unless_somebody_else_uses_it(scene: Any) -> None:
    _, node = written(scene)
    undo = RunUndo(node, order(node), isNew=True)
    foreign = slicer.vtkSegment()
    foreign.SetName("drawn by hand")
    node.GetSegmentation().AddSegment(foreign, "mine")
    undo.restore()
    assert node.GetScene() is scene
    assert "mine" in order(node)
    _, fresh = written(scene)
    RunUndo(fresh, order(fresh), isNew=True).restore()
    assert fresh.GetScene() is None
