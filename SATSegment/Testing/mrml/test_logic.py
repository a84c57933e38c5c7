"""`SATSegmentLogic().segment(...)`: from a volume node to segments, through the real worker and a real network."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import slicer
from mrml.mrml_phantom import addLinearTransform, addVolume, expectedPoints, worldPoints
from mrml.slicer_module import PATH, SATSegment

from helpers.small_model import headLikeImage, makeModel
from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.engine.api import RunListener, RunOptions
from SATSegmentLib.engine.transport.pipe import SCRATCH_PREFIX
from SATSegmentLib.errors import Cancelled, GeometryError, PromptError, ScanError
from SATSegmentLib.inference.segmenter import Segmenter

NAMES = ["left hippocampus", "right hippocampus", "brainstem"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    yield str(makeModel(tmp_path_factory.mktemp("model")))
    SATSegment.sharedEngine().close()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    left = [p.name for p in tmp_path.iterdir() if p.name.startswith("satsegment-")]
    # The shared worker keeps its own folder as long as it lives.
    assert [name for name in left if not name.startswith(SCRATCH_PREFIX)] == []


def head(scene):
    image = headLikeImage()
    return addVolume(scene, image.array, image.ijk_to_ras, "head")


def names(segmentationNode) -> dict[str, str]:
    segmentation = segmentationNode.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    return {identifier: segmentation.GetSegment(identifier).GetName() for identifier in ids}


def test_names_become_segments_where_the_engine_found_them(scene, model: str) -> None:
    volumeNode = head(scene)
    toWorld = np.array([[0.8, -0.6, 0, 7], [0.6, 0.8, 0, -3], [0, 0, 1, 11], [0, 0, 0, 1]])
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, toWorld).GetID())
    logic = SATSegment.SATSegmentLogic()
    progress = []
    segmentationNode = logic.segment(volumeNode, NAMES, RunOptions(model), "mri", listener=RunListener(progress.append))
    assert segmentationNode.IsA("vtkMRMLSegmentationNode")
    assert segmentationNode.GetName() == "head segmentation"
    assert progress[-1].fraction == 1.0
    image = headLikeImage()
    expected = Segmenter.load(model).segment(image, prompts_for(NAMES, "mri"))
    assert any(result.voxels for result in expected)
    for result, ours in zip(expected, logic.results, strict=True):
        assert ours.prompt == result.prompt
        identifier = f"SAT_mri_{result.prompt.text.replace(' ', '_')}"
        assert (identifier in names(segmentationNode)) == (result.status == "found")
        if result.status == "found":
            assert names(segmentationNode)[identifier] == result.prompt.text
            full = result.whole_mask(image.array.shape)
            found = worldPoints(segmentationNode, identifier)
            np.testing.assert_allclose(found, expectedPoints(full, toWorld @ image.ijk_to_ras), atol=2e-4)


def test_a_second_run_adds_to_the_same_node(scene, model: str) -> None:
    volumeNode = head(scene)
    logic = SATSegment.SATSegmentLogic()
    segmentationNode = logic.segment(volumeNode, "left hippocampus", RunOptions(model), "mri")
    first = names(segmentationNode)
    again = logic.segment(volumeNode, NAMES, RunOptions(model), "mri", segmentationNode=segmentationNode)
    assert again is segmentationNode
    assert set(first) <= set(names(segmentationNode))
    assert len(names(segmentationNode)) == len(logic.written.segmentIds)


def nodes(scene) -> list[str]:
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"structures": ["no such organ"]}, PromptError, "spelling"),
        ({"structures": ["left hippocampus"], "modality": "pet"}, PromptError, "(ct, mri)"),
        ({"modality": "xray"}, PromptError, "ct, mri or pet"),
        ({"structures": ["left hippocampus", " "]}, PromptError, "remove"),
        ({"structures": []}, PromptError, "Name"),
        ({"structures": ["brainstem", "Brainstem"]}, PromptError, "Remove"),
        ({"volumeNode": None}, ScanError, "Choose"),
        ({"volumeNode": slicer.vtkMRMLScalarVolumeNode()}, ScanError, "Load"),
        ({"listener": RunListener(cancel=lambda: True)}, Cancelled, "Nothing"),
    ],
)
def test_what_goes_wrong_is_said_and_the_scene_stays(scene, model: str, change: dict, kind: type, words: str) -> None:
    arguments = {
        "volumeNode": head(scene),
        "structures": NAMES,
        "modality": "mri",
        "options": RunOptions(model),
        **change,
    }
    before = nodes(scene)
    with pytest.raises(kind) as caught:
        SATSegment.SATSegmentLogic().segment(**arguments)
    assert words in caught.value.remedy
    assert nodes(scene) == before


def test_a_volume_outside_any_scene_is_refused_before_the_run(model: str) -> None:
    scene = slicer.vtkMRMLScene()
    volumeNode = head(scene)
    scene.RemoveNode(volumeNode)
    with pytest.raises(ScanError, match="in no scene"):
        SATSegment.SATSegmentLogic().segment(volumeNode, NAMES, RunOptions(model), "mri")


def test_a_target_under_another_transform_is_refused_before_the_run(scene, model: str) -> None:
    volumeNode = head(scene)
    logic = SATSegment.SATSegmentLogic()
    segmentationNode = logic.segment(volumeNode, NAMES, RunOptions(model), "mri")
    volumeNode.SetAndObserveTransformNodeID(addLinearTransform(scene, np.eye(4)).GetID())
    progress = []
    with pytest.raises(GeometryError, match="same transform"):
        logic.segment(
            volumeNode,
            NAMES,
            RunOptions(model),
            "mri",
            segmentationNode=segmentationNode,
            listener=RunListener(progress.append),
        )
    assert progress == []


def test_the_module_starts_without_torch_and_simpleitk() -> None:
    folder = PATH.parent
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import SATSegment; SATSegment.sharedEngine(); "
        "from SATSegmentLib.mrml import segmentations; "
        "assert not {'torch', 'SimpleITK', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
