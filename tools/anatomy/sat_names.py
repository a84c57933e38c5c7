"""SAT's names: their place in the tree, their codes and their colours, from the hand-made table names.tsv."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import colors
from node import FINDING, ROOT, Node
from sources import DicomConcept, SlicerEntry, UberonTerm

PRIVATE_SCHEME = "99SATSEGMENT"
_CATEGORIES = {
    "A": ("SCT", "123037004", "Anatomical Structure"),
    "T": ("SCT", "85756007", "Tissue"),
    "M": ("SCT", "49755003", "Morphologically Altered Structure"),
}
_SIDES = {"left": ("SCT", "7771000", "Left"), "right": ("SCT", "24028007", "Right")}

Code = tuple[str, str, str]
Row = dict[str, str]


class Codebook:
    """Codes that may be used, their meanings, and Slicer's colours for them."""

    def __init__(
        self, dicom: Mapping[str, DicomConcept], slicer: Iterable[SlicerEntry], totalsegmentator: Iterable[Row]
    ) -> None:
        self._meanings: dict[tuple[str, str], str] = {}
        self._colors: dict[tuple[str, str], colors.Rgb] = {}
        for entry in slicer:
            self._meanings.setdefault(entry.type[:2], entry.type[2])
            if entry.rgb:
                self._colors.setdefault(entry.type[:2], entry.rgb)
        for row in totalsegmentator:
            for part in ("SegmentedPropertyType", "AnatomicRegion"):
                scheme, value, meaning = (
                    (
                        row[f"{part}{kind}"]
                        for kind in (
                            "CodeSequence.CodingSchemeDesignator",
                            "CodeSequence.CodeValue",
                            "CodeSequence.CodeMeaning",
                        )
                        if f"{part}{kind}" in row
                    )
                    if f"{part}CodeSequence.CodeValue" in row
                    else ("", "", "")
                )
                if value:
                    self._meanings.setdefault((scheme, value), meaning)
        for code, concept in dicom.items():
            plain = sorted((m for m in concept.meanings if "(" not in m), key=lambda m: (len(m), m))
            self._meanings.setdefault(("SCT", code), plain[0] if plain else "")
        # The two codes of DICOM's that are not SNOMED CT's, printed in its context groups 7702 and 7153.
        self._meanings[("NEU", "1320")] = "Corticospinal tract"
        self._meanings[("FMA", "223151")] = "Subcortical gray matter"

    def code(self, text: str, name: str) -> Code:
        """The code that the table means.

        Raises
        ------
        ValueError: none of the sources has it, or it has no meaning without "(body structure)".
        """
        spec, _, meaning = text.partition("|")
        scheme, colon, value = spec.partition(":")
        if not colon:
            scheme, value = "SCT", spec
        if scheme == "P":
            return PRIVATE_SCHEME, value, meaning or name[0].upper() + name[1:]
        if (scheme, value) not in self._meanings:
            raise ValueError(f"{name}: {spec} is in none of the sources")
        meaning = meaning or self._meanings[scheme, value]
        if not meaning or re.search(r"\b(entire|left|right)\b", meaning, re.I):
            raise ValueError(f"{name}: {spec} means {meaning!r}")
        return scheme, value, meaning

    def color(self, code: Code) -> colors.Rgb | None:
        """Slicer's colour for a type."""
        return self._colors.get(code[:2])


def read_curated(path: Path) -> dict[str, Row]:
    """The hand-made table by its first column."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader((line for line in stream if not line.startswith("#")), delimiter="\t")
        return {row["base"]: row for row in rows}


def read_labels(path: Path) -> list[str]:
    """SAT's distinct names, sorted."""
    with path.open(encoding="utf-8", newline="") as stream:
        return sorted({row["label"] for row in csv.DictReader(stream)})


def wanted(curated: Mapping[str, Row], uberon: Mapping[str, UberonTerm]) -> set[str]:
    """Uberon terms that must be in the tree: those the table names, and their left and right ones."""
    named = {i for row in curated.values() for i in re.findall(r"UBERON:\d+", row["concept"])}
    missing = named - set(uberon)
    if missing:
        raise ValueError(f"not in this Uberon: {sorted(missing)}")
    # "left lung", "upper lobe of left lung"; not "liver left medial lobe", which people do not have.
    sided = {k for k, t in uberon.items() if re.search(r"(^|\bof )(left|right) ", t.label) and named & set(t.parents)}
    sided = {k for k in sided if "vena cava" not in uberon[k].label}
    return named | sided


