"""A structure in other words: the side stays the side, and what is measured with is never trained with."""

from __future__ import annotations

import csv

import pytest

from SATSegmentLib.anatomy.text.words import read_words
from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.learning.knowledge.wording import (
    bases,
    held_out_paraphrases,
    paraphrases,
    reworded,
    split_side,
)
from SATSegmentLib.resources import resource_path

NAMES = sorted({label.text for label in load_labels()})


def demo_names():
    with resource_path("Demo/structures.tsv").open(encoding="utf-8") as table:
        return [row["name"] for row in csv.DictReader(table, delimiter="\t")]


def test_every_wording_says_the_side_of_its_name():
    for name in (*NAMES[::15], *demo_names()):
        side = split_side(name)[0]
        for text in (*paraphrases(name), *held_out_paraphrases(name)):
            if side:
                assert read_words(text).side == side, text
            else:
                assert read_words(text).side not in ("left", "right") or read_words(name).side == read_words(text).side


def test_no_wording_is_both_trained_and_held_out():
    trained = {text.lower() for name in NAMES for text in paraphrases(name)}
    trained |= {text.lower() for name in demo_names() for text in reworded(name, paired=True)}

    for name in demo_names():
        assert not trained.intersection(held_out_paraphrases(name))


def test_no_wording_of_a_demo_name_is_one_of_another_name():
    owner: dict[str, str] = {}
    for name in demo_names():
        for text in paraphrases(name):
            assert owner.setdefault(text, name) == name


@pytest.mark.parametrize(
    "text",
    [
        "the hippocampus on the left side",
        "hippocampus, left",
        "hippocampus sinister",
        "l hippocampus",
        "left sided hippocampus",
    ],
)
def test_common_ways_to_say_a_side_are_trained(text):
    assert text in paraphrases("left hippocampus")


def test_the_name_comes_first_and_nothing_twice():
    for name in demo_names():
        texts = paraphrases(name)
        assert texts[0] == name
        assert len(set(texts)) == len(texts)


def test_a_structure_of_both_sides_is_also_said_as_both():
    assert "bilateral hippocampus" in paraphrases("hippocampus")
    assert not any("both" in text for text in paraphrases("brainstem"))


def test_curated_synonyms_become_bases_without_their_side():
    assert "hippocampal formation" in bases("left hippocampus")
    assert all(not split_side(text)[0] for name in demo_names() for text in bases(name))


def test_a_name_with_two_sides_has_none():
    assert split_side("left and right lung") == ("", "left and right lung")
    assert split_side("left heart ventricle") == ("left", "heart ventricle")
