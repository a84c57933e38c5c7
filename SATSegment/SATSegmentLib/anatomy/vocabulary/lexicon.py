"""All that SAT's structures are called, ready to be looked up: trained names, curated aliases, composites, and what
people ask for that SAT was not trained on.

The hand-written tables are `Resources/Anatomy/aliases.tsv`, `aliases_unsupported.tsv` and `composites.json`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, cast

from SATSegmentLib.anatomy.text.words import Side, Words, read_words
from SATSegmentLib.anatomy.vocabulary.families import family_names, untrained_discs
from SATSegmentLib.anatomy.vocabulary.labels import Label, load_labels
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import MODALITIES

ALIASES_FILE = "Anatomy/aliases.tsv"
UNSUPPORTED_FILE = "Anatomy/aliases_unsupported.tsv"
COMPOSITES_FILE = "Anatomy/composites.json"

Kind = Literal["name", "synonym", "abbreviation", "latin", "dataset", "near", "ontology"]

_SIDE_WORD = re.compile(r"\b(left|right) ")


@dataclass(frozen=True, slots=True)
class Structure:
    """What a name leads to.

    Attributes
    ----------
    name : str
        The trained string, the composite's name, or the name of what SAT cannot do.
    what : Literal['label', 'composite', 'unsupported']
        "label", "composite" or "unsupported".
    side : Side
        "left" or "right" where the structure is one side's.
    labels : dict[str, Label]
        Its label in each modality it was trained in (of a label).
    members : dict[str, tuple[str, ...]]
        Label texts in each modality (of a composite).
    nearest : tuple[str, ...]
        Texts of the labels closest to it (of what is unsupported).
    near : bool
        Whether the composite only comes close to its name.
    """

    name: str
    what: Literal["label", "composite", "unsupported"]
    side: Side = ""
    labels: dict[str, Label] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nearest: tuple[str, ...] = ()
    near: bool = False

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in which SAT can do it."""
        return tuple(self.labels or self.members)


class Entry(NamedTuple):
    """One name of one structure.

    Attributes
    ----------
    text : str
        The name as it is shown.
    tokens : tuple[str, ...]
        Its words without the side (`words.read_words`).
    key : str
        The same for every order of the words.
    side : Side
        The side that the name says.
    kind : Kind
        How sure the name is; "near" and "ontology" are suggested, never taken silently.
    modality : str
        The only one in which the name is used so; empty for all.
    plural : bool
        Whether only the plural is this name.
    order : int
        Place in the tables; earlier is better among equals.
    """

    text: str
    tokens: tuple[str, ...]
    key: str
    side: Side
    structure: Structure
    kind: Kind
    modality: str
    plural: bool
    order: int


class Lexicon:
    """The names, by key. `entries` are all; `find` gives those that say exactly this."""

    def __init__(self, structures: dict[str, Structure], entries: list[Entry], bilateral: frozenset[str]) -> None:
        self.structures = structures
        self.bilateral = bilateral
        self.entries = tuple(entries)
        self._by_key: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._by_joined: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by_key[entry.side, entry.key].append(entry)
            if len(entry.tokens) > 1 and (joined := "".join(entry.tokens)).isalpha():
                # Numbers must stay apart: "rib 1 2" is not rib 12.
                self._by_joined[entry.side, joined].append(entry)
        self.pairs = _pairs(structures)

    def find(self, words: Words, side: str) -> tuple[Entry, ...]:
        """Entries with these words in any order, or with the same letters written together or apart."""
        found = self._by_key.get((side, words.key))
        if not found and (joined := "".join(words.tokens)).isalpha():
            found = self._by_key.get((side, joined)) or self._by_joined.get((side, joined))
        if not found:
            return ()
        return tuple(entry for entry in found if words.plural or not entry.plural)

    def sides_of(self, text: str) -> dict[Side, Structure]:
        """The structures that differ from the label `text` in side only, with itself: side -> structure."""
        return self.pairs[_SIDE_WORD.sub("", text)]


@cache
def load_lexicon() -> Lexicon:
    """The names of all structures; read once and kept."""
    structures = {structure.name: structure for structure in _label_structures()}
    builder = _Builder(structures, _pairs(structures))
    for structure in list(structures.values()):
        builder.add_own_name(structure)
    for target, kind, modality, names in _alias_rows():
        for name in names:
            builder.add(target, name, kind, modality)
    # A level between two vertebrae is the disc first, so discs come before vertebrae.
    for text in sorted(structures, key=lambda text: not text.startswith("intervertebral disc")):
        for name, kind in family_names(text):
            builder.add(text, name, kind, "")
    composites = json.loads(resource_path(COMPOSITES_FILE).read_text(encoding="utf-8"))
    for row in composites["composites"]:
        builder.add_composite(row)
    for names, nearest in _unsupported_rows():
        builder.add_unsupported(names, nearest)
    for names in untrained_discs(structures):
        builder.add_unsupported(names, ("intervertebral discs",))
    return Lexicon(builder.structures | builder.others, builder.entries, frozenset(composites["both_sides_in_one"]))


