"""What is trained together: no held-out text, no false negative, the other side as a negative, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from SATSegmentLib.learning.knowledge.pairs import Pairs
from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
from SATSegmentLib.learning.knowledge.split import hold_out
from SATSegmentLib.learning.knowledge.texts import Knowledge, Structure, load_knowledge, text_key, trivial_key

RECIPE = KnowledgeRecipe(batch=64, seed=3)


@pytest.fixture(scope="module")
def knowledge():
    return load_knowledge()


@pytest.fixture(scope="module")
def split(knowledge):
    return hold_out(knowledge, 0.1, seed=0)


def small(**structures):
    return Knowledge({i: Structure(i, **fields) for i, fields in structures.items()})


def test_no_training_text_is_a_held_out_one_in_any_casing(split):
    training, held_out = split
    texts = {text_key(name) for s in training.structures.values() for name in s.names}
    definitions = {text_key(s.definition) for s in training.structures.values()}
    pairs = Pairs(training, RECIPE, focus=["left hippocampus", "left nucleus accumbens"], held_out=held_out)
    for step in range(40):
        texts |= {text_key(text) for pair in pairs.batch(step).pairs for text in (pair.anchor, pair.candidate)}

    assert len(held_out.synonyms) > 300
    assert not texts.intersection(text_key(text) for text, _ in held_out.synonyms)
    assert not definitions.intersection(text_key(text) for text, _ in held_out.definitions)


def test_held_out_synonyms_differ_from_the_name_and_the_trained_synonyms_by_more_than_spelling(split):
    training, held_out = split

    for text, identifier in held_out.synonyms:
        assert trivial_key(text) not in {trivial_key(name) for name in training.structures[identifier].names}


def test_plural_case_and_word_order_are_trivial():
    knowledge = small(
        a={"name": "renal artery", "synonyms": ("Renal Arteries", "artery, renal", "RENAL ARTERY", "arteria renalis")}
    )

    _, held_out = hold_out(knowledge, share=1.0)

    assert held_out.synonyms in ((), (("arteria renalis", "a"),))


def test_a_homonym_is_never_held_out():
    knowledge = small(
        a={"name": "optic disc", "synonyms": ("disc",)}, b={"name": "intervertebral disc", "synonyms": ("disc",)}
    )

    assert hold_out(knowledge, share=1.0)[1].synonyms == ()


def test_the_same_step_gives_the_same_batch_in_any_order(split):
    training, _ = split
    first, second = Pairs(training, RECIPE), Pairs(training, RECIPE)
    second.batch(9)

    assert first.batch(4).pairs == second.batch(4).pairs
    assert first.batch(4).pairs != first.batch(5).pairs


def test_every_anchor_has_its_own_candidate_as_a_right_answer(split):
    pairs = Pairs(split[0], RECIPE, focus=["left putamen", "right putamen", "brain"])

    for step in range(10):
        batch = pairs.batch(step)
        assert batch.positive.diagonal().all()
        assert not (batch.positive & batch.ignored).any()
        assert len(batch.pairs) == RECIPE.batch


def test_texts_of_one_structure_are_never_each_others_wrong_answers(split):
    training, _ = split
    pairs = Pairs(training, KnowledgeRecipe(batch=128, kinds=(1.0, 0.0, 0.0, 0.0), seed=1))
    for step in range(20):
        batch = pairs.batch(step)
        for row, column in zip(*np.nonzero(~batch.positive & ~batch.ignored), strict=True):
            anchor, candidate = batch.pairs[row].anchor, batch.pairs[column].candidate
            owners = training.owners.get(text_key(anchor), frozenset())
            assert not owners & training.owners[text_key(candidate)], (anchor, candidate)


def test_the_other_side_is_there_as_a_wrong_answer():
    knowledge = small(
        l={"name": "left kidney", "mirror": "r"}, r={"name": "right kidney", "mirror": "l"}, x={"name": "liver"}
    )
    recipe = KnowledgeRecipe(batch=8, kinds=(0.0, 0.0, 0.0, 1.0), neighbours=1.0)

    batch = Pairs(knowledge, recipe).batch(0)

    left = [n for n, pair in enumerate(batch.pairs) if pair.candidate == "left kidney"]
    right = [n for n, pair in enumerate(batch.pairs) if pair.candidate == "right kidney"]
    assert left
    assert right
    assert not batch.positive[np.ix_(left, right)].any()
    assert not batch.ignored[np.ix_(left, right)].any()


def test_what_is_above_the_target_of_a_relation_is_no_wrong_answer():
    knowledge = small(
        body={"name": "body"},
        organ={"name": "organ", "parents": (("is-a", "body"),)},
        liver={"name": "liver", "parents": (("is-a", "organ"),)},
    )
    recipe = KnowledgeRecipe(batch=24, kinds=(0.0, 0.0, 1.0, 0.0), neighbours=0.0)

    batch = Pairs(knowledge, recipe).batch(0)

    liver = [n for n, pair in enumerate(batch.pairs) if pair.anchor == "liver is a kind of"]
    body = [n for n, pair in enumerate(batch.pairs) if pair.candidate == "body"]
    assert liver
    assert body
    assert batch.ignored[np.ix_(liver, body)].all()


def test_paired_structures_have_two_sides_that_know_each_other(knowledge):
    kidney = next(s for s in knowledge.structures.values() if s.name == "left kidney")

    assert knowledge.structures[kidney.mirror].name == "right kidney"
    lobe = next(s for s in knowledge.structures.values() if s.name == "upper lobe of left lung")
    assert knowledge.structures[lobe.mirror].name == "upper lobe of right lung"
    for structure in knowledge.structures.values():
        if structure.mirror:
            assert knowledge.structures[structure.mirror].mirror == structure.id
