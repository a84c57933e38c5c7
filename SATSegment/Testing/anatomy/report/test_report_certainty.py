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
    ("name", "least"), [("hard_sentences", 170), ("hostile_sentences", 100), ("unseen_sentences", 50)]
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
