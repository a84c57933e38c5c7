"""The trained labels: exact strings, codes that fit the words, colours that tell names apart."""

from __future__ import annotations

import colorsys
import csv
from collections import Counter

import pytest

from SATSegmentLib.anatomy.vocabulary.labels import (
    FAIR_EVIDENCE_SCANS,
    FINDING_CATEGORY,
    GOOD_EVIDENCE_SCANS,
    CodedConcept,
    Label,
    find_label,
    load_labels,
)
from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.resources import resource_path

SIDE_CODES = {"left": "7771000", "right": "24028007"}  # SNOMED CT


def by_name() -> dict[str, Label]:
    return {label.text: label for label in load_labels()}


def coded(label: Label) -> list[CodedConcept]:
    terminology = label.terminology
    codes = (
        terminology.category,
        terminology.type,
        terminology.type_modifier,
        terminology.region,
        terminology.region_modifier,
    )
    return [code for code in codes if code is not None]


def test_there_are_498_labels_of_451_names_with_the_vocabularys_exact_strings():
    with resource_path("Anatomy/sat_labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(label.modality, label.text) for label in load_labels()] == [
        (row["modality"], row["label"]) for row in rows
    ]
    assert len(rows) == 498
    assert len(by_name()) == 451
    assert Counter(label.modality for label in load_labels()) == {"ct": 306, "mri": 189, "pet": 3}


def test_a_label_is_found_by_its_string_in_its_modality_only():
    assert find_label("ct", "left kidney").text == "left kidney"
    assert find_label("CT", "Left Kidney") is find_label("ct", "left kidney")
    assert find_label("pet", "left kidney") is None
    assert find_label("ct", "left kidny") is None


def test_every_label_hangs_in_the_tree_below_the_body():
    tree = load_tree()
    for label in load_labels():
        path = tree.path(label.concept)
        assert path[0].id == "SAT:human_body"
        assert len(path) >= 3 or label.text in ("tumor",), label.text
        assert tree.concepts[label.concept].default_view, label.text


def test_a_concept_says_the_labels_words_among_its_names():
    tree = load_tree()
    for label in load_labels():
        concept = tree.concepts[label.concept]
        assert label.text in (concept.name, *concept.synonyms)


def test_sides_agree_between_words_concept_and_codes():
    tree = load_tree()
    for label in load_labels():
        said = [side for side in ("left", "right") if side in label.text.split()]
        assert [label.laterality] == (said or [""])
        concept = tree.concepts[label.concept]
        if not concept.name.startswith("Couinaud"):
            assert (concept.laterality if concept.laterality in SIDE_CODES else "") == label.laterality, label.text
        modifier, region_modifier = label.terminology.type_modifier, label.terminology.region_modifier
        carrier, other = (region_modifier, modifier) if label.is_finding else (modifier, region_modifier)
        assert other is None, label.text
        if said:
            assert carrier is not None
            assert (carrier.scheme, carrier.value) == ("SCT", SIDE_CODES[said[0]])
        else:
            assert carrier is None


def test_types_are_neutral_of_side_and_never_an_entire_structure():
    for label in load_labels():
        for code in (label.terminology.type, label.terminology.region):
            if code is not None and code.scheme != "99SATSEGMENT":
                words = code.meaning.lower().split()
                assert not {"left", "right", "entire"} & set(words), (label.text, code)


def test_left_and_right_have_the_same_type():
    names = by_name()
    for name, label in names.items():
        partner = name.replace("left", "right") if label.laterality == "left" else None
        if partner in names:
            assert names[partner].terminology.type == label.terminology.type
            assert names[partner].terminology.region == label.terminology.region


def test_codes_fit_into_dicom():
    for label in load_labels():
        for code in coded(label):
            assert 0 < len(code.scheme) <= 16
            assert 0 < len(code.value) <= 16, code
            assert 0 < len(code.meaning) <= 64, code
            assert code.scheme in ("SCT", "NEU", "FMA", "99SATSEGMENT")
            assert code.value.isdigit() or code.scheme == "99SATSEGMENT"


def test_snomed_codes_have_a_valid_check_digit():
    """SNOMED CT identifiers end in a Verhoeff check digit: a mistyped code would not pass."""
    for label in load_labels():
        for code in coded(label):
            if code.scheme == "SCT":
                assert verhoeff_holds(code.value), code


def verhoeff_holds(number: str) -> bool:
    check = 0
    permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    for position, character in enumerate(reversed(number)):
        digit = int(character)
        for _ in range(position % 8):
            digit = permutation[digit]
        check = dihedral(check, digit)
    return check == 0


