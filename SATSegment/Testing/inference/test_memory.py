"""Out of memory: fewer structures at a time, said each time, the same masks in the end, and never another device."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from helpers.small_model import LABELS, headLikeImage, makeModel
from SATSegmentLib.errors import OutOfMemory, SATSegmentWarning
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.inference.speed import measure_speed
from SATSegmentLib.types import Progress, Prompt

HEAD = [Prompt(text, modality) for text, modality in LABELS[:3]]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(makeModel(tmp_path_factory.mktemp("memory")), device="cpu")


def limit(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, structures: int) -> None:
    """A device on which more structures at once do not fit."""
    network = segmenter._network
    # Whatever test comes first: the plan's probe is not what runs out of memory here.
    segmenter._runner._speed = measure_speed(network)
    embed = network.embed_masks

    def embed_masks(tokens: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        if len(queries) > structures:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB")
        return embed(tokens, queries)

    monkeypatch.setattr(network, "embed_masks", embed_masks)


def test_fewer_at_a_time_give_the_same_masks_and_are_said(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = headLikeImage()
    expected = segmenter.segment(image, HEAD)
    limit(segmenter, monkeypatch, 1)
    seen: list[Progress] = []
    plans: list[RunPlan] = []
    with pytest.warns(SATSegmentWarning) as warned:
        results = segmenter.segment(image, HEAD, progress=seen.append, on_plan=plans.append)
    assert [str(one.message) for one in warned] == [
        "The computer ran out of memory. Continuing with 2 structures at a time.",
        "The computer ran out of memory. Continuing with 1 structure at a time.",
    ]
    assert [plan.prompt_block for plan in plans] == [3, 2, 1]
    for ours, theirs in zip(results, expected, strict=True):
        assert ours.prompt == theirs.prompt
        assert ours.device == theirs.device == "cpu"
        np.testing.assert_array_equal(ours.mask, theirs.mask)
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_where_one_does_not_fit_the_user_is_asked(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(segmenter, monkeypatch, 0)
    with pytest.raises(OutOfMemory) as caught, pytest.warns(SATSegmentWarning):
        segmenter.segment(headLikeImage(), HEAD)
    assert caught.value.remedy


@pytest.mark.parametrize("callback", ["progress", "cancel", "on_result"])
def test_memory_that_a_callers_own_callback_ran_out_of_is_the_callers(segmenter: Segmenter, callback: str) -> None:
    def fail(*_: object) -> bool:
        raise MemoryError("of the caller")

    with warnings.catch_warnings():
        warnings.simplefilter("error", SATSegmentWarning)
        with pytest.raises(MemoryError, match="of the caller"):
            segmenter.segment(headLikeImage(), HEAD, **{callback: fail})
