"""Labels that follow from others: left and right make the whole, and an organ includes its tumour.

A target is the union of some given labels, so merging costs nothing until masks are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from SATSegmentLib.anatomy import load_labels
from SATSegmentLib.learning.sides import other_side, without_side
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import Modality

# Trained labels that are the union of a composite's parts; the parts are read from Anatomy/composites.json.
# Left out are composites that only come near their name, and wholes with more to them than the parts (larynx).
_WHOLE_OF_COMPOSITE: dict[Modality, dict[str, str]] = {
    "ct": {
        "cervical vertebrae": "cervical spine",
        "thoracic vertebrae": "thoracic spine",
        "lumbar vertebrae": "lumbar spine",
        "vertebrae": "spine",
        "{side} rib": "ribs",
        "left lung": "left lung lobes",
        "right lung": "right lung lobes",
        "liver": "liver segments",
        "{side} eyeball": "eye segments",
    },
    "mri": {
        "lumbar vertebrae": "lumbar spine",
        "lateral ventricle": "lateral ventricles",
        "hippocampus": "hippocampal subregions",
        "prostate": "prostate zones",
        "brain tumor": "brain tumor parts",
    },
    "pet": {},
}
# Not everybody has it, so a whole does without; where it was annotated it belongs to the whole.
_OPTIONAL_PARTS = {"lumbar vertebrae 6 (l6)": ("lumbar vertebrae", "vertebrae")}
# In label maps, which hold one value per voxel, a tumour is cut out of its organ; SAT's organs include it.
_INCLUDED: dict[Modality, dict[str, tuple[str, ...]]] = {
    "ct": {
        "kidney": ("kidney tumor", "kidney cyst"),
        "left kidney": ("left kidney cyst",),
        "right kidney": ("right kidney cyst",),
        "liver": ("liver tumor",),
        "pancreas": ("pancreas tumor",),
        "colon": ("colon cancer",),
        "lung": ("lung tumor", "lung nodule"),
    },
    "mri": {
        "liver": ("liver tumor",),
        "myocardium": ("myocardial scar", "myocardial edema"),
    },
    "pet": {},
}
_DISC = re.compile(r"intervertebral disc between ")


@dataclass(frozen=True)
class MergeRule:
    """A label that others make up.

    Attributes
    ----------
    whole : str
        Its name.
    parts : tuple[str, ...]
        All of these together are the whole; it is made only where every one of them was annotated.
    optional : tuple[str, ...]
        Belong to the whole where they were annotated.
    includes_only : bool
        The parts belong to the whole but do not make it up (a tumour and its organ): the whole must have
        been annotated itself, and each annotated part is added to it.
    """

    whole: str
    parts: tuple[str, ...]
    optional: tuple[str, ...] = ()
    includes_only: bool = False


def merge(given: Iterable[str], rules: Sequence[MergeRule]) -> dict[str, tuple[str, ...]]:
    """What each label of a scan is made of: the given ones, and those that follow from them by the rules.

    A given label is never made from parts; it only gains what a rule says it includes.

    Returns
    -------
    dict[str, tuple[str, ...]]
        name -> sorted given labels whose union it is; the given names first, in their order.
    """
    made_of: dict[str, frozenset[str]] = {name: frozenset((name,)) for name in given}
    own = frozenset(made_of)
    grown = True
    while grown:  # a whole may be a part of the next
        grown = False
        for rule in rules:
            if not rule.includes_only and rule.whole not in made_of and all(part in made_of for part in rule.parts):
                parts = [part for part in (*rule.parts, *rule.optional) if part in made_of]
                made_of[rule.whole] = frozenset().union(*(made_of[part] for part in parts))
                grown = True
    for rule in rules:
        if rule.includes_only and rule.whole in made_of:
            made_of[rule.whole] |= {part for part in rule.parts if part in own}
    return {name: tuple(sorted(parts)) for name, parts in made_of.items()}


def contradictions(found: Mapping[str, bool], rules: Sequence[MergeRule]) -> list[str]:
    """Wholes that were annotated as absent while one of their parts is there.

    Parameters
    ----------
    found : Mapping[str, bool]
        For each given label, whether its mask has any voxel.
    """
    return [
        f'"{rule.whole}" has no voxel, but "{part}", which belongs to it, has'
        for rule in rules
        if not rule.includes_only and found.get(rule.whole) is False
        for part in rule.parts
        if found.get(part)
    ]


@cache
def built_in_rules(modality: Modality) -> tuple[MergeRule, ...]:
    """The rules that follow from SAT's vocabulary; all names are trained labels of the modality.

    Left and right of a name make the name without a side; numbered ribs, vertebrae, discs, lobes and segments make
    what they are counted in (from Anatomy/composites.json); an organ includes its lesions.
    """
    names = {label.text for label in load_labels() if label.modality == modality}
    rules = [*_sides(names), *_composites(modality), *_discs(names)]
    rules += [MergeRule(whole, parts, includes_only=True) for whole, parts in _INCLUDED[modality].items()]
    for rule in rules:
        unknown = {rule.whole, *rule.parts, *rule.optional} - names
        if unknown:
            raise ValueError(f"merging {rule.whole} ({modality}) names unknown labels: {sorted(unknown)}")
    return tuple(rules)


def _sides(names: set[str]) -> list[MergeRule]:
    rules = []
    for left in sorted(name for name in names if "left" in name.split()):
        right, whole = other_side(left), without_side(left)
        if right in names and whole in names:
            rules.append(MergeRule(whole, (left, right)))
    return rules


def _composites(modality: Modality) -> list[MergeRule]:
    content = json.loads(resource_path("Anatomy/composites.json").read_text(encoding="utf-8"))
    parts_of = {entry["name"]: entry.get(modality, []) for entry in content["composites"]}
    rules = []
    for whole, composite in _WHOLE_OF_COMPOSITE[modality].items():
        sides = ("left", "right") if "{side}" in whole else ("",)
        for side in sides:
            parts = tuple(_with_sides(parts_of[composite], side))
            optional = tuple(part for part, wholes in _OPTIONAL_PARTS.items() if whole in wholes and modality == "ct")
            rules.append(MergeRule(whole.format(side=side), parts, optional))
    return rules


def _with_sides(parts: list[str], side: str) -> list[str]:
    sides = (side,) if side else ("left", "right")
    return [part.format(side=one) for part in parts for one in (sides if "{side}" in part else ("",))]


def _discs(names: set[str]) -> list[MergeRule]:
    discs = tuple(sorted(name for name in names if _DISC.match(name)))
    return [MergeRule("intervertebral discs", discs)] if discs else []
