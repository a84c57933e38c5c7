"""How certain a report is, what its numbers count, and findings joined to their organs."""

from __future__ import annotations

import csv
import typing
from pathlib import Path

import pytest

from SATSegmentLib.anatomy.report.reader import Certainty, read_report

DATA = Path(__file__).parents[2] / "Data"
CERTAINTIES = typing.get_args(Certainty)
NEEDED = 0.92


def graded(text: str, modality: str = "ct") -> dict[str, set[str]]:
    """Labels by certainty; certainties without a label are left out."""
    found: dict[str, set[str]] = {}
    for mention in read_report(text, modality):  # type: ignore[arg-type]
        found.setdefault(mention.certainty, set()).update(mention.labels)
    return found


def labels(text: str, modality: str = "ct") -> set[str]:
    return set().union(*graded(text, modality).values())


def is_right(found: set[str], wanted: str, optional: set[str]) -> bool:
    """As in Testing/Data/README.md: "a/b+c" is either a, or b and c; nothing behind the stroke is nothing."""
    items = [[set(way.split("+")) - {""} for way in item.split("/")] for item in wanted.split("|") if item]
    allowed = optional.union(*(way for item in items for way in item))
    return found <= allowed and all(any(way <= found for way in item) for item in items)


@pytest.mark.parametrize(
    ("name", "least"),
    [("hard_sentences", 170), ("hostile_sentences", 100), ("unseen_sentences", 50), ("first_sight_sentences", 550)],
)
def test_labels_and_certainty_are_right_in_at_least_92_percent_of_sentences(name: str, least: int) -> None:
    with (DATA / f"{name}.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    missed = []
    for row in rows:
        found = graded(row["sentence"], row["modality"])
        optional = {way for item in row["optional"].split("|") for ways in item.split("/") for way in ways.split("+")}
        if not all(is_right(found.get(one, set()), row[one], optional) for one in CERTAINTIES):
            missed.append((row["sentence"], found))
    share = 1 - len(missed) / len(rows)
    print(f"{name}: {len(rows)} sentences, labels and certainty {share:.1%}")
    assert len(rows) >= least
    assert share >= NEEDED, missed


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("Pulmonary embolism.", "present"),
        ("Pulmonary embolism (+).", "present"),
        ("No pulmonary embolism.", "absent"),
        ("Pulmonary embolism (-).", "absent"),
        ("Pulmonary embolism: (-)", "absent"),
        ("Denies a history of pulmonary embolism.", "absent"),
        ("Unlikely pulmonary embolism.", "uncertain"),
        ("Pulmonary embolism is unlikely.", "uncertain"),
        ("Pulmonary embolism improbable.", "uncertain"),
        ("Pulmonary embolism (likely).", "uncertain"),
        ("DDx: pulmonary embolism, pneumonia.", "uncertain"),
        ("Rule out: pulmonary embolism.", "uncertain"),
        ("Pneumonia or pulmonary embolism.", "uncertain"),
        ("Pulmonary embolism or pneumonia.", "uncertain"),
        ("Pulmonary embolism vs. artefact.", "uncertain"),
        ("History of pulmonary embolism.", "historical"),
        ("Old pulmonary embolism.", "historical"),
    ],
)
def test_a_finding_is_graded(text: str, certainty: str) -> None:
    assert graded(text) == {certainty: {"pulmonary embolism"}}


@pytest.mark.parametrize(
    ("text", "certainty", "label"),
    [
        ("Status post left nephrectomy.", "removed", "left kidney"),
        ("The gallbladder is surgically absent.", "removed", "gallbladder"),
        ("Status post left partial nephrectomy.", "historical", "left kidney"),
        ("Status post nephrectomy.", "historical", "kidney"),
        ("Sleeve gastrectomy.", "historical", "stomach"),
        ("Total gastrectomy.", "removed", "stomach"),
        ("Left upper lobectomy.", "removed", "left lung upper lobe"),
        ("Left oophorectomy.", "historical", "gonad"),
        ("Scheduled for left nephrectomy.", "present", "left kidney"),
        ("Absent right kidney.", "absent", "right kidney"),
    ],
)
def test_what_an_operation_took_is_removed_and_what_it_left_is_not(text: str, certainty: str, label: str) -> None:
    assert graded(text) == {certainty: {label}}


