"""Views are moved to results where these would not be seen, once, and never against the user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from mrml.mrml_phantom import SHAPE, addLinearTransform, addVolume, box, grid

from helpers.results import result
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.mrml.views import centre3DViews, moveToResults, sliceStates, somethingIn3D


def sliceNode(scene: Any, name: str) -> Any:
    node = slicer.vtkMRMLSliceNode()
    node.SetName(name)
    node.SetLayoutName(name)
    node.SetSingletonTag(name)
    node.SetOrientation({"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}[name])
    return scene.AddNode(node)


def found(scene: Any, **moved: float) -> tuple[Any, Any, list[Any], list[Any]]:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("axial"))
    results = [result("brainstem", box(1, 3, 1, 3, 1, 3)), result("thalamus", np.zeros(SHAPE, bool))]
    node = createSegmentation(volumeNode)
    writeResults(node, volumeNode, results)
    return volumeNode, node, results, [sliceNode(scene, name) for name in ("Red", "Green", "Yellow")]


def jump(sliceNodes: list[Any], place: Any) -> None:
    for one in sliceNodes:
        one.JumpSliceByCentering(*place)


def middle(node: Any) -> np.ndarray:
    return np.array(node.GetSegmentCenterRAS("SAT_mri_brainstem"))


def test_views_that_show_none_of_the_results_move_there(scene: Any) -> None:
    volumeNode, node, results, slices = found(scene)
    jump(slices, middle(node) + 500)
    assert moveToResults(node, volumeNode, results, sliceStates(scene))
    for one in slices:
        place = [one.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        assert place == pytest.approx(middle(node).tolist(), abs=1e-6)


def test_views_stay_where_one_of_them_shows_a_result(scene: Any) -> None:
    volumeNode, node, results, slices = found(scene)
    jump(slices, middle(node) + 500)
    jump(slices[:1], middle(node))
    before = sliceStates(scene)
    assert not moveToResults(node, volumeNode, results, before)
    assert sliceStates(scene) == before


def test_views_stay_where_the_user_has_moved_one_during_the_run(scene: Any) -> None:
    volumeNode, node, results, slices = found(scene)
    jump(slices, middle(node) + 500)
    before = sliceStates(scene)
    jump(slices[1:2], middle(node) + 400)
    assert not moveToResults(node, volumeNode, results, before)


def test_a_transform_of_the_scan_counts(scene: Any) -> None:
    volumeNode = addVolume(scene, np.zeros(SHAPE, np.int16), grid("axial"))
    shift = np.eye(4)
    shift[:3, 3] = (0, 0, 700)
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, shift).GetID())
    node = createSegmentation(volumeNode)
    results = [result("brainstem", box(1, 3, 1, 3, 1, 3))]
    writeResults(node, volumeNode, results)
    slices = [sliceNode(scene, "Red")]
    jump(slices, middle(node))
    assert not moveToResults(node, volumeNode, results, sliceStates(scene))
    jump(slices, middle(node) - np.array([0, 0, 700]))
    assert moveToResults(node, volumeNode, results, sliceStates(scene))


def test_nothing_found_moves_nothing(scene: Any) -> None:
    volumeNode, node, results, slices = found(scene)
    jump(slices, middle(node) + 500)
    assert not moveToResults(node, volumeNode, results[1:], sliceStates(scene))


def test_a_structure_comes_into_the_middle_of_the_3d_view(scene: Any) -> None:
    _, node, _, _ = found(scene)
    camera = slicer.vtkMRMLCameraNode()
    scene.AddNode(camera)
    camera.SetPosition(0, 500, 0)
    camera.SetFocalPoint(0, 0, 0)
    node.CreateClosedSurfaceRepresentation()
    centre3DViews(node)
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    centre = (np.array(bounds[::2]) + np.array(bounds[1::2])) / 2
    assert list(camera.GetFocalPoint()) == pytest.approx(centre.tolist())
    direction = np.array(camera.GetPosition()) - camera.GetFocalPoint()
    distance = np.linalg.norm(direction)
    assert (direction / distance).tolist() == pytest.approx([0, 1, 0])
    radius = np.linalg.norm(np.array(bounds[1::2]) - bounds[::2]) / 2
    seen = distance * np.sin(np.radians(camera.GetViewAngle() / 2))
    assert radius < seen < 2 * radius


def test_what_is_seen_in_3d(scene: Any) -> None:
    volumeNode, node, _, _ = found(scene)
    volumeNode.CreateDefaultDisplayNodes()
    assert not somethingIn3D(scene, node)
    other = createSegmentation(volumeNode)
    writeResults(other, volumeNode, [result("thalamus", box(1, 3, 1, 3, 1, 3))])
    assert not somethingIn3D(scene, node)
    other.CreateClosedSurfaceRepresentation()
    assert somethingIn3D(scene, node)
    assert not somethingIn3D(scene, other)
    other.GetDisplayNode().SetVisibility(False)
    assert not somethingIn3D(scene, node)
