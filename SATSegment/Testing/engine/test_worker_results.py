"""Structures come from the worker as they are finished."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.small_model import LABELS, headLikeImage
from SATSegmentLib.engine.api import RunListener, RunOptions, SegmentRequest
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.types import Prompt

HEAD = [Prompt(text, modality) for text, modality in LABELS[:3]]


def test_structures_come_as_they_are_finished_and_are_those_of_the_answer(worker: WorkerEngine, model: str) -> None:
    # Two passes over the scan: the third prompt is finished before the second.
    prompts = [HEAD[0], Prompt("liver", "ct"), HEAD[1]]
    request = SegmentRequest.of(headLikeImage(), prompts, RunOptions(model, "cpu", keep_probabilities=True))
    found, stages = [], []
    listener = RunListener(
        lambda one: stages.append(one.stage), on_warning=lambda text: None, on_result=lambda *one: found.append(one)
    )
    answer = worker.segment(request, listener)
    assert [index for index, _ in found] == [0, 2, 1]
    for index, early in found:
        final = answer.results[index]
        assert early.prompt == final.prompt
        assert (early.voxels, early.cut_by, early.seconds) == (final.voxels, final.cut_by, final.seconds)
        np.testing.assert_array_equal(early.cropped.bits, final.cropped.bits)
        assert early.cropped.offset == final.cropped.offset
        assert (early.statistics, early.probability) == (None, None)
    silent = worker.segment(request, RunListener(on_warning=lambda text: None))
    for one, other in zip(silent.results, answer.results, strict=True):
        np.testing.assert_array_equal(one.cropped.bits, other.cropped.bits)
        assert (one.statistics, one.flags) == (other.statistics, other.flags)
    counted = [stage.split(" ·")[0] for stage in stages if " structures ·" in stage and "of" in stage]
    assert counted == ["1 of 3 structures", "2 of 3 structures", "3 of 3 structures"]
    assert answer.encode_seconds > 0.0
    assert silent.encode_seconds == 0.0


def test_a_run_that_is_cancelled_after_a_structure_tells_of_no_other(worker: WorkerEngine, model: str) -> None:
    found: list[int] = []
    request = SegmentRequest.of(headLikeImage(), [HEAD[0], Prompt("liver", "ct")], RunOptions(model, "cpu"))
    listener = RunListener(None, lambda: bool(found), lambda text: None, None, lambda index, _: found.append(index))
    with pytest.raises(Cancelled):
        worker.segment(request, listener)
    assert found == [0]
