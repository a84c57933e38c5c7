"""Teaching works on the features of every backbone: only the query and a shift are learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from learning.teach.teaching import NAME, ball_example

from helpers.seeded import manifest, write_released
from helpers.small_model import makeModel
from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import save_word
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.learning.teach.fit import Recipe
from SATSegmentLib.learning.teach.teach import teach
from SATSegmentLib.sat.text.taught_words import word_content
from SATSegmentLib.types import Example, Image


@pytest.mark.parametrize("backbone", ["umamba", "swinunetr"])
def test_a_word_is_taught_on_the_features_of(backbone, tmp_path):
    checkpoint = write_released(tmp_path / f"{backbone}.pth", manifest(backbone)["keys"])
    folder = makeModel(tmp_path, (32, 32, 32), checkpoint)
    segmenter = Segmenter.load(folder, device="cpu", precision="float32", cache=FeatureCache(1 << 30, 0))
    weights = {name: value.clone() for name, value in segmenter.network.state_dict().items()}
    example = _halved(ball_example())
    word = teach(segmenter, [example], NAME, "mri", recipe=Recipe(rounds=2, steps=12))
    assert word.record.dice[0] > 0.6
    assert all(torch.equal(value, weights[name]) for name, value in segmenter.network.state_dict().items())
    save_word(word_content(word.record, word.vectors))
    (result,) = segmenter.segment(example.image, [anatomy.resolve(NAME, "mri").prompt])
    mask = result.whole_mask(example.mask.shape)
    shared = np.count_nonzero(mask & example.mask)
    assert 2 * shared / (mask.sum() + example.mask.sum()) == pytest.approx(word.record.dice[0], abs=1e-4)


def _halved(example: Example) -> Example:
    """The same on voxels of half the size: one window of 32 voxels holds it."""
    return Example(Image(example.image.array, example.image.ijk_to_ras @ np.diag([0.5, 0.5, 0.5, 1.0])), example.mask)
