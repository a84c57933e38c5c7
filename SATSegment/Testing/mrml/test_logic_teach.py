"""`SATSegmentLogic().teach(...)`: from a segment to a word, through the real worker and a real network."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from learning.teach.teaching import ball_example
from mrml.mrml_phantom import addVolume
from mrml.slicer_module import SATSegment

from helpers.results import result
from helpers.small_model import makeModel
from SATSegmentLib.anatomy.personal.user_words import TAUGHT, save_word, word_files
from SATSegmentLib.engine.api import RunListener, RunOptions, TeachRequest
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.errors import Cancelled, NameQuestion, PairMismatch, PromptError
from SATSegmentLib.mrml.record import records
from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
from SATSegmentLib.types import Prompt


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(makeModel(tmp_path_factory.mktemp("model")))


@pytest.fixture(autouse=True)
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", *(["HOME"] if sys.platform == "darwin" else [])):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    # A child of this test's own: one that is running already keeps its words elsewhere.
    SATSegment.closeEngine()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield
    SATSegment.closeEngine()
    assert [p.name for p in (tmp_path / "temporary").iterdir() if p.name.startswith("satsegment-")] == []


def drawn(scene, shift: int = 0):
    """A volume, and a segmentation with the ball of it as a segment of the user's own."""
    example = ball_example(shift)
    volumeNode = addVolume(scene, example.image.array, example.image.ijk_to_ras, "Doe^John")
    node = createSegmentation(volumeNode)
    (segmentId,) = writeResults(node, volumeNode, [result("drawn", example.mask, trained=False)]).segmentIds
    return volumeNode, node, segmentId


def test_a_segment_becomes_a_word_for_other_volumes(scene, model: str) -> None:
    logic = SATSegment.SATSegmentLogic()
    progress = []
    word = logic.teach(*drawn(scene), "my implant", RunOptions(model), "mri", listener=RunListener(progress.append))
    assert word.record.dice[0] > 0.6
    assert progress[-1].fraction == pytest.approx(1)
    assert any("fitting" in one.stage for one in progress)
    assert b"Doe" not in word.path.read_bytes()
    other, _, _ = drawn(scene, 3)
    child = SATSegment.sharedEngine().pid
    node = logic.segment(other, ["My implant", "brainstem"], RunOptions(model), "mri")
    assert SATSegment.sharedEngine().pid == child
    assert logic.results[0].prompt.text == "my implant"
    assert logic.results[0].voxels > 1000
    (run,) = records(node)
    assert len(run["prompts"][0]["word_sha256"]) == 64


def test_what_goes_wrong_leaves_no_word(scene, model: str, tmp_path: Path) -> None:
    logic = SATSegment.SATSegmentLogic()
    example = drawn(scene)
    with pytest.raises(PromptError, match="already means"):
        logic.teach(*example, "brainstem", RunOptions(model), "mri")
    with pytest.raises(Cancelled):
        logic.teach(*example, "my implant", RunOptions(model), "mri", listener=RunListener(cancel=lambda: True))
    assert word_files() == ()


def test_another_models_word_is_refused_across_the_pipe(scene, model: str) -> None:
    from learning.teach.teaching import put_word

    from SATSegmentLib.anatomy.personal.user_words import own_folder

    put_word(own_folder(), model="SAT-Nano", model_sha256="d" * 64)
    volumeNode, _, _ = drawn(scene)
    logic = SATSegment.SATSegmentLogic()
    with pytest.raises(NameQuestion, match="taught to SAT-Nano only"):
        logic.segment(volumeNode, "my implant", RunOptions(model), "mri")
    # A prompt is not a name that anybody could ask back about: the engine refuses it.
    with pytest.raises(PairMismatch, match="SAT-Nano"):
        logic.segment(volumeNode, [Prompt("my implant", "mri", "RAS", TAUGHT, trained=False)], RunOptions(model))


@pytest.mark.long
def test_several_examples_go_through_the_pipe(model: str) -> None:
    worker = WorkerEngine()
    request = TeachRequest((ball_example(), ball_example(3)), "my implant", "mri", options=RunOptions(model))
    word = save_word(worker.teach(request).word)
    worker.close()
    assert word.record.examples == len(word.record.left_out_dice) == 2
    assert word.own
