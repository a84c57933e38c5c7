"""One door for names: whoever asks gets prompts, or an error that carries the candidates."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from learning.teach.teaching import put_word

from helpers.small_model import headLikeImage
from SATSegmentLib import errors
from SATSegmentLib.anatomy.personal.user_words import WORDS_VARIABLE
from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.cli.segment import resolve_prompts
from SATSegmentLib.engine.api import RunOptions, SegmentRequest
from SATSegmentLib.errors import NameQuestion, NameReason, PromptError
from SATSegmentLib.models.catalog import checksum_of
from SATSegmentLib.types import Prompt


def texts(*arguments, **options) -> list[str]:
    return [prompt.text for prompt in prompts_for(*arguments, **options)]


def test_wordings_lists_and_prompts_are_taken() -> None:
    assert texts("lt kidney", "ct") == ["left kidney"]
    assert texts("IVC; lt kidney", "ct") == ["inferior vena cava", "left kidney"]
    prompt = Prompt("something else", "mri", trained=False)
    assert prompts_for(["liver", prompt], "ct")[1] is prompt
    assert prompts_for(prompt) == (prompt,)  # no modality is needed where there is no name
    assert texts("zyx", "ct", free_text=True) == ["zyx"]


def test_what_a_name_was_taken_for_is_told() -> None:
    told = []
    prompts_for("lt kidney", "ct", on_meaning=lambda name, meant: told.append((name, [one.text for one in meant])))
    assert told == [("lt kidney", ["left kidney"])]


@pytest.mark.parametrize(
    ("name", "modality", "reason"),
    [
        ("left hippocampus", "pet", NameReason.NOT_SEGMENTABLE),
        ("zyx", "ct", NameReason.UNKNOWN),
        ("lobe", "ct", NameReason.AMBIGUOUS),
    ],
)
def test_a_question_carries_its_candidates(name: str, modality: str, reason: NameReason) -> None:
    with pytest.raises(NameQuestion) as caught:
        prompts_for(name, modality)
    error = caught.value
    assert error.reason == reason
    assert error.text == name
    assert error.remedy
    assert bool(error.candidates) == (reason != NameReason.UNKNOWN)
    for candidate, where in error.candidates:
        assert prompts_for(candidate, where)  # each can be asked for as it stands
    again = errors.from_dict(error.as_dict())
    assert isinstance(again, NameQuestion)
    assert (again.candidates, again.reason, again.text) == (error.candidates, error.reason, error.text)


@pytest.mark.parametrize(
    ("structures", "modality", "words"),
    [
        ("liver", None, "not given"),
        ("liver", "us", "does not support"),
        ("liver; ;", "ct", "empty"),
        ("", "ct", "empty"),
    ],
)
def test_what_is_no_name_is_refused(structures: str, modality: str | None, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        prompts_for(structures, modality)


def test_requests_and_segmenters_take_names() -> None:
    from helpers.models import tiny_segmenter

    request = SegmentRequest.of(headLikeImage(), "lt hippocampus", modality="mri")
    assert [prompt.text for prompt in request.prompts] == ["left hippocampus"]
    with pytest.raises(NameQuestion):
        tiny_segmenter().segment(headLikeImage(), "zyx", modality="mri")
    with pytest.raises(PromptError, match="query vectors"):  # the name was understood; this network has no words
        tiny_segmenter().segment(headLikeImage(), "lt hippocampus", modality="mri")
    assert np.isfinite(request.image.array).all()


def test_a_word_that_was_taught_to_another_model_is_refused_at_every_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpers.models import tiny_segmenter

    monkeypatch.setenv(WORDS_VARIABLE, str(tmp_path))
    demo = checksum_of("demo")
    segmenter = tiny_segmenter()
    segmenter.description = dataclasses.replace(segmenter.description, network_sha256="b" * 64)
    put_word(tmp_path, name="my implant", modality="mri", model_sha256="a" * 64)
    assert texts("my implant", "mri") == ["my implant"]  # no model was named yet
    assert texts("my implant", "mri", model_sha256="a" * 64) == ["my implant"]
    doors = (
        lambda: prompts_for("my implant", "mri", model_sha256=demo),
        lambda: SegmentRequest.of(headLikeImage(), "my implant", RunOptions("demo"), "mri"),
        lambda: resolve_prompts(["my implant"], "mri", False, "demo"),
        lambda: segmenter.segment(headLikeImage(), "my implant", modality="mri"),
    )
    for door in doors:
        with pytest.raises(NameQuestion, match="taught to"):
            door()
    put_word(tmp_path, name="my implant", modality="mri", model_sha256=demo)
    for door in doors[:-1]:
        door()


def test_of_a_model_that_is_not_here_nothing_is_known() -> None:
    assert len(checksum_of("demo")) == 64
    assert checksum_of("no such model") == ""
