"""The loss and the measure, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from SATSegmentLib.learning.knowledge.contrast import Temperature, contrastive_loss
from SATSegmentLib.learning.knowledge.measure import NameIndex
from SATSegmentLib.learning.knowledge.texts import Knowledge, Structure

SCALE = torch.tensor(2.0)


def masks(rows):
    return torch.tensor(rows, dtype=torch.bool)


def test_one_right_answer_each_is_the_cross_entropy_of_both_directions():
    anchors, candidates = torch.randn(5, 8), torch.randn(5, 8)
    none = torch.zeros(5, 5, dtype=torch.bool)

    loss = contrastive_loss(anchors, candidates, torch.eye(5, dtype=torch.bool), none, SCALE)

    unit = torch.nn.functional.normalize
    scores = 2 * unit(anchors) @ unit(candidates).T
    expected = sum(torch.nn.functional.cross_entropy(s, torch.arange(5)) for s in (scores, scores.T)) / 2
    torch.testing.assert_close(loss, expected)


def test_two_right_answers_share_the_row():
    anchor = torch.tensor([[1.0, 0.0]])
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    positive, ignored = masks([[1, 1, 0]]), masks([[0, 0, 0]])

    loss = contrastive_loss(anchor, candidates, positive, ignored, SCALE)

    total = math.log(math.exp(2) + 1 + math.exp(-2))
    # The way back: each candidate has one anchor to choose from, so it costs nothing.
    assert loss.item() == pytest.approx(((total - 2) + (total - 0)) / 2 / 2)


def test_an_ignored_candidate_has_no_influence():
    anchors, candidates = torch.randn(3, 4), torch.randn(3, 4)
    positive, ignored = torch.eye(3, dtype=torch.bool), masks([[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    candidates.requires_grad_(True)

    scores_only = contrastive_loss(anchors[:1], candidates, positive[:1], ignored[:1], SCALE)
    scores_only.backward()

    assert candidates.grad is not None
    assert candidates.grad[1].abs().max() == 0
    assert candidates.grad[2].abs().max() > 0
    assert torch.isfinite(contrastive_loss(anchors, candidates, positive, ignored, SCALE))


def test_temperature_stays_between_a_hundredth_and_one():
    temperature = Temperature(0.07)
    assert temperature().item() == pytest.approx(1 / 0.07, rel=1e-5)
    with torch.no_grad():
        temperature.log_scale.fill_(50.0)
        assert temperature().item() == pytest.approx(100.0)
        temperature.log_scale.fill_(-50.0)
        assert temperature().item() == pytest.approx(1.0)


VECTORS = {"liver": [1, 0], "spleen": [0, 1], "kidney": [-1, 0], "hepar": [0.9, 0.1], "lien": [0.8, 0.7], "ren": [1, 1]}


def index():
    names = ("liver", "spleen", "kidney")
    knowledge = Knowledge({name: Structure(name, name) for name in names})
    return NameIndex(knowledge, lambda texts: np.array([VECTORS[text] for text in texts], float))


def test_recall_counts_ranks():
    # hepar finds the liver first, lien the spleen second, ren the kidney last.
    recall = index().recall([("hepar", "liver"), ("lien", "spleen"), ("ren", "kidney")])

    assert recall.texts == 3
    assert recall.at == {1: pytest.approx(1 / 3), 5: 1.0, 10: 1.0}


def test_a_tie_does_not_count_as_found():
    # ren lies exactly between liver and spleen.
    assert index().recall([("ren", "liver")]).at[1] == 0.0


def test_neighbours_come_best_first():
    near = index().nearest(["lien"], 2)[0]

    assert [name for name, _ in near] == ["liver", "spleen"]
    assert near[0][1] > near[1][1]
