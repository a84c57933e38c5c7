"""What the plausibility flags know of anatomy: who holds whom, what cannot overlap, sizes, sides, Hounsfield units.

The knowledge tree says what belongs to what; `Resources/Quality` says the rest, with its sources.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from SATSegmentLib.anatomy.vocabulary.labels import find_label, load_labels
from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import MODALITIES, Prompt

RANGES_FILE = "Quality/volume_ranges.tsv"
ANATOMY_FILE = "Quality/anatomy.json"
POSITIONS_FILE = "Quality/positions.tsv"

_VERTEBRA = re.compile(r"(cervical|thoracic|lumbar|sacral) vertebrae (\d+) \(")
# How many levels lie above the first of each part of the spine; a sixth lumbar vertebra has a place of its own.
_ABOVE = {"cervical": 0, "thoracic": 7, "lumbar": 19, "sacral": 25}
_LEVEL = re.compile(r"(vertebrae \d+ \(|intervertebral disc between|rib \d+$)")


@dataclass(frozen=True)
class VolumeRange:
    """Volumes that adults have, in millilitres, and who says so."""

    low_ml: float
    high_ml: float
    reported: str
    source: str


@dataclass(frozen=True)
class HounsfieldRule:
    """In CT at most this share of a structure's voxels lies outside of low..high HU."""

    tissue: str
    low: float
    high: float
    share: float


@dataclass(frozen=True)
class PositionRule:
    """Where the first structure's centre lies from the second's: "in front of", "behind", "above" or "below"."""

    first: str
    lies: str
    second: str
    source: str


def base_name(text: str) -> str:
    """A label's name without its side."""
    return re.sub(r"\b(left|right) ", "", text)


def side_of(text: str) -> str:
    """ "left", "right" or "", by the label's name."""
    found = re.search(r"\b(left|right) ", text)
    return found.group(1) if found else ""


def other_side(text: str) -> str:
    """The same structure of the other side; empty where the name has no side."""
    side = side_of(text)
    return re.sub(rf"\b{side} ", "right " if side == "left" else "left ", text, count=1) if side else ""


@cache
def holders(text: str) -> frozenset[str]:
    """Labels whose concepts lie above this label's in the knowledge tree, by any kind of link."""
    concept = _concept(text)
    if not concept:
        return frozenset()
    return frozenset(name for one in load_tree().ancestors(concept) for name in _by_concept().get(one.id, ())) - {text}


@cache
def containers(text: str) -> frozenset[str]:
    """Labels inside of whose masks this label's mask must lie."""
    rules = _anatomy()["not_inside"]
    base = base_name(text)
    if base in rules["children"]:
        return frozenset()
    barred = {parent for child, parent in rules["pairs"] if child == base}
    return frozenset(
        one for one in holders(text) if base_name(one) not in barred and base_name(one) not in rules["parents"]
    )


def is_finding(prompt: Prompt) -> bool:
    """Whether the label is a lesion, which may grow past the border of what it arose in."""
    label = find_label(prompt.modality, prompt.text)
    return label is not None and label.is_finding


# Neighbours share voxels along their common border; more of the smaller one is no border.
_BORDER_SHARE = 0.15


@cache
def most_shared(one: str, other: str) -> float | None:
    """Which share of the smaller of two structures may also belong to the other; None where any may."""
    if _same_concept(one, other) or one in holders(other) or other in holders(one):
        return None
    if other_side(one) == other:
        return _BORDER_SHARE
    first, second = base_name(one), base_name(other)
    if first == second:
        return None
    if _levels(first, second) or _share_list(first, second):
        return _BORDER_SHARE
    rules = _anatomy()["mostly_exclusive"]
    across = (first in rules["these"] and second in rules["those"]) or (
        first in rules["those"] and second in rules["these"]
    )
    # A sheet as thin as the cortex shares much of itself with its neighbour in any segmentation.
    if across or (first in rules["tissue"] and second in rules["tissue"]):
        return float(rules["share"])
    return None


def same_structure(one: str, other: str) -> bool:
    """Whether two labels mean one structure."""
    return _same_concept(one, other)


@cache
def volume_range(text: str) -> VolumeRange | None:
    """The volumes that adults have; None where there is no source."""
    return _ranges().get(text)


