"""Which trained labels a group of words in a report names, from the resolver's lexicon.

A report is not a prompt: nobody can be asked back. So what the lexicon knows as a part of a label ("sigmoid colon") or
a kind of a finding ("hepatocellular carcinoma") is taken, and marked as not exact; what only lies beside a label, or
could be several, is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from SATSegmentLib.anatomy.report.rules import (
    InContext,
    Surroundings,
    adjectives,
    names_in_context,
    never_names,
    rejected_names,
    words,
)
from SATSegmentLib.anatomy.text.words import read_words
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, Structure, load_lexicon

# Words of the longest name that is looked for.
MAX_NAME_WORDS = 7
# Trained where they are diseased, and mentioned so: "no lymph nodes" denies disease, not anatomy.
_LIKE_FINDINGS = frozenset(("lymph node", "nasopharyngeal lymph node"))
_EXACT_KINDS = frozenset(("name", "synonym", "abbreviation", "latin", "dataset"))


class Named(NamedTuple):
    """What words name.

    Attributes
    ----------
    labels : tuple[str, ...]
        Exact trained strings; empty where the words name something SAT cannot do in this modality.
    exact : bool
        False where the label only holds what was named, or is the nearest kind of it.
    is_finding : bool
        Whether the labels are lesions.
    is_like_finding : bool
        Whether they are anatomy that is mentioned like a lesion ("no lymph nodes").
    is_of_organ : bool
        Whether an organ may be named by shorter words inside, where `labels` is empty.
    """

    labels: tuple[str, ...]
    exact: bool
    is_finding: bool
    is_like_finding: bool = False
    is_of_organ: bool = False


class Names:
    """All names in one modality. `has` is fast and is asked first; `find` decides."""

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self._entries: dict[str, list[Entry]] = {}
        self._never: set[str] = {read_words(name).key for name in never_names()}
        self._in_context: dict[str, list[InContext]] = {}
        # A few thousand at most: keys are names, so the table does not grow with what is read.
        self._chosen: dict[tuple[str, str, bool], Named | None] = {}
        rejected = {read_words(name).key for name in rejected_names()}
        rejected_codes = words("rejected_codes")
        for entry in load_lexicon().entries:
            key = " ".join(sorted(set(entry.tokens)))
            unwanted = (entry.kind == "near" and key in rejected) or key in rejected_codes or _is_bare_number(entry)
            if entry.modality in ("", modality) and not unwanted and len(key.split()) <= MAX_NAME_WORDS:
                self._entries.setdefault(key, []).append(entry)
        for rule in names_in_context():
            if any(find_label(modality, text) for text in (rule.structure, f"left {rule.structure}")):
                for name in rule.names:
                    self._in_context.setdefault(read_words(name).key, []).append(rule)
        self._adjectives = adjectives()
        keys = self._entries.keys() | self._in_context.keys() | self._never | self._adjectives.keys()
        self.vocabulary = frozenset(word for key in keys for word in key.split())
        self._keys = frozenset(keys)
        self._with_and = {
            key for key, entries in self._entries.items() if any(" and " in e.text or "&" in e.text for e in entries)
        }

    def has(self, key: str) -> bool:
        """Whether the words (sorted, each once, joined by spaces) are a name of anything."""
        return key in self._keys

    def holds_and(self, key: str) -> bool:
        """Whether a name has an "and" of its own: "portal vein and splenic vein"."""
        return key in self._with_and

    def is_code(self, key: str) -> bool:
        """Whether the words are only ever written in capitals ("PE", "LV")."""
        entries = self._entries.get(key, ())
        return all(entry.text.isupper() for entry in entries) if entries else key in ("pe",)

    def find(self, key: str, side: str, plural: bool, around: Surroundings, sentence: str) -> Named | None:
        """The labels of a name; None where it is none here, or could be several.

        Parameters
        ----------
        key : str
            The words, as in `has`.
        side : str
            "left", "right", "both" or "".
        plural : bool
            Whether one of the words was a plural.
        around : Surroundings
            The report and the sentence in small letters, for names whose meaning they tell.
        sentence : str
            The report and the sentence in small letters, for names whose meaning they tell.
        """
        if key in self._never:
            return Named((), False, False)
        if key in self._adjectives:
            return self._of_structure(self._adjectives[key], side, plural, exact=False)
        rules = self._in_context.get(key, ())
        asked = (key, side, plural)
        if asked not in self._chosen:
            self._chosen[asked] = self._of_entries(key, side, plural)
        chosen = self._chosen[asked]
        for rule in rules:
            if around.hold(rule, sentence):
                told = self._of_structure(rule.structure, side, plural, exact=False)
                return chosen if chosen and told and chosen.labels == told.labels else told
        return None if rules and not side else chosen

    def _of_entries(self, key: str, side: str, plural: bool) -> Named | None:
        entries = [entry for entry in self._entries.get(key, ()) if plural or not entry.plural]
        said = [entry for entry in entries if entry.side == side]
        if not any(self.modality in entry.structure.modalities for entry in said):
            # The one side was not trained here, or only the sides were: "left temporal lobe" in MRI, "putamen".
            said = [entry for entry in entries if entry.side == ""] if side else entries
        return self._choose(said or entries, side, plural)

    def _choose(self, entries: Sequence[Entry], side: str, plural: bool) -> Named | None:
        sure = [entry for entry in entries if entry.kind in _EXACT_KINDS]
        trained = [entry for entry in sure if self.modality in entry.structure.modalities]
        if sure and not trained:
            return self._blocked(sure[0].structure)
        candidates = trained or [entry for entry in entries if self.modality in entry.structure.modalities]
        candidates = [entry for entry in candidates if not entry.structure.near]
        if not candidates:
            return None
        composites = [entry for entry in candidates if entry.structure.what == "composite"]
        # "Left and right lobes of the liver" are two of its three.
        whole = side != "both" or len(composites) == len(candidates)
        if composites and composites[0].structure.side in (side, "" if whole else side):
            members = composites[0].structure.members[self.modality]
            if side == "both":  # "both lobes of the liver" are two of its three
                members = tuple(m for m in members if m.startswith(("left ", "right "))) or members
            return Named(members, bool(trained), _are_findings(self.modality, members))
        bases = {_unsided(entry.structure) for entry in candidates}
        first = min(candidates, key=lambda entry: (entry.kind != "name", entry.order))
        if len(bases) > 1 and first.kind != "name":
            return None
        own_side = first.structure.side if first.side == "" else ""
        if own_side and side not in ("", own_side):
            return None  # "right LAA"
        return self._of_structure(_unsided(first.structure), side or own_side, plural, exact=bool(trained))

    def _blocked(self, structure: Structure) -> Named:
        """A structure that is known, and not trained here: longer words win, and give no label of shorter ones.

        Of a lesion the organ remains, of a part the whole, where the words name it.
        """
        if structure.what == "unsupported":
            return Named((), False, False, is_of_organ=True)
        is_finding = any(label.is_finding for label in structure.labels.values())
        return Named((), False, is_finding, is_of_organ=is_finding)

    def _of_structure(self, base: str, side: str, plural: bool, exact: bool) -> Named | None:
        """A structure's labels on a side, as far as they were trained."""
        one, left, right = (find_label(self.modality, f"{which}{base}") for which in ("", "left ", "right "))
        if base.startswith("head of "):
            left, right = (find_label(self.modality, f"head of {which} {base[8:]}") for which in ("left", "right"))
        sided = {"left": left, "right": right}.get(side)
        if sided:
            return Named((sided.text,), exact, sided.is_finding)
        pair = side == "both" or (side == "" and (one is None or (plural and not one.is_finding)))
        if pair and left and right:
            return Named((left.text, right.text), exact, left.is_finding)
        if one:
            # The label of both sides stands for the one side that was not trained.
            is_like_finding = one.text in _LIKE_FINDINGS
            return Named((one.text,), exact and side == "", one.is_finding or is_like_finding, is_like_finding)
        return None


def _is_bare_number(entry: Entry) -> bool:
    """ "Segment 2", "liver 2", "S6": what is counted is read where it stands (`report.lobes`), not by name."""
    counts = "segment" in entry.tokens or "liver" in entry.tokens or len(entry.key) == 2
    return entry.kind == "near" and counts and any(token[-1].isdigit() for token in entry.tokens)


def _unsided(structure: Structure) -> str:
    """A label's name without its side: "left kidney" -> "kidney", "head of left femur" -> "head of femur"."""
    if not structure.side:
        return structure.name
    return structure.name.replace(f"{structure.side} ", "", 1)


def _are_findings(modality: str, texts: Sequence[str]) -> bool:
    return all((label := find_label(modality, text)) is not None and label.is_finding for text in texts)


@cache
def load_names(modality: str) -> Names:
    """The names in a modality; made once and kept."""
    return Names(modality)
