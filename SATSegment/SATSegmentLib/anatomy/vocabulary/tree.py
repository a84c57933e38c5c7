"""The knowledge tree: what the structures of the human body are called, and where they belong.

The table (`Resources/Anatomy/concepts.tsv.gz`) is made by `tools/anatomy/build.py`; its columns, sources and
licences are described in Docs/anatomy.md.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

from SATSegmentLib.resources import resource_path

Relation = Literal["is-a", "part-of", ""]
Laterality = Literal["", "left", "right", "paired"]

CONCEPTS_FILE = "Anatomy/concepts.tsv.gz"
_RELATIONS: dict[str, Relation] = {"i": "is-a", "p": "part-of"}
_LATERALITIES: dict[str, Laterality] = {"": "", "l": "left", "r": "right", "p": "paired"}


class Parent(NamedTuple):
    """A broader concept, with the kind of link where the source states it."""

    id: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class Concept:
    """A structure of human anatomy, or a finding that SAT was trained on.

    Attributes
    ----------
    id : str
        "UBERON:0002113", "SCT:...", "MSH:...", or "SAT:..." for what only SAT's vocabulary has.
    name : str
        The preferred name, in lower case save for proper names.
    synonyms : tuple[str, ...]
        Other names, without the preferred one.
    definition : str
        One sentence; empty where no source has one.
    parents : tuple[Parent, ...]
        Broader concepts; typed is-a or part-of only where the source says which.
    laterality : Laterality
        "left" or "right" for one side's structure, "paired" where both sides have one.
    codes : Mapping[str, str]
        Coding scheme ("UBERON", "SCT", "MSH") to code value, without a prefix.
    source : str
        Where the entry comes from ("UBERON", "DICOM", "MeSH", "SAT").
    default_view : bool
        Whether to show it unasked; embryonic and purely organising concepts are not.
    """

    id: str
    name: str
    synonyms: tuple[str, ...]
    definition: str
    parents: tuple[Parent, ...]
    laterality: Laterality
    codes: Mapping[str, str]
    source: str
    default_view: bool


class AnatomyTree:
    """All concepts and the links between them: a directed graph without cycles, several parents allowed.

    `load_tree().children("UBERON:0002113")` are the kinds and parts of the kidney.
    """

    def __init__(self, concepts: Mapping[str, Concept]) -> None:
        self.concepts: Mapping[str, Concept] = MappingProxyType(dict(concepts))
        children: dict[str, list[str]] = {}
        for concept in self.concepts.values():
            for parent in concept.parents:
                children.setdefault(parent.id, []).append(concept.id)
        self._children = children

    def children(self, concept_id: str) -> tuple[Concept, ...]:
        """Concepts right below, by name.

        Raises
        ------
        KeyError
            There is no such concept; so do the other methods.
        """
        below = [self.concepts[child] for child in self._children.get(self.concepts[concept_id].id, ())]
        return tuple(sorted(below, key=_by_name))

    def parents(self, concept_id: str) -> tuple[Concept, ...]:
        """Concepts right above, the closest one first as in `Concept.parents`."""
        return tuple(self.concepts[parent.id] for parent in self.concepts[concept_id].parents)

    def ancestors(self, concept_id: str) -> tuple[Concept, ...]:
        """All concepts above, each once, nearest first."""
        seen: dict[str, None] = {}
        level = [parent.id for parent in self.concepts[concept_id].parents]
        while level:
            fresh = [identifier for identifier in dict.fromkeys(level) if identifier not in seen]
            seen.update(dict.fromkeys(fresh))
            level = [parent.id for identifier in fresh for parent in self.concepts[identifier].parents]
        return tuple(self.concepts[identifier] for identifier in seen)

    def roots(self) -> tuple[Concept, ...]:
        """Concepts without a parent, by name."""
        return tuple(sorted((c for c in self.concepts.values() if not c.parents), key=_by_name))

    def path(self, concept_id: str) -> tuple[Concept, ...]:
        """One way from a root down to the concept, both included, along each concept's first parent."""
        way = [self.concepts[concept_id]]
        while way[-1].parents:
            way.append(self.concepts[way[-1].parents[0].id])
        return tuple(reversed(way))


@cache
def load_tree() -> AnatomyTree:
    """The knowledge tree; read once and kept."""
    with gzip.open(resource_path(CONCEPTS_FILE), "rt", encoding="utf-8") as stream:
        lines = stream.read().split("\n")
    concepts = (_concept(line) for line in lines if line and not line.startswith("#"))
    return AnatomyTree({concept.id: concept for concept in concepts})


def _concept(line: str) -> Concept:
    identifier, name, synonyms, parents, laterality, codes, source, view, definition = line.split("\t")
    return Concept(
        id=identifier,
        name=name,
        synonyms=tuple(synonyms.split("|")) if synonyms else (),
        definition=definition,
        parents=tuple(map(_parent, parents.split("|"))) if parents else (),
        laterality=_LATERALITIES[laterality],
        codes=dict(code.split("=", 1) for code in codes.split("|")) if codes else {},
        source=source,
        default_view=view == "1",
    )


def _parent(text: str) -> Parent:
    """A parent column's entry: the id, after "i>" or "p>" where the kind of link is known."""
    head, arrow, tail = text.partition(">")
    return Parent(tail, _RELATIONS[head]) if arrow else Parent(head, "")


def _by_name(concept: Concept) -> tuple[str, str]:
    return concept.name.casefold(), concept.id