@cache
def hounsfield_rule(text: str) -> HounsfieldRule | None:
    """What the structure's tissue is like in CT; of its own, or of the nearest structure that holds it."""
    for name in (text, *_nearest_holders(text)):
        for tissue, rule in _anatomy()["hounsfield"].items():
            if isinstance(rule, dict) and base_name(name) in rule["names"]:
                return HounsfieldRule(tissue, rule["low"], rule["high"], rule["share"])
    return None


@cache
def most_pieces(text: str) -> int | None:
    """How many connected pieces the structure may have; None where any number is usual."""
    rules, base = _anatomy()["single"], base_name(text)
    if _LEVEL.search(base) and "disc" not in base:
        return 1 if side_of(text) or base.startswith(("cervical", "thoracic", "lumbar")) else 2
    if base not in rules["names"]:
        return None
    return 2 if not side_of(text) and base in rules["two_without_side"] else 1


@cache
def expected_side(text: str) -> str:
    """The side of the body's midline on which the structure's centre lies: "left", "right" or "" """
    rules, base = _anatomy()["sides"], base_name(text)
    if any(one in base for one in rules["across"]):
        return ""
    return side_of(text) or ("right" if base in rules["right"] else "left" if base in rules["left"] else "")


@cache
def position_rules() -> tuple[PositionRule, ...]:
    """What lies where from what, by names without a side."""
    return tuple(PositionRule(row["first"], row["lies"], row["second"], row["source"]) for row in _rows(POSITIONS_FILE))


@cache
def level_of(text: str) -> float | None:
    """The place of a numbered vertebra, or of a disc between two, counted from the first of the neck downwards."""
    found = _VERTEBRA.search(text)
    if found is None or not text.startswith((found.group(0), "intervertebral disc between")):
        return None
    return _ABOVE[found.group(1)] + int(found.group(2)) + (0.5 if text.startswith("intervertebral") else 0.0)


@cache
def body_part(text: str) -> str:
    """ "head", "trunk", or "" where the structure may lie in either, or in a limb."""
    names = {base_name(text), *(base_name(one) for one in holders(text))}
    rules = _anatomy()["region"]
    if names & set(rules["head"]):
        return "head"
    return "trunk" if names & set(rules["trunk"]) else ""


def head_most_mm() -> float:
    """Width of the widest adult head, ears included."""
    return float(_anatomy()["region"]["head_most_mm"])


def trunk_least_mm() -> float:
    """Width of the narrowest adult trunk."""
    return float(_anatomy()["region"]["trunk_least_mm"])


def largest_ratio_of_sides() -> float:
    """How many times as large as the other one a side may be."""
    return float(_anatomy()["sides"]["largest_ratio"])


@cache
def _anatomy() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resource_path(ANATOMY_FILE).read_text(encoding="utf-8"))
    return content


@cache
def _ranges() -> dict[str, VolumeRange]:
    return {
        row["name"]: VolumeRange(float(row["low_ml"]), float(row["high_ml"]), row["reported"], row["source"])
        for row in _rows(RANGES_FILE)
    }


def _rows(name: str) -> list[dict[str, str]]:
    """Of a table in the resources, less its comments."""
    with resource_path(name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t"))


@cache
def _concept(text: str) -> str:
    label = next((label for one in MODALITIES if (label := find_label(one, text)) is not None), None)
    return label.concept if label is not None and label.concept in load_tree().concepts else ""


@cache
def _by_concept() -> dict[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    for label in load_labels():
        names.setdefault(label.concept, set()).add(label.text)
    return {concept: frozenset(texts) for concept, texts in names.items()}


def _same_concept(one: str, other: str) -> bool:
    return bool(_concept(one)) and _concept(one) == _concept(other)


def _nearest_holders(text: str) -> list[str]:
    concept = _concept(text)
    if not concept:
        return []
    return [name for one in load_tree().ancestors(concept) for name in sorted(_by_concept().get(one.id, ()))]


def _levels(first: str, second: str) -> bool:
    """Whether both are numbered levels: vertebrae, discs, ribs. No two of them share anything."""
    return bool(_LEVEL.search(first) and _LEVEL.search(second))


def _share_list(first: str, second: str) -> bool:
    lists = (names for names in _anatomy()["exclusive"].values() if isinstance(names, list))
    return any(first in names and second in names for names in lists)
