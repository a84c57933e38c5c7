"""Structures are segments as soon as they are finished; in the end the scene is what it is without that."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import vtk
from mrml.mrml_phantom import SHAPE, addVolume, box, grid, worldPoints

from helpers.results import result
from SATSegmentLib.engine.api import ModelRecord, RunOptions, SegmentAnswer
from SATSegmentLib.errors import ScanError
from SATSegmentLib.mrml.record import records
from SATSegmentLib.mrml.run import VolumeRun
from SATSegmentLib.mrml.segmentations import LABELMAP, SURFACE
from SATSegmentLib.types import WindowUse

MASKS = {
    "brainstem": box(1, 4, 1, 5, 1, 6),
    "cerebellum": box(3, 8, 1, 5, 1, 6),  # overlaps the brainstem
    "thalamus": np.zeros(SHAPE, bool),
    "left putamen": box(2, 6, 6, 10, 3, 9),
}
RESULTS = [result(name, mask) for name, mask in MASKS.items()]
ANSWER = SegmentAnswer(tuple(RESULTS), ModelRecord("Tiny", "1" * 64, "", "2"))
IDS = ["SAT_mri_brainstem", "SAT_mri_cerebellum", "SAT_mri_left_putamen"]


def started(scene: Any, node: Any = None, volumeNode: Any = None) -> VolumeRun:
    volumeNode = volumeNode or addVolume(scene, np.zeros(SHAPE, np.int16), grid("oblique"))
    return VolumeRun(volumeNode, [one.prompt for one in RESULTS], RunOptions(), node)


def segmentations(scene: Any) -> list[Any]:
    count = scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    return [scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(count)]


def kinds(scene: Any) -> list[str]:
    """Classes of all nodes; the hierarchy is made by the first segmentation of a scene, and stays."""
    found = (scene.GetNthNode(n).GetClassName() for n in range(scene.GetNumberOfNodes()))
    return sorted(one for one in found if one != "vtkMRMLSubjectHierarchyNode")


def order(node: Any) -> list[str]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]


def tag(segment: Any, name: str) -> str:
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def state(node: Any) -> list[tuple[Any, ...]]:
    """All that a saved scene would hold of the segments: order, name, colour, tags, layer, value, voxels."""
    layers: list[str] = []
    found = []
    for one in order(node):
        segment = node.GetSegmentation().GetSegment(one)
        layer = segment.GetRepresentation(LABELMAP).GetAddressAsString("")
        if layer not in layers:
            layers.append(layer)
        tags = [tag(segment, segment.GetTerminologyEntryTagName()), tag(segment, "DICOM.SegmentAlgorithmName")]
        place = (layers.index(layer), segment.GetLabelValue())
        found.append((one, segment.GetName(), segment.GetColor(), *tags, place, worldPoints(node, one).tolist()))
    return found


def voxels(one: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the layer: what undo brings back has labelmaps of its own."""
    return (*one[:5], one[6])


def paint(node: Any, identifier: str) -> None:
    """What the segment editor does to a segment's own labelmap."""
    labelmap = node.GetSegmentation().GetSegment(identifier).GetRepresentation(LABELMAP)
    labelmap.GetPointData().GetScalars().SetComponent(5, 0, 1)
    labelmap.Modified()


def test_each_is_there_when_it_is_finished_and_the_end_is_the_same_in_any_order(scene: Any) -> None:
    whole = started(scene).write(ANSWER)
    for sequence in itertools.permutations(range(4)):
        run = started(scene)
        for count, index in enumerate(sequence, 1):
            run.show(index, RESULTS[index])
            node = segmentations(scene)[-1]
            there = [IDS[place] for place, one in enumerate((0, 1, 3)) if one in sequence[:count]]
            if there:
                assert order(node) == there
                shown = worldPoints(node, there[0])
                np.testing.assert_array_equal(shown, worldPoints(whole.segmentationNode, there[0]))
                assert records(node) == []
        output = run.write(ANSWER)
        assert state(output.segmentationNode) == state(whole.segmentationNode)
        assert output.written == whole.written
        assert len(records(output.segmentationNode)) == 1
        output.undo.undo()
        assert output.segmentationNode.GetScene() is None
        output.undo.redo()
        assert state(output.segmentationNode) == state(whole.segmentationNode)


def test_what_an_earlier_run_found_stays_until_the_run_is_complete(scene: Any) -> None:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("oblique"))
    old = [result("thalamus", box(1, 3, 1, 3, 1, 3)), result("brainstem", box(5, 9, 1, 3, 1, 3))]
    first = VolumeRun(volumeNode, [one.prompt for one in old], RunOptions(), None)
    node = first.write(SegmentAnswer(tuple(old), ANSWER.model)).segmentationNode
    before = state(node)
    run = started(scene, node, volumeNode)
    for index in (3, 2, 1, 0):
        run.show(index, RESULTS[index])
        assert [one for one in state(node) if one[0] in ("SAT_mri_thalamus", IDS[0])] == before
    run.discard()
    assert state(node) == before
    run = started(scene, node, volumeNode)
    run.show(1, RESULTS[1])
    output = run.write(ANSWER)
    assert order(node) == IDS
    output.undo.undo()
    assert [voxels(one) for one in state(node)] == [voxels(one) for one in before]


