"""The 498 labels SAT was trained on: the exact strings the network knows, and what is known about each.

Facts about the training (`Resources/Anatomy/sat_labels.csv`) are joined with the checked terminology row of each name
(`Resources/Anatomy/sat_names.tsv`); both are described in Docs/anatomy.md.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import ORIENTATIONS, Modality, Orientation, Prompt

LABELS_FILE = "Anatomy/sat_labels.csv"
NAMES_FILE = "Anatomy/sat_names.tsv"

# Number of annotated training scans from which on the evidence for a label counts as 2 (fair) and 3 (good).
# 61 and 601 are where the released lists thin out: 149 labels have 60 scans or fewer, 173 have up to 600.
FAIR_EVIDENCE_SCANS = 61
GOOD_EVIDENCE_SCANS = 601

# SNOMED CT, as DICOM calls it: "Morphologically Altered Structure".
FINDING_CATEGORY = "49755003"


@dataclass(frozen=True, slots=True)
class CodedConcept:
    """A code as DICOM writes it: coding scheme designator, code value, code meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Terminology:
    """What a segment is, in the terms of DICOM segmentations and Slicer's terminologies.

    A structure has its laterality-neutral code as `type`, and "Left" or "Right" as `type_modifier`.
    A finding has its morphology as `type`, and the organ it sits in as `region`, with the side as `region_modifier`.
    """

    category: CodedConcept
    type: CodedConcept
    type_modifier: CodedConcept | None = None
    region: CodedConcept | None = None
    region_modifier: CodedConcept | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """One (modality, name) pair that SAT was trained on.

    Attributes
    ----------
    modality : Modality
        "ct", "mri" or "pet".
    text : str
        The exact string used in training; the network is sensitive to it.
    regions : tuple[str, ...]
        Body regions SAT's authors list it under ("abdomen", "head and neck", ...).
    abnormal : bool
        Whether SAT's authors list it among the lesions; see `is_finding`.
    scans : int
        Annotated training scans in the released lists.
    datasets : tuple[str, ...]
        Names of the training datasets that hold it.
    orientations_seen : tuple[Orientation, ...]
        Axis orders it was trained in.
    concept : str
        Id of its concept in the knowledge tree.
    laterality : Literal['left', 'right', '']
        "left", "right", or "" where the label is not one side's.
    grade : Literal[1, 2, 3]
        Evidence from the number of scans: 3 good (601 or more), 2 fair (61 to 600), 1 weak (60 or fewer).
    small : bool
        Whether the structure is thin or small against the network's slice distance of 3 mm.
    terminology : Terminology
        Slicer/DICOM codes.
    color : tuple[int, int, int]
        Red, green, blue, 0..255; the same for all modalities of a name.
    """

    modality: Modality
    text: str
    regions: tuple[str, ...]
    abnormal: bool
    scans: int
    datasets: tuple[str, ...]
    orientations_seen: tuple[Orientation, ...]
    concept: str
    laterality: Literal["left", "right", ""]
    grade: Literal[1, 2, 3]
    small: bool
    terminology: Terminology
    color: tuple[int, int, int]

    @property
    def orientation(self) -> Orientation:
        """The axis order to run the label in: RAS where that was trained, else what was."""
        return next(axes for axes in ORIENTATIONS if axes in self.orientations_seen)

    @property
    def is_finding(self) -> bool:
        """Whether it is a lesion or another abnormality rather than normal anatomy.

        Wider than `abnormal`: SAT's list leaves out left and right kidney cyst and white matter hyperintensities.
        """
        return self.terminology.category.value == FINDING_CATEGORY

    def prompt(self) -> Prompt:
        """The prompt that asks for this label."""
        return Prompt(self.text, self.modality, self.orientation, self.concept, trained=True)


@dataclass(frozen=True, slots=True)
class _Name:
    """A row of the names' table."""

    concept: str
    laterality: Literal["left", "right", ""]
    small: bool
    terminology: Terminology
    color: tuple[int, int, int]


@cache
def load_labels() -> tuple[Label, ...]:
    """All labels in the order of the vocabulary's table (by modality, then name); read once and kept."""
    names = _load_names()
    with resource_path(LABELS_FILE).open(encoding="utf-8", newline="") as stream:
        return tuple(_label(row, names[row["label"]]) for row in csv.DictReader(stream))


def find_label(modality: str, text: str) -> Label | None:
    """The label with this exact trained string, whatever its letters' case, or None."""
    return _by_key().get((modality.lower(), text.lower()))


def label_of(prompt: Prompt) -> Label | None:
    """The label that a prompt asks for, whether or not the model is known to have been trained on it.

    None for free text and taught words, which have no concept of the tree.
    """
    return find_label(prompt.modality, prompt.text) if prompt.trained or prompt.concept else None


@cache
def _by_key() -> dict[tuple[str, str], Label]:
    return {(label.modality, label.text.lower()): label for label in load_labels()}


def _label(row: dict[str, str], name: _Name) -> Label:
    scans = int(row["n_annotated_scans"])
    return Label(
        modality=cast(Modality, row["modality"]),
        text=row["label"],
        regions=tuple(row["regions"].split("|")),
        abnormal=row["abnormal"] == "1",
        scans=scans,
        datasets=tuple(row["datasets"].split("|")),
        orientations_seen=tuple(cast(Orientation, axes) for axes in row["orientations_seen"].split("|")),
        concept=name.concept,
        laterality=name.laterality,
        grade=3 if scans >= GOOD_EVIDENCE_SCANS else 2 if scans >= FAIR_EVIDENCE_SCANS else 1,
        small=name.small,
        terminology=name.terminology,
        color=name.color,
    )


def _load_names() -> dict[str, _Name]:
    with resource_path(NAMES_FILE).open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t")
        return {row["name"]: _name(row) for row in rows}


def _name(row: dict[str, str]) -> _Name:
    red, green, blue = map(int, row["color"].split(","))
    category, kind = _coded(row["category"]), _coded(row["type"])
    assert category is not None
    assert kind is not None
    return _Name(
        concept=row["concept"],
        laterality=cast(Literal["left", "right", ""], row["laterality"]),
        small=row["small"] == "1",
        terminology=Terminology(
            category, kind, _coded(row["type_modifier"]), _coded(row["region"]), _coded(row["region_modifier"])
        ),
        color=(red, green, blue),
    )


def _coded(text: str) -> CodedConcept | None:
    """A code column: scheme^value^meaning, as DICOM tools print it, or empty."""
    return CodedConcept(*text.split("^", 2)) if text else None
