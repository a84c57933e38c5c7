"""Segments lie where the anatomy is, keep their ids, and leave each other alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from mrml.mrml_phantom import SHAPE, addLinearTransform, addVolume, box, expectedPoints, grid, worldPoints
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from helpers.results import result
from SATSegmentLib.errors import GeometryError
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.segments.style import SegmentStyle
from SATSegmentLib.storage import write_segmentation
from SATSegmentLib.types import Image

LEFT, RIGHT = box(2, 5, 2, 8, 3, 6), box(2, 5, 2, 8, 8, 11)
BRAIN = box(1, 9, 1, 11, 1, 13)
NOTHING = np.zeros(SHAPE, bool)
LEFT_ID, RIGHT_ID, BRAIN_ID = "SAT_mri_left_hippocampus", "SAT_mri_right_hippocampus", "SAT_mri_brain"


def head() -> list:
    return [result("left hippocampus", LEFT), result("right hippocampus", RIGHT), result("brain", BRAIN)]


def volume(scene, kind: str = "oblique"):
    return addVolume(scene, np.zeros(SHAPE, np.int16), grid(kind))


def voxels(segmentationNode, identifier: str) -> np.ndarray:
    """The segment on the scan's grid."""
    labelmap = slicer.vtkOrientedImageData()
    assert segmentationNode.GetBinaryLabelmapRepresentation(identifier, labelmap)
    full = np.zeros(SHAPE, bool)
    if labelmap.GetPointData().GetScalars():
        i0, i1, j0, j1, k0, k1 = labelmap.GetExtent()
        shape = (k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
        found = vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape) > 0
        full[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = found
    return full


def ids(segmentationNode) -> list[str]:
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]


def tag(segment, name: str) -> str:
    value = vtk.reference("")
    assert segment.GetTag(name, value)
    return str(value)


def foreignSegment(segmentationNode, identifier: str, name: str, full: np.ndarray) -> None:
    """What a user draws: any id, on a labelmap of its own."""
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetExtent(0, SHAPE[2] - 1, 0, SHAPE[1] - 1, 0, SHAPE[0] - 1)
    labelmap.GetPointData().SetScalars(numpy_to_vtk(full.astype(np.uint8).ravel(), deep=True))
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(0.25, 0.5, 0.75)
    segment.AddRepresentation("Binary labelmap", labelmap)
    assert segmentationNode.GetSegmentation().AddSegment(segment, identifier)


@pytest.mark.parametrize("transformed", [False, True])
@pytest.mark.parametrize("kind", ["axial", "flipped", "permuted", "oblique"])
def test_segments_lie_where_the_anatomy_is(scene, kind: str, transformed: bool) -> None:
    volumeNode = volume(scene, kind)
    toWorld = np.eye(4)
    if transformed:
        toWorld[:3] = [[0.8, -0.6, 0, 7], [0.6, 0.8, 0, -3], [0, 0, 1, 11]]
        volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, toWorld).GetID())
    segmentationNode = createSegmentation(volumeNode)
    written = writeResults(segmentationNode, volumeNode, head())
    assert written.segmentIds == (LEFT_ID, RIGHT_ID, BRAIN_ID)
    for identifier, full in ((LEFT_ID, LEFT), (RIGHT_ID, RIGHT), (BRAIN_ID, BRAIN)):
        np.testing.assert_allclose(
            worldPoints(segmentationNode, identifier), expectedPoints(full, toWorld @ grid(kind)), atol=2e-4
        )


def test_the_node_points_to_its_volume(scene) -> None:
    volumeNode = volume(scene)
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, np.eye(4)).GetID())
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    role = segmentationNode.GetReferenceImageGeometryReferenceRole()
    assert segmentationNode.GetNodeReference(role) is volumeNode
    assert segmentationNode.GetTransformNodeID() == volumeNode.GetTransformNodeID()
    geometry = segmentationNode.GetSegmentation().GetConversionParameter("Reference image geometry")
    numbers = [float(word) for word in geometry.strip(";").split(";")]
    np.testing.assert_allclose(numbers[:16], grid("oblique").ravel(), atol=1e-9)
    assert numbers[16:] == [0, SHAPE[2] - 1, 0, SHAPE[1] - 1, 0, SHAPE[0] - 1]
    assert segmentationNode.GetName() == "scan segmentation"
    assert segmentationNode.GetDisplayNode() is not None


