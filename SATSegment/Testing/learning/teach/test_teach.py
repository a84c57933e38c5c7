"""Teaching: one example makes a word, the encoder stays out of it, and what goes wrong is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from learning.teach.teaching import NAME, ball_example, small_segmenter

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import save_word
from SATSegmentLib.errors import Cancelled, CheckpointError, PromptError, SATSegmentWarning, ScanError
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.learning.teach.example import ExampleView
from SATSegmentLib.learning.teach.fit import Recipe
from SATSegmentLib.learning.teach.teach import teach
from SATSegmentLib.sat.text.taught_words import word_content
from SATSegmentLib.types import Example, Image

QUICK = Recipe(rounds=8, steps=15)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return small_segmenter(tmp_path_factory.mktemp("model"))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


class EncoderCalls:
    """Counts the windows that the real encoder is given."""

    def __init__(self, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        encode = segmenter.network.encode

        def counted(window: torch.Tensor):
            self.count += len(window)
            return encode(window)

        monkeypatch.setattr(segmenter.network, "encode", counted)


def test_a_word_from_one_example_finds_it_again_without_the_encoder(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = ball_example()
    calls = EncoderCalls(segmenter, monkeypatch)
    segmenter.segment(example.image, [anatomy.resolve("brainstem", "mri").prompt])
    assert calls.count > 0
    before = calls.count
    weights = {name: value.clone() for name, value in segmenter.network.state_dict().items()}
    word = teach(segmenter, [example], NAME, "mri", recipe=QUICK)
    save_word(word_content(word.record, word.vectors))
    (result,) = segmenter.segment(example.image, [anatomy.resolve(NAME, "mri").prompt])
    assert calls.count == before  # the image has not changed
    assert dice(result.whole_mask(example.mask.shape), example.mask) == pytest.approx(word.record.dice[0], abs=1e-4)
    assert word.record.dice[0] > 0.6
    assert all(torch.equal(value, weights[name]) for name, value in segmenter.network.state_dict().items())
    assert all(parameter.grad is None for parameter in segmenter.network.parameters())


def test_the_record_says_what_it_was_made_from_and_names_nobody(segmenter: Segmenter) -> None:
    word = teach(segmenter, [ball_example()], f" {NAME} ", "mri", recipe=dataclasses.replace(QUICK, rounds=1))
    record = word.record
    assert record.name == NAME
    assert record.model_sha256 == segmenter.description.network_sha256
    assert record.start in {"left hippocampus", "right hippocampus", "brainstem"}  # a label of the model, of MRI
    assert len(record.scans[0]) == 64
    assert record.taught.endswith("+00:00")
    assert record.left_out_dice == ()
    assert "own example" in record.quality()


def test_several_examples_are_each_left_out_once(segmenter: Segmenter) -> None:
    examples = [ball_example(), ball_example(3)]
    word = teach(segmenter, examples, NAME, "mri", recipe=QUICK)
    assert len(word.record.dice) == len(word.record.left_out_dice) == 2
    assert len(set(word.record.scans)) == 2
    alone = teach(segmenter, examples[1:], NAME, "mri", recipe=QUICK)
    (found,) = segmenter.segment_queries(
        examples[0].image,
        alone.vectors.query[None],
        "mri",
        mask_embedding_offsets=[alone.vectors.mask_embedding_offset],
    )
    # Left out means left out: the same as a word that was never shown this example.
    expected = dice(found.whole_mask(examples[0].mask.shape), examples[0].mask)
    assert word.record.left_out_dice[0] == pytest.approx(expected, abs=0.15)
    assert "left out" in word.record.quality()


def test_the_same_lesson_gives_the_same_word(segmenter: Segmenter) -> None:
    one, other = (
        teach(segmenter, [ball_example()], NAME, "mri", recipe=dataclasses.replace(QUICK, rounds=2)) for _ in "ab"
    )
    np.testing.assert_array_equal(one.vectors.query, other.vectors.query)
    np.testing.assert_array_equal(one.vectors.mask_embedding_offset, other.vectors.mask_embedding_offset)


def test_a_sample_stands_for_all_voxels_of_the_scan(segmenter: Segmenter) -> None:
    example = ball_example()
    windows = segmenter.windows(example.image, "mri")
    view = ExampleView(windows, example.mask)
    assert sorted([*view.inside, *view.outside]) == list(range(len(windows.boxes)))
    sample = view.sample([*view.inside, *view.outside], None, torch.Generator().manual_seed(0))
    voxels = np.prod(windows.grid.shape)
    assert float(sample.weight.sum()) == pytest.approx(voxels, rel=0.02)
    inside = float((sample.weight * sample.target).sum())
    volume = abs(np.linalg.det(windows.grid.ijk_to_ras[:3, :3]))
    scan_volume = abs(np.linalg.det(example.image.ijk_to_ras[:3, :3]))
    assert inside * volume == pytest.approx(example.mask.sum() * scan_volume, rel=0.1)


def test_cancel_and_progress(segmenter: Segmenter) -> None:
    told: list[float] = []
    with pytest.raises(Cancelled):
        teach(
            segmenter,
            [ball_example(5)],
            NAME,
            "mri",
            progress=lambda one: told.append(one.fraction),
            cancel=lambda: len(told) > 10,
        )
    assert told == sorted(told)
    assert 0 < told[-1] < 1
    told.clear()
    teach(segmenter, [ball_example(5)], NAME, "mri", progress=lambda one: told.append(one.fraction), recipe=QUICK)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_what_cannot_be_learned_is_warned_of(segmenter: Segmenter) -> None:
    noise = np.random.default_rng(0).random((40, 40, 40)) < 0.02
    with pytest.warns(SATSegmentWarning, match="does not find what it was taught from"):
        teach(segmenter, [Example(ball_example().image, noise)], NAME, "mri", recipe=QUICK)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"name": "brainstem"}, PromptError, "already means"),
        ({"name": " "}, PromptError, "no name"),
        ({"orientation": "PSR"}, PromptError, "axes"),
        ({"examples": []}, ScanError, "no example"),
        ({"mask": np.zeros((40, 40, 40), bool)}, ScanError, "empty"),
        ({"mask": np.ones((40, 40, 40), bool)}, ScanError, "whole scan"),
        ({"mask": np.ones((2, 40, 40), bool)}, ScanError, "grid"),
        ({"mask": np.ones((40, 40, 40), np.uint8)}, ScanError, "grid"),
    ],
)
def test_what_is_no_lesson_is_refused_before_any_work(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, change: dict, kind: type, words: str
) -> None:
    calls = EncoderCalls(segmenter, monkeypatch)
    example = ball_example(7)
    examples = change.get("examples", [Example(example.image, change.get("mask", example.mask))])
    with pytest.raises(kind, match=words) as caught:
        teach(segmenter, examples, change.get("name", NAME), "mri", change.get("orientation", "RAS"))
    assert caught.value.remedy
    assert calls.count == 0


def test_a_structure_between_the_networks_voxels_is_refused(segmenter: Segmenter) -> None:
    mask = np.zeros((40, 40, 40), bool)
    mask[18, 20, 22] = True
    image = ball_example().image
    coarse = Image(image.array, image.ijk_to_ras * np.array([0.2, 0.2, 0.2, 1]))
    with pytest.raises(ScanError, match="too small"):
        teach(segmenter, [Example(coarse, mask)], NAME, "mri")


def test_a_model_that_does_not_say_what_it_is_learns_nothing(segmenter: Segmenter, tmp_path: Path) -> None:
    nameless = Segmenter(
        segmenter.network, dataclasses.replace(segmenter.description, network_sha256=""), segmenter.queries, "cpu"
    )
    with pytest.raises(CheckpointError, match="checkpoint"):
        teach(nameless, [ball_example()], NAME, "mri")
