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
    undo.undo()
    assert order(node) == sequence
    assert points(node) == before


def test_a_segment_that_a_run_removed_comes_back(scene: Any) -> None:
    volumeNode, node = written(scene)
    before, sequence = points(node), order(node)
    undo = RunUndo(node, sequence[:1])
    writeResults(node, volumeNode, [result("brainstem", np.zeros(SHAPE, bool))])
    assert sequence[0] not in order(node)
    undo.undo()
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
    undo.undo()
    assert node.GetScene() is scene
    assert "mine" in order(node)
    _, fresh = written(scene)
    RunUndo(fresh, order(fresh), isNew=True).undo()
    assert fresh.GetScene() is None


def test_redo_does_again_what_undo_took_back_with_edits_that_came_between(scene: Any) -> None:
    volumeNode, node = written(scene)
    sequence = order(node)
    undo = RunUndo(node, [sequence[1]])
    writeResults(node, volumeNode, [result("cerebellum", box(0, 9, 0, 11, 0, 13))])
    undo.written()
    node.GetSegmentation().GetSegment(sequence[1]).SetName("named by hand")
    after = points(node)
    undo.undo()
    assert points(node) != after
    undo.redo()
    assert points(node) == after
    assert order(node) == sequence
    assert node.GetSegmentation().GetSegment(sequence[1]).GetName() == "named by hand"


def test_a_node_that_the_run_made_comes_back_as_it_was(scene: Any) -> None:
    volumeNode, node = written(scene)
    before = points(node)
    display = node.GetDisplayNode()
    display.SetSegmentOpacity3D("SAT_mri_brainstem", 0.25)
    undo = RunUndo(node, order(node), isNew=True)
    undo.undo()
    assert node.GetScene() is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 0
    assert undo.possible
    undo.redo()
    assert node.GetScene() is scene
    assert points(node) == before
    assert node.GetDisplayNode() is display
    assert display.GetSegmentOpacity3D("SAT_mri_brainstem") == 0.25
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is volumeNode


def test_opacity_visibility_and_references_come_back_too(scene: Any) -> None:
    volumeNode, node = written(scene)
    other = addVolume(scene, np.zeros(SHAPE, np.int16), grid("axial"), "Other")
    sequence, display = order(node), node.GetDisplayNode()
    display.SetSegmentVisibility(sequence[0], False)
    display.SetSegmentOpacity3D(sequence[0], 0.3)
    display.SetSegmentOpacity2DFill(sequence[0], 0.1)
    display.SetSegmentVisibility2DOutline(sequence[0], False)
    role = node.GetReferenceImageGeometryReferenceRole()
    parameter = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    geometry = node.GetSegmentation().GetConversionParameter(parameter)
    undo = RunUndo(node, sequence[:1])
    # Found nothing: the segment goes; and something else makes the node belong to another scan.
    writeResults(node, volumeNode, [result("brainstem", np.zeros(SHAPE, bool))])
    node.SetReferenceImageGeometryParameterFromVolumeNode(other)
    undo.written()
    assert node.GetNodeReference(role) is other
    undo.undo()
    assert node.GetNodeReference(role) is volumeNode
    assert node.GetSegmentation().GetConversionParameter(parameter) == geometry
    assert not display.GetSegmentVisibility(sequence[0])
    assert display.GetSegmentOpacity3D(sequence[0]) == 0.3
    assert display.GetSegmentOpacity2DFill(sequence[0]) == 0.1
    assert not display.GetSegmentVisibility2DOutline(sequence[0])
    undo.redo()
    assert node.GetNodeReference(role) is other
    assert sequence[0] not in order(node)


def test_surfaces_are_there_again_where_they_were_shown(scene: Any) -> None:
    volumeNode, node = written(scene)
    node.CreateClosedSurfaceRepresentation()
    undo = RunUndo(node, order(node)[:1])
    writeResults(node, volumeNode, [result("brainstem", box(1, 3, 1, 3, 1, 3))])
    undo.written()
    undo.undo()
    for one in order(node):
        assert node.GetSegmentation().GetSegment(one).GetRepresentation("Closed surface") is not None


def test_segments_of_many_layers_come_back_voxel_by_voxel(scene: Any) -> None:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("permuted"))
    node = createSegmentation(volumeNode)
    chance = np.random.default_rng(2)
    names = ["brainstem", "cerebellum", "thalamus", "left putamen", "right putamen"]
    writeResults(node, volumeNode, [result(name, chance.random(SHAPE) > 0.7) for name in names])
    before = points(node)
    undo = RunUndo(node, order(node))
    writeResults(node, volumeNode, [result(name, chance.random(SHAPE) > 0.9) for name in names])
    undo.undo()
    assert points(node) == before