def dihedral(a: int, b: int) -> int:
    """Product in the dihedral group of order 10."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def test_findings_are_morphology_in_a_region():
    findings = {label.text for label in load_labels() if label.is_finding}
    assert {label.text for label in load_labels() if label.abnormal} <= findings
    assert findings - {label.text for label in load_labels() if label.abnormal} == {
        "left kidney cyst",
        "right kidney cyst",
        "white matter hyperintensities",
    }
    for label in load_labels():
        if label.is_finding:
            assert label.terminology.category.value == FINDING_CATEGORY
            assert label.terminology.region is not None, label.text
    cyst = by_name()["left kidney cyst"].terminology
    assert (cyst.type.meaning, cyst.region.meaning, cyst.region_modifier.meaning) == ("Cyst", "Kidney", "Left")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("left kidney", "64033007"),
        ("liver", "10200004"),
        ("thoracic vertebrae 7 (t7)", "62487009"),
        ("left rib 5", "15339008"),
        ("right anterior superior segment of liver", "277962002"),  # Couinaud VIII
        ("left lateral superior segment of liver", "277956007"),  # Couinaud II
        ("left subclavian artery", "36765005"),  # not 29700009, which is the right one's
        ("gluteus minimus", "75297007"),  # not the medius'
        ("intervertebral disc between lumbar vertebrae 4 (l4) and lumbar vertebrae 5 (l5)", "84020006"),
        ("left heart ventricle", "21814001"),
        ("optic chiasm", "244453006"),
        ("inferior vena cava", "64131007"),
    ],
)
def test_known_codes(name, code):
    assert by_name()[name].terminology.type.value == code


def test_different_structures_have_different_codes():
    owners: dict[tuple, set[str]] = {}
    for label in load_labels():
        owners.setdefault(tuple((code.scheme, code.value) for code in coded(label)), set()).add(label.text)
    shared = {frozenset(names) for names in owners.values() if len(names) > 1}
    assert shared == {
        frozenset({"femur", "femur bone"}),
        frozenset({"thyroid", "thyroid gland"}),
        frozenset({"costal cartilage", "rib cartilage"}),
        # SAT's whole tumour and any other tumour of an organ are told apart by the region.
    }


def test_colors_are_all_different_and_stay_the_same():
    colors = {label.text: label.color for label in load_labels()}
    assert len(set(colors.values())) == len(colors)
    assert all(0 <= channel <= 255 for color in colors.values() for channel in color)
    # Slicer's own colours (SlicerGeneralAnatomy) where it has one.
    assert colors["liver"] == (221, 130, 101)
    assert colors["spleen"] == (157, 108, 162)
    assert colors["kidney"] == (185, 102, 83)


def test_no_two_names_look_the_same():
    colors = sorted({label.text: label.color for label in load_labels()}.values())
    for index, a in enumerate(colors):
        for b in colors[index + 1 :]:
            assert sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) >= 5**2


def test_left_and_right_share_a_hue():
    names = by_name()
    for name, label in names.items():
        partner = names.get(name.replace("left", "right")) if label.laterality == "left" else None
        if partner is not None and "segment of liver" not in name:
            hues = [colorsys.rgb_to_hls(*(c / 255 for c in each.color))[0] for each in (label, partner)]
            apart = abs(hues[0] - hues[1])
            assert min(apart, 1 - apart) < 0.03, name


def test_evidence_grades_follow_the_number_of_scans():
    for label in load_labels():
        expected = 3 if label.scans >= GOOD_EVIDENCE_SCANS else 2 if label.scans >= FAIR_EVIDENCE_SCANS else 1
        assert label.grade == expected
    assert find_label("ct", "covid-19 infection").grade == 1
    assert find_label("ct", "liver").grade == 3
    assert set(Counter(label.grade for label in load_labels())) == {1, 2, 3}


def test_orientation_is_ras_unless_only_another_was_trained():
    chosen = Counter(label.orientation for label in load_labels())
    assert chosen == {"RAS": 471, "ASR": 24, "IPL": 1, "native": 2}
    assert find_label("ct", "inferior alveolar nerve").orientation == "IPL"
    assert find_label("mri", "myocardial scar").orientation == "native"
    assert find_label("mri", "sacrum").orientation == "ASR"


def test_the_prompt_carries_what_the_network_was_trained_with():
    prompt = find_label("mri", "lumbar vertebrae 4 (l4)").prompt()
    assert (prompt.text, prompt.modality, prompt.orientation) == ("lumbar vertebrae 4 (l4)", "mri", "ASR")
    assert prompt.trained
    assert prompt.concept in load_tree().concepts


def test_small_structures_are_marked():
    names = by_name()
    assert all(names[name].small for name in ("optic chiasm", "left cochlea", "lung nodule", "left adrenal gland"))
    assert not any(names[name].small for name in ("liver", "left kidney", "skull", "left femur"))


def test_every_label_lists_regions_datasets_and_scans():
    for label in load_labels():
        assert all(label.regions)
        assert all(label.datasets)
        assert label.scans > 0