def test_one_segment_per_prompt_with_name_colour_code_and_algorithm(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head(), algorithm="SAT-Nano 12ab")
    assert ids(segmentationNode) == [LEFT_ID, RIGHT_ID, BRAIN_ID]
    segment = segmentationNode.GetSegmentation().GetSegment(LEFT_ID)
    assert segment.GetName() == "left hippocampus"
    assert "7771000^Left" in tag(segment, segment.GetTerminologyEntryTagName())
    assert tag(segment, "DICOM.SegmentAlgorithmType") == "AUTOMATIC"
    assert tag(segment, "DICOM.SegmentAlgorithmName") == "SAT-Nano 12ab"
    own = createSegmentation(volumeNode)
    writeResults(own, volumeNode, head(), style=lambda prompt: SegmentStyle((255, 51, 0)))
    np.testing.assert_allclose(own.GetSegmentation().GetSegment(LEFT_ID).GetColor(), (1, 0.2, 0))


def test_overlaps_are_kept_and_neighbours_share_a_layer(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    for identifier, full in ((LEFT_ID, LEFT), (RIGHT_ID, RIGHT), (BRAIN_ID, BRAIN)):
        np.testing.assert_array_equal(voxels(segmentationNode, identifier), full)
    assert segmentationNode.GetSegmentation().GetNumberOfLayers() == 2


def test_an_empty_result_makes_no_segment_and_renames_none(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    results = [result("spleen", NOTHING), result("brain", BRAIN), result("left hippocampus", NOTHING)]
    written = writeResults(segmentationNode, volumeNode, results)
    assert ids(segmentationNode) == [BRAIN_ID]
    assert segmentationNode.GetSegmentation().GetSegment(BRAIN_ID).GetName() == "brain"
    assert written.notFound == ("spleen", "left hippocampus")
    assert written.removedIds == ()
    writeResults(segmentationNode, volumeNode, [result("spleen", NOTHING)])
    assert ids(segmentationNode) == [BRAIN_ID]
    np.testing.assert_array_equal(voxels(segmentationNode, BRAIN_ID), BRAIN)


def test_nothing_found_at_all_leaves_an_empty_segmentation(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    assert writeResults(segmentationNode, volumeNode, [result("brain", NOTHING)]).notFound == ("brain",)
    assert ids(segmentationNode) == []


def test_a_rerun_replaces_its_own_segment_and_no_other(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    moved = box(6, 9, 2, 8, 3, 6)
    writeResults(segmentationNode, volumeNode, [result("left hippocampus", moved)])
    assert ids(segmentationNode) == [LEFT_ID, RIGHT_ID, BRAIN_ID]
    np.testing.assert_array_equal(voxels(segmentationNode, LEFT_ID), moved)
    np.testing.assert_array_equal(voxels(segmentationNode, RIGHT_ID), RIGHT)
    np.testing.assert_array_equal(voxels(segmentationNode, BRAIN_ID), BRAIN)


def test_a_rerun_keeps_the_users_colour_but_not_a_wrong_name(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    segment = segmentationNode.GetSegmentation().GetSegment(LEFT_ID)
    segment.SetName("right hippocampus, corrected")
    segment.SetColor(0.1, 0.9, 0.1)
    segmentationNode.GetDisplayNode().SetSegmentOpacity3D(LEFT_ID, 0.25)
    writeResults(segmentationNode, volumeNode, [result("left hippocampus", LEFT)])
    segment = segmentationNode.GetSegmentation().GetSegment(LEFT_ID)
    assert segment.GetName() == "left hippocampus"
    np.testing.assert_allclose(segment.GetColor(), (0.1, 0.9, 0.1))
    assert segmentationNode.GetDisplayNode().GetSegmentOpacity3D(LEFT_ID) == 0.25


def test_a_rerun_that_finds_nothing_removes_its_own_segment_and_says_so(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    written = writeResults(segmentationNode, volumeNode, [result("left hippocampus", NOTHING)])
    assert written.removedIds == (LEFT_ID,)
    assert ids(segmentationNode) == [RIGHT_ID, BRAIN_ID]
    np.testing.assert_array_equal(voxels(segmentationNode, RIGHT_ID), RIGHT)
    np.testing.assert_array_equal(voxels(segmentationNode, BRAIN_ID), BRAIN)


def test_segments_of_others_stay_as_they_are(scene) -> None:
    volumeNode = volume(scene, "axial")
    segmentationNode = createSegmentation(volumeNode)
    drawn = box(2, 8, 3, 9, 2, 12)
    foreignSegment(segmentationNode, "Segment_1", "brain", drawn)
    for results in (head(), head(), [result("brain", NOTHING)]):
        writeResults(segmentationNode, volumeNode, results)
        segment = segmentationNode.GetSegmentation().GetSegment("Segment_1")
        assert segment.GetName() == "brain"
        np.testing.assert_allclose(segment.GetColor(), (0.25, 0.5, 0.75))
        np.testing.assert_array_equal(voxels(segmentationNode, "Segment_1"), drawn)
    assert ids(segmentationNode) == ["Segment_1", LEFT_ID, RIGHT_ID]


def test_a_foreign_segment_that_shares_a_layer_survives_a_rerun(scene) -> None:
    """Slicer's Segment Editor may draw into the layer that a run made."""
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head()[:2])
    segmentation = segmentationNode.GetSegmentation()
    shared = segmentation.GetSegment(LEFT_ID).GetRepresentation("Binary labelmap")
    array = vtk_to_numpy(shared.GetPointData().GetScalars())
    free = np.flatnonzero(array == 0)[:5]
    array[free] = 77
    segment = slicer.vtkSegment()
    segment.SetLabelValue(77)
    segment.AddRepresentation("Binary labelmap", shared)
    segmentation.AddSegment(segment, "drawn")
    before = voxels(segmentationNode, "drawn")
    assert before.sum() == 5
    writeResults(
        segmentationNode, volumeNode, [result("left hippocampus", BRAIN), result("right hippocampus", NOTHING)]
    )
    np.testing.assert_array_equal(voxels(segmentationNode, "drawn"), before)
    np.testing.assert_array_equal(voxels(segmentationNode, LEFT_ID), BRAIN)


def test_another_transform_than_the_volumes_is_refused_and_nothing_moves(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    before = worldPoints(segmentationNode, BRAIN_ID)
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, np.diag([2.0, 1, 1, 1])).GetID())
    with pytest.raises(GeometryError, match="same transform"):
        writeResults(segmentationNode, volumeNode, [result("left hippocampus", BRAIN)])
    np.testing.assert_array_equal(worldPoints(segmentationNode, BRAIN_ID), before)
    np.testing.assert_array_equal(voxels(segmentationNode, LEFT_ID), LEFT)


def test_a_style_that_fails_costs_no_segment(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    with pytest.raises(KeyError):
        writeResults(segmentationNode, volumeNode, head(), style={}.__getitem__)
    np.testing.assert_array_equal(voxels(segmentationNode, LEFT_ID), LEFT)


def test_surfaces_follow_a_rerun(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    assert segmentationNode.CreateClosedSurfaceRepresentation()
    moved = box(6, 9, 2, 8, 3, 6)
    writeResults(segmentationNode, volumeNode, [result("left hippocampus", moved)])
    surface = vtk.vtkPolyData()
    segmentationNode.GetClosedSurfaceRepresentation(LEFT_ID, surface)
    centre = expectedPoints(moved, grid("oblique")).mean(axis=0)
    np.testing.assert_allclose(np.array(surface.GetCenter()), centre, atol=1.0)


def test_views_are_told_once_not_once_per_segment(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    events = []
    for name in ("SegmentAdded", "SegmentModified"):
        event = getattr(slicer.vtkSegmentation, name)
        segmentationNode.AddObserver(event, lambda *_, name=name: events.append(name))
    writeResults(segmentationNode, volumeNode, head())
    assert sorted(events) == ["SegmentAdded", "SegmentModified"]
    events.clear()
    writeResults(segmentationNode, volumeNode, head())
    assert events == ["SegmentModified"]


def test_an_edit_after_writing_is_noticed_by_slicer(scene) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    segmentation = segmentationNode.GetSegmentation()
    for _ in range(2):
        writeResults(segmentationNode, volumeNode, head())
        events = []
        observer = segmentation.AddObserver(
            slicer.vtkSegmentation.SourceRepresentationModified, lambda *_, events=events: events.append(1)
        )
        segmentation.GetSegment(LEFT_ID).GetRepresentation("Binary labelmap").Modified()
        segmentation.RemoveObserver(observer)
        assert events


def test_slicers_own_file_of_the_segments_is_the_same_as_ours(scene, tmp_path) -> None:
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    writeResults(segmentationNode, volumeNode, head())
    storageNode = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storageNode)
    storageNode.SetFileName(str(tmp_path / "slicer.seg.nrrd"))
    assert storageNode.WriteData(segmentationNode) == 1
    write_segmentation(tmp_path / "ours.seg.nrrd", Image(np.zeros(SHAPE, np.int16), grid("oblique")), head())
    read = []
    for name in ("slicer", "ours"):
        storageNode.SetFileName(str(tmp_path / f"{name}.seg.nrrd"))
        node = slicer.vtkMRMLSegmentationNode()
        scene.AddNode(node)
        assert storageNode.ReadData(node) == 1
        read.append({i: worldPoints(node, i) for i in ids(node)})
    assert read[0].keys() == read[1].keys()
    for identifier in read[0]:
        np.testing.assert_allclose(read[0][identifier], read[1][identifier], atol=2e-4)


@settings(max_examples=25, deadline=None)
@given(
    runs=st.lists(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6)),
            min_size=1,
            max_size=4,
            unique_by=lambda one: one[0],
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_the_runs_each_segment_is_what_was_last_found_for_it(runs) -> None:
    scene = slicer.vtkMRMLScene()
    volumeNode = volume(scene)
    segmentationNode = createSegmentation(volumeNode)
    expected = {}
    for run in runs:
        results = []
        for number, place, size in run:
            full = box(place, place + size, place, place + size, place, place + size) if size > 1 else NOTHING
            results.append(result(f"thing {number}", full))
            expected[f"SAT_mri_thing_{number}"] = full
        writeResults(segmentationNode, volumeNode, results)
    expected = {identifier: full for identifier, full in expected.items() if full.any()}
    assert set(ids(segmentationNode)) == set(expected)
    for identifier, full in expected.items():
        np.testing.assert_array_equal(voxels(segmentationNode, identifier), full)
    scene.Clear(1)


def ball(number: int, shape: tuple[int, int, int], random: np.random.Generator):
    """A ball somewhere in the grid, cropped as the engine crops."""
    centre = random.uniform(0.15, 0.85, 3) * shape
    radius = random.uniform(5, 30)
    low = np.maximum(np.floor(centre - radius), 0).astype(int)
    high = np.minimum(np.ceil(centre + radius) + 1, shape).astype(int)
    axes = np.ogrid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    mask = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)) < radius**2
    empty = result(f"structure {number}", NOTHING, "ct", trained=False)
    return dataclasses.replace(
        empty,
        status="found",
        cropped=CroppedMask.from_array(mask, low),
        voxels=int(mask.sum()),
    )


def test_a_hundred_overlapping_segments_are_written_as_they_are(scene) -> None:
    """How long it takes is in benchmarks/bench_panel.py."""
    shape = (100, 170, 170)
    random = np.random.default_rng(0)
    results = [ball(number, shape, random) for number in range(100)]
    volumeNode = addVolume(scene, np.zeros(shape, np.int16), grid("oblique"))
    segmentationNode = createSegmentation(volumeNode)
    for _ in range(2):
        written = writeResults(segmentationNode, volumeNode, results)
    for identifier, one in zip(written.segmentIds, results, strict=True):
        labelmap = slicer.vtkOrientedImageData()
        assert segmentationNode.GetBinaryLabelmapRepresentation(identifier, labelmap)
        assert np.count_nonzero(vtk_to_numpy(labelmap.GetPointData().GetScalars())) == one.voxels
