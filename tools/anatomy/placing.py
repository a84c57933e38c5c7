"""A place in the tree for what only MeSH or only DICOM has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from admission import TAGGED, dicom_names
from naming import comparable, uncapitalized
from node import ROOT, Node, plain, side_of, turned
from sources import DicomConcept, MeshDescriptor


def add_mesh_only(
    nodes: dict[str, Node], left: Mapping[str, MeshDescriptor], descriptors: Mapping[str, MeshDescriptor]
) -> None:
    place = {node.codes["MSH"]: node.id for node in nodes.values() if "MSH" in node.codes}
    place |= {key: f"MSH:{key}" for key in left}
    by_number = {number: place[key] for key, d in descriptors.items() if key in place for number in d.tree_numbers}
    for key in sorted(left):
        descriptor = left[key]
        node = Node(f"MSH:{key}", turned(descriptor.label), "MeSH", codes={"MSH": key})
        node.synonyms = plain(descriptor.label, *descriptor.entry_terms)
        for number in descriptor.tree_numbers:
            while "." in number:
                number = number.rpartition(".")[0]
                if number in by_number and by_number[number] != node.id:
                    node.parents.setdefault(by_number[number], "")
                    break
        node.parents = node.parents or {ROOT: ""}
        node.laterality = side_of(node.name)
        nodes[node.id] = node


def add_dicom_only(nodes: dict[str, Node], left: Mapping[str, DicomConcept], groups: Mapping[int, str]) -> None:
    by_name: dict[str, str] = {}
    for node in sorted(nodes.values(), key=lambda n: (not n.default_view, n.id)):
        by_name.setdefault(comparable(node.name), node.id)
    for node in sorted(nodes.values(), key=lambda n: (not n.default_view, n.id)):
        # An embryo's structure answers to its name only, as in merge.
        for synonym in node.synonyms if node.default_view else ():
            by_name.setdefault(comparable(synonym), node.id)
    fresh = {code: _dicom_name(concept) for code, concept in left.items()}
    for code, name in fresh.items():
        by_name.setdefault(comparable(name), f"SCT:{code}")
    for code, name in fresh.items():
        identifier = f"SCT:{code}"
        called = {by_name.get(comparable(meaning), identifier) for meaning in (name, *left[code].meanings)}
        if called != {identifier}:
            # Another concept goes by one of its names already; a second code for it would be a second truth.
            continue
        node = Node(identifier, name, "DICOM", codes={"SCT": code}, laterality=side_of(name))
        node.synonyms = plain(*(m for m in dicom_names(left[code]) if not TAGGED.search(m)))
        parent = _broader(name, identifier, by_name)
        head = next((place for word, place in _HEADS.items() if word in comparable(name)), None)
        if head and (parent is None or not _same_head(comparable(name), parent, nodes, fresh)):
            parent = head
        node.parents = {parent or _group_place(left[code], groups) or ROOT: ""}
        nodes[identifier] = node
    for node in nodes.values():
        # What was hung under a code that turned out to be another concept's second one.
        node.parents = {p if p in nodes else ROOT: kind for p, kind in node.parents.items()}


# A structure of such a kind hangs under one of the same kind: skin of the temple under skin, not under the temple.
_HEADS = {
    "lymph node": "UBERON:0000029",
    "skin": "UBERON:0002097",
    "mucosa": "UBERON:0000344",
    "nail unit": "UBERON:0001705",
    "artery": "UBERON:0001637",
    "vein": "UBERON:0001638",
    "tooth": "UBERON:0001091",
    "muscle": "UBERON:0001630",
    "disc": "UBERON:0001066",
}


def _same_head(name: str, parent: str, nodes: Mapping[str, Node], fresh: Mapping[str, str]) -> bool:
    other = comparable(nodes[parent].name if parent in nodes else fresh[parent.removeprefix("SCT:")])
    return all(word in other for word in _HEADS if word in name)


def _dicom_name(concept: DicomConcept) -> str:
    names = dicom_names(concept)
    clinical = [name for name in names if not TAGGED.search(name)]
    if clinical:
        return uncapitalized(min(clinical, key=lambda n: (-len(n.split()), n)))
    bare = TAGGED.sub("", names[0])
    bare = re.sub(r"^(Bone structure of|Structure of|Region of) (the )?", "", bare)
    return uncapitalized(re.sub(r" structure$", "", bare))


def _broader(name: str, own: str, by_name: Mapping[str, str]) -> str | None:
    """The concept whose name is left when qualifiers are taken away: "left renal artery" -> "renal artery"."""
    words = comparable(name).split()
    for start in range(1, len(words)):
        found = by_name.get(" ".join(words[start:])) if words[start] not in ("of", "the", "and") else None
        if found and found != own:
            return found
        without = by_name.get(" ".join(words[: start - 1] + words[start:])) if start < 4 else None
        if without and without != own and len(words) > 2:
            return without
    if " of " in f" {' '.join(words)} ":
        whole = " ".join(words).partition(" of ")[2].removeprefix("the ")
        found = by_name.get(whole) or _broader(whole, own, by_name)
        if found and found != own:
            return found
    return None


def _group_place(concept: DicomConcept, groups: Mapping[int, str]) -> str | None:
    return next((place for group, place in groups.items() if group in concept.context_groups), None)
