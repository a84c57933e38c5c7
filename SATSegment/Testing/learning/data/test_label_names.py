"""One spelling for each label, and left and right in the mirror."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from SATSegmentLib.anatomy import load_labels
from SATSegmentLib.learning.data.label_names import (
    mirrored,
    normalise_label,
    training_orientation,
)
from SATSegmentLib.learning.sides import without_side


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("  Left\u00a0Kidney\n", "left kidney"),
        ("ﬂair lesion", "flair lesion"),
        ("covid–19 infection", "covid-19 infection"),
        ("Cervical Vertebrae 1 (C1)", "cervical vertebrae 1 (c1)"),
        ("li\u00adver", "liver"),
        ("e\u0301pine", "épine"),
    ],
)
def test_a_name_has_one_spelling(given, expected):
    assert normalise_label(given) == expected


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    once = normalise_label(text)
    assert normalise_label(once) == once
    assert once == once.strip()


def test_trained_names_are_spelt_that_way_already():
    assert all(normalise_label(label.text) == label.text for label in load_labels())


def test_every_known_mirror_image_is_a_trained_name_and_mirrors_back():
    names = {(label.modality, label.text) for label in load_labels()}
    sided = 0
    for modality, text in names:
        partner = mirrored(text, modality)
        if partner is not None:
            assert (modality, partner) in names
            assert mirrored(partner, modality) == text
            sided += partner != text
    assert sided > 150


@pytest.mark.parametrize(
    ("text", "modality", "partner"),
    [
        ("left kidney", "ct", "right kidney"),
        ("head of right femur", "ct", "head of left femur"),
        ("right temporal lobe", "ct", "left temporal lobe"),
        ("left hippocampus", "mri", "right hippocampus"),
        ("aorta", "ct", "aorta"),
        # Without a partner in the vocabulary, or none that is its mirror image.
        ("left auricle of heart", "ct", None),
        ("right lung middle lobe", "ct", None),
        ("left lung upper lobe", "ct", None),
        ("left heart ventricle", "ct", None),
        ("left lobe of liver", "ct", None),
        ("left brachiocephalic vein", "ct", None),
        ("left heart atrium scar", "mri", None),
        # New words: what they hide is not known.
        ("lt kidney", "ct", None),
        ("my implant", "mri", None),
        ("left implant", "mri", None),
    ],
)
def test_the_mirror_image_of_a_name(text, modality, partner):
    assert mirrored(text, modality) == partner


def test_a_name_without_its_side():
    assert without_side("head of left femur") == "head of femur"
    assert without_side("left kidney") == "kidney"


def test_labels_are_trained_in_the_orientation_the_engine_asks_for_them_in():
    for label in load_labels():
        assert training_orientation(label.text, label.modality) == label.prompt().orientation
    assert training_orientation("my implant", "mri") == "RAS"