class _Builder:
    """Collects entries; keeps the order of the tables, because the first of two equals is shown first."""

    def __init__(self, structures: dict[str, Structure], pairs: dict[str, dict[Side, Structure]]) -> None:
        self.structures = structures
        self.pairs = pairs
        self.others: dict[str, Structure] = {}
        self.entries: list[Entry] = []
        self._seen: set[tuple[str, str, str, str]] = set()

    def add_own_name(self, structure: Structure) -> None:
        words = read_words(structure.name)
        self._append(structure.name, words, words.key, structure, "name")

    def add(self, target: str, name: str, kind: str, modality: str) -> None:
        if name != name.lower():
            # "GMax" reads as two words, "gmax" as one; people write both.
            self.add(target, name.lower(), kind, modality)
        words = read_words(name)
        key = words.key
        base = self.structures.get(target)
        if words.side and base is not None:
            self._append(name, words, key, base, kind, modality)
        elif base is not None and base.side:
            self._append(name, words, key, base, kind, modality)
            self._append(name, Words(words.tokens, base.side, words.plural), key, base, kind, modality)
        else:
            for side, structure in self.pairs[target].items():
                said = f"{side} {name}" if side else name
                self._append(said, Words(words.tokens, side, words.plural), key, structure, kind, modality)

    def add_composite(self, row: dict[str, Any]) -> None:
        sided = any("{side}" in text for modality in MODALITIES for text in row.get(modality, ()))
        sides: tuple[Side, ...] = ("", "left", "right") if sided else ("",)
        for side in sides:
            name = f"{side} {row['name']}".strip()
            members: dict[str, tuple[str, ...]] = {m: tuple(_expand(row[m], side)) for m in MODALITIES if m in row}
            structure = Structure(name, "composite", side, members=members, near=row.get("near", False))
            self.others[name] = structure
            for text in (row["name"], *row["also"]):
                words = read_words(text)
                own = words.side if words.side in ("left", "right") else side
                words = Words(words.tokens, own, words.plural)
                self._append(text, words, words.key, structure, "synonym", plural=row.get("plural", False))

    def add_unsupported(self, names: list[str], nearest: tuple[str, ...]) -> None:
        structure = Structure(names[0], "unsupported", nearest=nearest)
        self.others.setdefault(names[0], structure)
        for name in names:
            words = read_words(name)
            self._append(name, words, words.key, structure, "synonym")

    def _append(
        self,
        text: str,
        words: Words,
        key: str,
        structure: Structure,
        kind: str,
        modality: str = "",
        plural: bool = False,
    ) -> None:
        once = (structure.name, words.side, key, modality)
        if once in self._seen or not words.tokens:
            return
        self._seen.add(once)
        self.entries.append(
            Entry(text, words.tokens, key, words.side, structure, cast(Kind, kind), modality, plural, len(self.entries))
        )


def _label_structures() -> Iterator[Structure]:
    by_text: dict[str, list[Label]] = defaultdict(list)
    for label in load_labels():
        by_text[label.text].append(label)
    for text, labels in by_text.items():
        yield Structure(text, "label", labels[0].laterality, {label.modality: label for label in labels})


def _pairs(structures: dict[str, Structure]) -> dict[str, dict[Side, Structure]]:
    """Name without the side -> side -> structure: "kidney" -> {"": ..., "left": ..., "right": ...}."""
    pairs: dict[str, dict[Side, Structure]] = defaultdict(dict)
    for text, structure in structures.items():
        if structure.what == "label":
            pairs[_SIDE_WORD.sub("", text)][structure.side] = structure
    return pairs


def _expand(texts: Iterable[str], side: str) -> Iterator[str]:
    """Members with their side: without one, all left members before all right ones."""
    for one in (side,) if side else ("left", "right"):
        for text in texts:
            if "{side}" in text:
                yield text.replace("{side}", one)
            elif one == (side or "left"):
                yield text


def _alias_rows() -> Iterator[tuple[str, str, str, list[str]]]:
    for row in _rows(ALIASES_FILE):
        target, kind, modality, names = row
        yield target, kind, modality, names.split("|")


def _unsupported_rows() -> Iterator[tuple[list[str], tuple[str, ...]]]:
    for names, nearest in _rows(UNSUPPORTED_FILE):
        yield names.split("|"), tuple(nearest.split("|")) if nearest else ()


def _rows(file: str) -> Iterator[list[str]]:
    """Rows of a hand-written table: comments and the row of titles left out."""
    lines = resource_path(file).read_text(encoding="utf-8").splitlines()
    yield from (line.split("\t") for line in [line for line in lines if not line.startswith("#")][1:])