def attach(names: Iterable[str], curated: Mapping[str, Row], nodes: dict[str, Node], book: Codebook) -> list[Row]:
    """Give every name its concept, making those that no source has, its codes and its colour."""
    nodes[FINDING] = Node(FINDING, "abnormal finding", "SAT", parents={ROOT: ""})
    nodes[FINDING].definition = "A lesion or another change that disease makes, as far as SAT was trained on it."
    names = list(names)
    rows = []
    for name in names:
        side = _side(name)
        base = _without_side(name)
        entry = curated.get(name) or curated[base]
        concept = _concept(name, side, entry, nodes)
        rows.append(_row(name, side, entry, concept, book))
    painted = colors.paint(
        [(row["name"], _without_side(row["name"]), row["laterality"], _own_color(row, book)) for row in rows]
    )
    for row in rows:
        row["color"] = ",".join(map(str, painted[row["name"]]))
    return rows


def _row(name: str, side: str, entry: Row, concept: str, book: Codebook) -> Row:
    kind = book.code(entry["type"], entry["base"])
    region = book.code(entry["region"], entry["base"]) if entry["region"] else None
    finding = entry["category"] == "M"
    modifier = _SIDES.get(side)
    return {
        "name": name,
        "concept": concept,
        "laterality": side,
        "small": "1" if entry["small"] else "0",
        "category": "^".join(_CATEGORIES[entry["category"]]),
        "type": "^".join(kind),
        "type_modifier": "^".join(modifier) if modifier and not finding else "",
        "region": "^".join(region) if region else "",
        "region_modifier": "^".join(modifier) if modifier and finding else "",
        "color": "",
    }


def _own_color(row: Row, book: Codebook) -> colors.Rgb | None:
    scheme, value, meaning = row["type"].split("^")
    if row["region"]:
        return None
    return book.color((scheme, value, meaning)) or book.color(_kind(meaning))


def _kind(meaning: str) -> Code:
    """The general type whose colour a vessel takes when it has none of its own; any code where there is none."""
    if re.search(r"\b(artery|trunk|aorta)\b", meaning, re.I):
        return "SCT", "51114001", "Artery"
    if re.search(r"\b(vein|vena)\b", meaning, re.I):
        return "SCT", "29092000", "Vein"
    return "", "", ""


def _concept(name: str, side: str, entry: Row, nodes: dict[str, Node]) -> str:
    """The id of a name's concept, made where it is not there yet."""
    if entry["base"] == name:
        concept = _base_concept(entry, nodes)
    else:
        base = _base_concept(entry, nodes)
        if not nodes[base].laterality:
            nodes[base].laterality = "p"
        concept = _sided(base, side, entry["base"], nodes)
    _call(nodes[concept], name)
    return concept


def _base_concept(entry: Row, nodes: dict[str, Node]) -> str:
    text = entry["concept"]
    if not text.startswith("+"):
        identifier, replaced, parents = text.partition("<")
        if replaced:
            nodes[identifier].parents = _parents(parents)
        if entry["definition"]:
            nodes[identifier].definition = entry["definition"]
        if entry["category"] == "M":
            nodes[identifier].parents[FINDING] = "i"
        return identifier
    identifier = f"SAT:{_slug(entry['base'])}"
    if identifier not in nodes:
        node = Node(identifier, entry["base"], "SAT", definition=entry["definition"], parents=_parents(text[1:]))
        node.laterality = _side(entry["base"])[:1]
        nodes[identifier] = node
    return identifier


def _sided(base: str, side: str, base_name: str, nodes: dict[str, Node]) -> str:
    """The left or right one of a paired structure: the source's own, else one of SAT's."""
    if side == "":
        return base
    names = {_folded(n) for n in (nodes[base].name, *nodes[base].synonyms, base_name)}
    for node in nodes.values():
        if node.source in ("UBERON", "DICOM") and node.laterality == side[0] and base in node.parents:
            own = {_folded(_without_side(n)) for n in (node.name, *node.synonyms) if _side(n) == side}
            if own & names:
                return node.id
    identifier = f"SAT:{side}_{_slug(base_name)}"
    if identifier not in nodes:
        node = Node(identifier, f"{side} {nodes[base].name}", "SAT", parents={base: "i"}, laterality=side[0])
        definition = nodes[base].definition
        node.definition = f"The {nodes[base].name} on the {side} side of the body." if definition else ""
        nodes[identifier] = node
    return identifier


def _parents(text: str) -> dict[str, str]:
    parents = {}
    for part in text.split("|"):
        head, arrow, tail = part.partition(">")
        parents[tail if arrow else head] = head if arrow else ""
    return parents


def _call(node: Node, name: str) -> None:
    if name != node.name and name not in node.synonyms:
        node.synonyms = sorted([*node.synonyms, name], key=lambda s: (s.casefold(), s))


def _side(name: str) -> str:
    sides = [side for side in ("left", "right") if side in name.lower().split()]
    return sides[0] if len(sides) == 1 else ""


def _without_side(name: str) -> str:
    return " ".join(word for word in name.split() if word.lower() not in ("left", "right"))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _folded(name: str) -> str:
    return re.sub(r"\b(of|the|heart|cardiac)\b", "", name.lower()).replace("  ", " ").strip()