def test_a_finding_behind_a_comma_and_with_is_a_new_one() -> None:
    found = graded("No pleural effusion, with a stable lung nodule.")
    assert found == {"absent": {"lung effusion"}, "present": {"lung nodule"}}


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize(
    "form",
    [
        "Consolidation in segment {} of the left lung.",
        "Segment {} of the right upper lobe is clear.",
        "The V{} segment is occluded.",
        "Thrombus in the M{} segment.",
        "RCA segment {} is stenosed.",
        "Scar in AHA segment {}.",
        "Late enhancement of segments {}-16.",
        "Segment {} of the colon.",
    ],
)
def test_segments_of_other_organs_are_none_of_the_liver(form: str, number: int) -> None:
    assert not [label for label in labels(form.format(number)) if "of liver" in label or label == "caudate lobe"]


@pytest.mark.parametrize(
    "text",
    [
        "T3 rectal cancer.", "T1 bladder tumour.", "Stage T2.", "pT3 N1.", "T4 N2 M0 carcinoma.", "T4 is 12 pmol/l.",
        "Known C3 deficiency.", "Measured on slice L2.", "Compression of the S1 nerve root.", "L5 radiculopathy.",
        "Aneurysm of the C4 segment.", "T2 hyperintense.", "C6 dermatome.", "TSH and T3 are normal.",
    ],
)  # fmt: skip
def test_what_looks_like_a_level_is_no_vertebra(text: str) -> None:
    assert not [label for label in labels(text) if "vertebrae" in label]


@pytest.mark.parametrize("number", range(1, 13))
def test_a_rib_named_by_its_vertebra_is_the_rib(number: int) -> None:
    assert labels(f"T{number} rib fracture on the left.") == {f"left rib {number}"}
    assert labels(f"Fracture of the right T{number} rib.") == {f"right rib {number}"}


@pytest.mark.parametrize(
    ("text", "modality", "found"),
    [
        ("Simple cyst in the lower pole of the left kidney.", "ct", {"present": {"left kidney", "left kidney cyst"}}),
        ("Cysts in both kidneys.", "ct",
         {"present": {"left kidney", "right kidney", "left kidney cyst", "right kidney cyst"}}),
        ("Hypodense lesion in segment VII, suspicious for metastasis.", "ct",
         {"present": {"right posterior superior segment of liver"}, "uncertain": {"liver tumor"}}),
        ("Mass in the pancreas.", "ct", {"present": {"pancreas", "pancreas tumor"}}),
        ("Mass in the pancreas, concerning for adenocarcinoma.", "ct",
         {"present": {"pancreas"}, "uncertain": {"pancreas tumor"}}),
        ("No mass in the pancreas.", "ct", {"present": {"pancreas"}, "absent": {"pancreas tumor"}}),
        ("Mass in the left frontal lobe.", "mri", {"present": {"frontal lobe", "brain tumor"}}),
        ("Mass in the spleen.", "ct", {"present": {"spleen"}}),
    ],
)  # fmt: skip
def test_findings_join_what_they_are_found_in(text: str, modality: str, found: dict[str, set[str]]) -> None:
    assert graded(text, modality) == found


@pytest.mark.parametrize(
    "text",
    ["Chest radiograph, PA and lateral.", "Reviewed by the RA.", "The spermatic cord.", "Lung-RADS 2.",
     "Right atrial appendage thrombus."],
)  # fmt: skip
def test_shorthand_is_no_anatomy(text: str) -> None:
    assert labels(text) <= {"right heart atrium"}


