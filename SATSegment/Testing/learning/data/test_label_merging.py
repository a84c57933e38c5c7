"""Labels that follow from others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from SATSegmentLib.anatomy import load_labels
from SATSegmentLib.learning.data.merging import MergeRule, built_in_rules, contradictions, merge

CT = built_in_rules("ct")
MRI = built_in_rules("mri")
CERVICAL = [f"cervical vertebrae {n} (c{n})" for n in range(1, 8)]
THORACIC = [f"thoracic vertebrae {n} (t{n})" for n in range(1, 13)]
LUMBAR = [f"lumbar vertebrae {n} (l{n})" for n in range(1, 6)]


def made_of(given, rules=CT):
    return {name: set(parts) for name, parts in merge(given, rules).items() if name not in given}


def test_left_and_right_make_the_whole():
    assert made_of(["left kidney", "right kidney"]) == {"kidney": {"left kidney", "right kidney"}}
    assert made_of(["head of left femur", "head of right femur"]) == {
        "head of femur": {"head of left femur", "head of right femur"}
    }


@pytest.mark.parametrize("given", [["left kidney"], ["left kidney", "right lung"], [*THORACIC[:-1]], ["left rib 1"]])
def test_nothing_is_made_where_a_part_was_not_annotated(given):
    assert made_of(given) == {}


def test_a_given_label_is_never_made_from_its_parts():
    assert merge(["kidney", "left kidney", "right kidney"], CT)["kidney"] == ("kidney",)


def test_wholes_are_made_of_wholes():
    assert made_of(CERVICAL + THORACIC + LUMBAR)["vertebrae"] == {*CERVICAL, *THORACIC, *LUMBAR}
    ribs = [f"{side} rib {n}" for side in ("left", "right") for n in range(1, 13)]
    made = made_of(ribs)
    assert made["rib"] == set(ribs)
    assert made["left rib"] == {rib for rib in ribs if rib.startswith("left")}
    assert made["rib 3"] == {"left rib 3", "right rib 3"}
    lobes = [
        "left lung upper lobe",
        "left lung lower lobe",
        "right lung upper lobe",
        "right lung middle lobe",
        "right lung lower lobe",
    ]
    assert made_of(lobes)["lung"] == set(lobes)


def test_a_sixth_lumbar_vertebra_belongs_to_the_whole_but_is_not_needed_for_it():
    assert "lumbar vertebrae 6 (l6)" in made_of([*LUMBAR, "lumbar vertebrae 6 (l6)"])["lumbar vertebrae"]
    assert made_of(LUMBAR)["lumbar vertebrae"] == set(LUMBAR)


def test_an_organ_includes_its_tumour_where_both_were_annotated():
    assert merge(["liver", "liver tumor"], CT)["liver"] == ("liver", "liver tumor")
    assert merge(["kidney", "kidney tumor", "kidney cyst"], CT)["kidney"] == ("kidney", "kidney cyst", "kidney tumor")
    assert merge(["left kidney", "right kidney", "kidney tumor"], CT)["kidney"] == (
        "kidney tumor",
        "left kidney",
        "right kidney",
    )
    assert made_of(["liver tumor"]) == {}  # a tumour alone is no organ
    assert merge(["liver", "liver tumor"], CT)["liver tumor"] == ("liver tumor",)


def test_a_brain_tumour_is_its_parts():
    parts = {"enhancing brain tumor", "necrotic brain tumor core", "brain edema"}
    assert made_of(sorted(parts), MRI) == {"brain tumor": parts}


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
def test_the_rules_hold_trained_labels_only(modality):
    names = {label.text for label in load_labels() if label.modality == modality}
    for rule in built_in_rules(modality):
        assert {rule.whole, *rule.parts, *rule.optional} <= names
        assert rule.whole not in rule.parts


def test_an_absent_whole_with_a_present_part_is_a_contradiction():
    found = {"kidney": False, "left kidney": True, "right kidney": False}
    assert contradictions(found, CT) == ['"kidney" has no voxel, but "left kidney", which belongs to it, has']
    assert contradictions({"kidney": True, "left kidney": True}, CT) == []
    assert contradictions({"liver": False, "liver tumor": True}, CT) == []  # a crop may hold the tumour only


def test_own_rules_and_none():
    rules = [MergeRule("implant", ("cup", "stem"), optional=("screws",))]
    assert made_of(["cup", "stem"], rules) == {"implant": {"cup", "stem"}}
    assert made_of(["cup", "stem", "screws"], rules) == {"implant": {"cup", "stem", "screws"}}
    assert made_of(["left kidney", "right kidney"], ()) == {}


@given(st.sets(st.sampled_from(sorted(label.text for label in load_labels() if label.modality == "ct"))))
def test_merging_keeps_what_was_given_and_adds_only_unions_of_it(given):
    merged = merge(sorted(given), CT)
    assert list(merged)[: len(given)] == sorted(given)
    for name, parts in merged.items():
        assert set(parts) <= given
        assert name not in given or name in parts
    again = merge(sorted(merged), CT)
    assert set(again) == set(merged)  # nothing more follows from what was made
