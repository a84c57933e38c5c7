"""What the knowledge tree says about each structure, as texts that a text encoder can learn from.

The sources and licences of the tree are described in Resources/Anatomy/ATTRIBUTION.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from SATSegmentLib.anatomy.text.words import read_words
from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.anatomy.vocabulary.tree import AnatomyTree, Concept, load_tree
from SATSegmentLib.learning.knowledge.wording import split_side
from SATSegmentLib.learning.sides import other_side

# Said before the target: "portal vein, a part of" is "portal system". Where a source does not type the link: "below".
RELATION_WORDS = {"is-a": "is a kind of", "part-of": "is a part of", "": "belongs to"}


def text_key(text: str) -> str:
    """The form in which texts are compared: neither case nor blanks make another text."""
    return " ".join(text.lower().split())


def trivial_key(text: str) -> tuple[str, str]:
    """What is left of a name without its case, punctuation, plural, order of words and British spelling."""
    words = read_words(text)
    return words.side, words.key


@dataclass(frozen=True)
class Structure:
    """One concept with its texts.

    Attributes
    ----------
    id : str
        The concept's id; a side that the tree does not list has its own ("UBERON:0002113#left").
    name : str
        The preferred name.
    synonyms : tuple[str, ...]
        Its other names.
    definition : str
        Empty where there is none.
    parents : tuple[tuple[str, str], ...]
        (relation, id) of broader concepts.
    mirror : str
        Id of the same structure on the other side; empty where it has none.
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    definition: str = ""
    parents: tuple[tuple[str, str], ...] = ()
    mirror: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Name and synonyms."""
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class Knowledge:
    """The structures, by id.

    Attributes
    ----------
    structures : Mapping[str, Structure]
        Id -> structure.
    """

    structures: Mapping[str, Structure]
    _above: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def owners(self) -> dict[str, frozenset[str]]:
        """Name (as `text_key`) -> ids of the structures that are called so. A homonym has several."""
        owners: dict[str, set[str]] = defaultdict(set)
        for structure in self.structures.values():
            for name in structure.names:
                owners[text_key(name)].add(structure.id)
        return {name: frozenset(ids) for name, ids in owners.items()}

    @cached_property
    def siblings(self) -> dict[str, tuple[str, ...]]:
        """Id -> structures under the same first parent, itself left out: what it is most easily taken for."""
        below: dict[str, list[str]] = defaultdict(list)
        for structure in self.structures.values():
            if structure.parents:
                below[structure.parents[0][1]].append(structure.id)
        return {i: tuple(j for j in members if j != i) for members in below.values() for i in members}

    def above(self, identifier: str) -> frozenset[str]:
        """Ids of all broader concepts."""
        known = self._above.get(identifier)
        if known is None:
            parents = [parent for _, parent in self.structures[identifier].parents if parent in self.structures]
            known = frozenset(parents).union(*(self.above(parent) for parent in parents))
            self._above[identifier] = known
        return known

    def without(self, names: Mapping[str, frozenset[str]], definitions: frozenset[str]) -> Knowledge:
        """A copy without these texts (see `split.hold_out`): synonyms by id, in whatever case, and definitions."""
        held_out = {text_key(name) for found in names.values() for name in found}
        return Knowledge(
            {
                i: Structure(
                    i,
                    s.name,
                    # From every structure: a homonym would carry the text into the training.
                    tuple(name for name in s.synonyms if text_key(name) not in held_out),
                    "" if i in definitions else s.definition,
                    s.parents,
                    s.mirror,
                )
                for i, s in self.structures.items()
            }
        )


def load_knowledge(tree: AnatomyTree | None = None) -> Knowledge:
    """The knowledge tree with SAT's names and the curated synonyms of Resources/Anatomy/aliases.tsv.

    Paired structures whose sides the tree does not list get a left and a right one.
    """
    tree = tree or load_tree()
    more = _curated_names()
    structures = {i: _structure(concept, more.get(i, ())) for i, concept in tree.concepts.items()}
    by_name = {text_key(structure.name): i for i, structure in structures.items()}
    for concept in tree.concepts.values():
        if concept.laterality == "paired" and f"left {text_key(concept.name)}" not in by_name:
            for side in ("left", "right"):
                structure = _one_side(structures[concept.id], side)
                structures[structure.id] = structure
                by_name[text_key(structure.name)] = structure.id
    mirrors = {i: _other_side(structure.name, by_name) for i, structure in structures.items()}
    for i, structure in list(structures.items()):
        # "Middle lobe of right lung" has none: the left middle lobe that was made up belongs to a right one like it.
        mutual = mirrors.get(mirrors[i]) == i
        structures[i] = _with_mirror(structure, mirrors[i] if mutual else "")
    return Knowledge(structures)


def _other_side(name: str, by_name: Mapping[str, str]) -> str:
    """Id of the structure on the other side, said the same way ("upper lobe of left lung") or with the side first."""
    side, base = split_side(text_key(name))
    if not side:
        return ""
    return by_name.get(other_side(text_key(name))) or by_name.get(other_side(f"{side} {base}"), "")


def _structure(concept: Concept, more: tuple[str, ...]) -> Structure:
    seen = {text_key(concept.name)}
    synonyms = []
    for name in (*concept.synonyms, *more):
        if text_key(name) not in seen:
            seen.add(text_key(name))
            synonyms.append(name)
    parents = tuple((parent.relation, parent.id) for parent in concept.parents)
    return Structure(concept.id, concept.name, tuple(synonyms), concept.definition, parents)


def _one_side(both: Structure, side: str) -> Structure:
    name = f"{side} {both.name}"
    definition = f"The {both.name} on the {side} side of the body."
    return Structure(f"{both.id}#{side}", name, (), definition, (("is-a", both.id),))


def _with_mirror(structure: Structure, mirror: str) -> Structure:
    return Structure(structure.id, structure.name, structure.synonyms, structure.definition, structure.parents, mirror)


def _curated_names() -> dict[str, tuple[str, ...]]:
    """Concept id -> trained names and curated synonyms of the label that the concept stands for."""
    concept_of = {label.text: label.concept for label in load_labels()}
    names: dict[str, list[str]] = defaultdict(list)
    for entry in load_lexicon().entries:
        concept = concept_of.get(entry.structure.name) if entry.structure.what == "label" else None
        if concept and entry.kind in ("name", "synonym", "latin", "abbreviation"):
            names[concept].append(entry.text)
    return {concept: tuple(found) for concept, found in names.items()}