@pytest.mark.parametrize("unit", ["mm", "cm", "ml", "years", "months", "%", "HU", "x 3 cm"])
@pytest.mark.parametrize(
    ("form", "label"),
    [
        ("Abscess in hepatic segment 4b, 5 {}.", "left medial segment of liver"),
        ("Fracture of left rib 4, 5 {}.", "left rib 4"),
        ("Fracture of L3, 4 {}.", "lumbar vertebrae 3 (l3)"),
    ],
)
def test_a_measure_behind_a_number_goes_on_with_no_list(form: str, label: str, unit: str) -> None:
    assert labels(form.format(unit)) - {"liver"} == {label}


@pytest.mark.parametrize("noun", ["abscess", "hematoma", "muscle tear", "lipoma", "muscle injury"])
@pytest.mark.parametrize("side", ["on the left", "(left)", "on the left in 2019"])
def test_nouns_may_stand_between_a_structure_and_its_side(noun: str, side: str) -> None:
    assert labels(f"Iliopsoas {noun} {side}.") == {"left iliopsoas"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Right lower lobe lobectomy.", {"removed": {"right lung lower lobe"}}),
        ("Distal pancreatectomy and splenectomy.", {"historical": {"pancreas"}, "removed": {"spleen"}}),
        ("Total gastrectomy and partial nephrectomy.", {"removed": {"stomach"}, "historical": {"kidney"}}),
        ("Nephrectomy on the left for RCC.", {"removed": {"left kidney"}, "historical": {"kidney tumor"}}),
        ("Gallbladder: s/p cholecystectomy.", {"removed": {"gallbladder"}}),
        ("Absence of the right kidney, congenital.", {"absent": {"right kidney"}}),
        ("Absence of the spleen and the left kidney.", {"absent": {"spleen", "left kidney"}}),
    ],
)
def test_what_an_operation_or_an_absence_is_of(text: str, expected: dict[str, set[str]]) -> None:
    assert graded(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tumor of the pancreas.", {"present": {"pancreas tumor", "pancreas"}}),
        ("Hyperdense cyst of the right kidney.", {"present": {"right kidney cyst", "right kidney"}}),
        ("No tumor of the pancreas.", {"absent": {"pancreas tumor"}, "present": {"pancreas"}}),
        ("Possible tumor of the pancreas.", {"uncertain": {"pancreas tumor"}, "present": {"pancreas"}}),
    ],
)
def test_a_finding_of_an_organ_is_both_and_denies_only_itself(text: str, expected: dict[str, set[str]]) -> None:
    assert graded(text) == expected


def test_a_finding_has_its_own_side_where_the_heading_names_both() -> None:
    found = labels("Kidneys: 1.2 cm cyst on the right.")
    assert "right kidney cyst" in found
    assert "left kidney cyst" not in found


@pytest.mark.parametrize(
    "text", ["Mass effect on the left lateral ventricle.", "No mass effect.", "Cervical rib.", "Atrial fibrillation."]
)
@pytest.mark.parametrize("modality", ["ct", "mri"])
def test_words_that_hold_a_name_and_mean_something_else_are_no_finding(text: str, modality: str) -> None:
    assert not labels(text, modality) & {"brain tumor", "rib", "heart atrium"}


@pytest.mark.parametrize("between", ["", "right ", "right parietal ", "small left "])
def test_old_reaches_over_the_place_of_a_finding(between: str) -> None:
    assert "stroke" in graded(f"Old {between}stroke.", "mri")["historical"]


def test_both_lobes_of_the_liver_are_two_of_its_three() -> None:
    found = labels("Cysts in both lobes of the liver.")
    assert found == {"left lobe of liver", "right lobe of liver"}


def test_a_part_without_a_side_gives_way_to_the_whole_on_its_side() -> None:
    assert labels("Glenoid fracture of the right scapula.") == {"right scapula"}