@pytest.mark.parametrize("isNew", [True, False])
def test_nothing_stays_of_a_run_that_was_cancelled(scene: Any, isNew: bool) -> None:
    run = started(scene)
    node = None if isNew else run.write(SegmentAnswer((RESULTS[0],), ANSWER.model)).segmentationNode
    before = [] if isNew else state(node)
    nodes = kinds(scene)
    run = started(scene, node, volumeNode=scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
    run.show(1, RESULTS[1])
    run.show(3, RESULTS[3])
    run.discard()
    assert kinds(scene) == nodes
    assert ([] if isNew else state(node)) == before


def test_what_a_user_edits_meanwhile_is_neither_overwritten_nor_thrown_away(scene: Any) -> None:
    run = started(scene)
    run.show(0, RESULTS[0])
    run.show(1, RESULTS[1])
    (node,) = segmentations(scene)
    paint(node, IDS[0])
    edited = worldPoints(node, IDS[0])
    output = run.write(ANSWER)
    np.testing.assert_array_equal(worldPoints(node, IDS[0]), edited)
    assert order(node) == IDS
    assert output.written.segmentIds == tuple(IDS)
    assert output.undo.editedSince() == ["brainstem"]
    algorithms = {one[4] for one in state(node)}
    assert algorithms == {"Tiny 111111111111"}

    run = started(scene)
    run.show(0, RESULTS[0])
    run.show(1, RESULTS[1])
    node = segmentations(scene)[-1]
    paint(node, IDS[0])
    run.discard()
    assert order(node) == IDS[:1]
    assert state(node)[0][4] == "SAT"  # DICOM wants a name of each that was made automatically


def test_a_scan_that_changes_meanwhile_gets_no_more_and_keeps_nothing(scene: Any) -> None:
    run = started(scene)
    run.show(0, RESULTS[0])
    volumeNode = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    volumeNode.GetImageData().GetPointData().GetScalars().Modified()
    run.show(1, RESULTS[1])
    (node,) = segmentations(scene)
    assert order(node) == IDS[:1]
    with pytest.raises(ScanError, match="changed"):
        run.write(ANSWER)
    assert segmentations(scene) == []


def test_a_segmentation_that_is_deleted_meanwhile_comes_back_once_and_whole(scene: Any) -> None:
    whole = state(started(scene).write(ANSWER).segmentationNode)
    run = started(scene)
    run.show(0, RESULTS[0])
    scene.RemoveNode(segmentations(scene)[1])
    run.show(1, RESULTS[1])
    assert len(segmentations(scene)) == 1
    assert state(run.write(ANSWER).segmentationNode) == whole


def test_a_structure_that_arrives_beside_surfaces_has_one_too(scene: Any) -> None:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("oblique"))
    first = VolumeRun(volumeNode, [RESULTS[0].prompt], RunOptions(), None)
    node = first.write(SegmentAnswer((RESULTS[0],), ANSWER.model)).segmentationNode
    assert node.CreateClosedSurfaceRepresentation()
    run = started(scene, node, volumeNode)
    run.show(3, RESULTS[3])
    for identifier in (IDS[0], IDS[2]):
        surface = node.GetSegmentation().GetSegment(identifier).GetRepresentation(SURFACE)
        assert surface.GetNumberOfPoints() > 0
    run.write(ANSWER)
    for identifier in IDS:
        surface = node.GetSegmentation().GetSegment(identifier).GetRepresentation(SURFACE)
        assert surface.GetNumberOfPoints() > 0


def test_the_record_says_how_windows_were_chosen_whatever_came_of_the_first_structure(scene: Any) -> None:
    use = WindowUse("adaptive", 0.25, 8, 5, 0.05)
    looked = [dataclasses.replace(one, windows=use) for one in RESULTS]
    unknown = dataclasses.replace(RESULTS[2], status="unknown")
    for found in ([unknown, *looked[:2]], looked, [unknown]):
        run = started(scene)
        node = run.write(SegmentAnswer(tuple(found), ANSWER.model)).segmentationNode
        (record,) = records(node)
        told = ("adaptive", 0.25) if found != [unknown] else ("", "")
        assert (record["windows"], record["overlap"]) == told


def test_a_later_run_is_compared_with_what_the_segmentation_holds(scene: Any) -> None:
    """As it is there now: the earlier structure's own row keeps its flags, and one that was taken out is not asked."""

    class Fixed:
        def segment(self, request: Any, listener: Any) -> SegmentAnswer:
            return SegmentAnswer(tuple(found), ANSWER.model)

    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("axial"))
    where = box(2, 6, 6, 10, 3, 9)
    found = [result("left putamen", where)]
    first = VolumeRun(volumeNode, [found[0].prompt], RunOptions())
    node = first.write(first.ask(Fixed())).segmentationNode
    found = [result("right putamen", where)]
    answer = VolumeRun(volumeNode, [found[0].prompt], RunOptions(), node).ask(Fixed())
    assert {flag.others for flag in answer.results[0].flags} == {("left putamen",)}
    assert {flag.kind.value for flag in answer.results[0].flags} >= {"overlap"}
    node.GetSegmentation().RemoveSegment("SAT_mri_left_putamen")
    assert not VolumeRun(volumeNode, [found[0].prompt], RunOptions(), node).ask(Fixed()).results[0].flags
