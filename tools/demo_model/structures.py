"""The structures the demonstration model learns: SAT's names, and the SAMSEG labels each is made of."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.resources import resource_path

# FreeSurfer's label numbers: what lies left has a partner on the right.
_LEFT_RIGHT = (
    (2, 41), (3, 42), (4, 43), (5, 44), (7, 46), (8, 47), (10, 49), (11, 50), (12, 51), (13, 52),
    (17, 53), (18, 54), (26, 58), (28, 60), (30, 62), (31, 63),
)  # fmt: skip


@dataclass(frozen=True)
class Structure:
    """One trained name and the SAMSEG labels whose union it is."""

    name: str
    labels: tuple[int, ...]
    offered: bool


def structures() -> list[Structure]:
    """All structures, in the order of the table."""
    with resource_path("Demo/structures.tsv").open(encoding="utf-8") as table:
        return [
            Structure(row["name"], tuple(map(int, row["samseg_labels"].split(","))), row["offered"] == "1")
            for row in csv.DictReader(table, delimiter="\t")
        ]


def membership(labels: np.ndarray) -> np.ndarray:
    """(structures, labels) bool: whether a structure contains a label; `labels` are SAMSEG's numbers."""
    return np.array([np.isin(labels, structure.labels) for structure in structures()])


def mirrored(label: int) -> int:
    """The label of the same structure on the other side; a midline label stays what it is."""
    for left, right in _LEFT_RIGHT:
        if label == left:
            return right
        if label == right:
            return left
    return label
