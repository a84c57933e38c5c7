"""One text in one modality: the names that say exactly this, and whether they are certain."""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, Resolution, Resolved
from SATSegmentLib.anatomy.resolver.joints import is_joined
from SATSegmentLib.anatomy.suggestions.ranking import suggest_pair
from SATSegmentLib.anatomy.suggestions.suggestion import members_of, suggest
from SATSegmentLib.anatomy.text.words import MAX_CHARACTERS, Words, read_words
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, Lexicon, Structure, load_lexicon
from SATSegmentLib.types import Modality, Prompt

MAX_CANDIDATES = 6


class Question:
    """A text that was asked for, its words, and the lexicon's answers to them."""

    def __init__(self, text: str, modality: Modality) -> None:
        self.text = text
        self.modality = modality
        self.lexicon: Lexicon = load_lexicon()
        self.words = read_words(text) if len(text) <= MAX_CHARACTERS else Words(())
        if self.words.tokens and not self._entries_anywhere(self.words):
            lower = read_words(text.lower())
            if self._entries_anywhere(lower):
                self.words = lower
        # A name must not be put together from words on both sides of an "and": "liver and tumor" are two.
        self.joined = is_joined(text)

    # --- names in this modality

    def by_name(self) -> Resolution | None:
        """The answer from names that say exactly this, for the side that was said."""
        words = self.words
        if words.side == "conflict":
            return None
        if words.side == "both" or (words.plural and not words.side):
            pair = self._both_sides()
            if pair is not None:
                return pair
        if words.side == "both":
            return self._one_for_both()
        entries = self.here(self.lexicon.find(words, words.side))
        if entries and words.plural and words.side and (rivals := self._rivals_without_side()):
            return self.ask([*entries, *rivals])
        if entries:
            return self._choose([*entries, *self._only_sided(entries)])
        if not words.side:
            return self._both_sides(said=False)
        return None

    def _choose(self, entries: list[Entry]) -> Resolution:
        own = [entry for entry in entries if entry.kind == "name"]
        plural = [entry for entry in entries if entry.plural]
        sure = plural or own or [e for e in entries if e.kind != "near" and not e.structure.near]
        if not own and not self.joined:
            # "Cervix uteri" is not "uterus and cervix", whose words it has.
            sure = [entry for entry in sure if not is_joined(entry.text)]
        names = {entry.structure.name for entry in sure}
        if len(names) != 1 or (not own and self._means_something_else(entries)):
            return self.ask([*sure, *entries])
        return self._take(sure[0].structure)

    def _only_sided(self, entries: list[Entry]) -> list[Entry]:
        """Entries of other structures that have sides only: "AG" is the angular gyrus as well as the adrenal gland."""
        if self.words.side or any(entry.kind == "name" for entry in entries):
            return []
        bases = {base_of(entry.structure) for entry in entries}
        sided = [*self.lexicon.find(self.words, "left"), *self.lexicon.find(self.words, "right")]
        return [e for e in self.here(tuple(sided)) if e.structure.what == "label" and base_of(e.structure) not in bases]

    def _means_something_else(self, entries: list[Entry]) -> bool:
        """Whether the same words are also what SAT was not trained on."""
        found = self.lexicon.find(self.words, self.words.side)
        return any(entry.structure.what == "unsupported" for entry in found)

    def _take(self, structure: Structure) -> Resolution:
        labels = members_of(structure, self.modality)
        if structure.what == "label":
            return Resolved(self.text, labels[0].prompt())
        return Composite(self.text, structure.name, tuple(label.prompt() for label in labels))

    def ask(self, entries: list[Entry]) -> DidYouMean:
        structures = {entry.structure.name: (entry.structure, entry.text) for entry in reversed(entries)}
        ordered = dict.fromkeys(entry.structure.name for entry in entries)
        candidates = [suggest(structures[name][0], self.modality, structures[name][1]) for name in ordered]
        return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))

    def _both_sides(self, said: bool = True) -> Resolution | None:
        """Left and right, where both were trained; findings in the plural are many, not two."""
        lefts = self.here(self.lexicon.find(self.words, "left"))
        rights = self.here(self.lexicon.find(self.words, "right"))
        if said and self.words.side != "both" and any(e.plural for e in self.here(self.lexicon.find(self.words, ""))):
            return None
        pairs: dict[str, tuple[Entry, Entry]] = {}
        for left in lefts:
            for right in rights:
                if _are_sides(left.structure, right.structure):
                    pairs.setdefault(left.structure.name, (left, right))
        if not pairs:
            return None
        if self.words.side != "both" and any(_is_finding(pair[0].structure) for pair in pairs.values()):
            return None
        if said and self.words.side != "both" and self._names_one_without_sides():
            return None
        sure = [pair for pair in pairs.values() if pair[0].kind != "near"]
        if len(sure) == 1 and not self._rivals_of(sure[0][0].structure):
            prompts = tuple(entry.structure.labels[self.modality].prompt() for entry in sure[0])
            return Composite(self.text, f"left and right {base_of(sure[0][0].structure)}", prompts)
        chosen = sure or list(pairs.values())
        candidates = [suggest_pair(left.structure, right.structure, self.modality) for left, right in chosen]
        rivals = self._rivals_without_side() if len(sure) == 1 else []
        unsided = [*self.here(self.lexicon.find(self.words, "")), *rivals]
        alone = [*unsided, *(entry for pair in chosen for entry in pair)]
        first = {entry.structure.name: entry for entry in reversed(alone)}
        ordered = [first[name] for name in dict.fromkeys(entry.structure.name for entry in alone)]
        single = [suggest(entry.structure, self.modality, entry.text) for entry in ordered]
        # One label that holds both sides is nearer to what was said than two.
        whole = [hit for hit in single if self.words.side != "both" and not hit.name.startswith(("left ", "right "))]
        candidates = [*whole, *candidates, *(hit for hit in single if hit not in whole)]
        return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))

    def _names_one_without_sides(self) -> bool:
        """ "Livers" are livers, though "left liver" and "right liver" are names of its lobes."""
        own = [e for e in self.here(self.lexicon.find(self.words, "")) if e.kind == "name"]
        return any(not self.has_sides(entry.structure) for entry in own)

    def _rivals_of(self, structure: Structure) -> bool:
        """Whether the words without a side name something else: "ventricles" are not only those of the heart."""
        unsided = self.here(self.lexicon.find(self.words, ""))
        if any(e.kind != "near" and base_of(e.structure) == base_of(structure) for e in unsided):
            unsided = [entry for entry in unsided if entry.kind != "near"]
        return any(base_of(e.structure) != base_of(structure) for e in unsided) or bool(self._rivals_without_side())

    def _rivals_without_side(self) -> list[Entry]:
        """What "ventricles" may be, in any modality, where the word alone is no certain name of anything."""
        entries = [entry for entry in self.lexicon.find(self.words, "") if self.fits_joints(entry)]
        if any(entry.kind != "near" for entry in entries):
            return []
        return entries if len({base_of(entry.structure) for entry in entries}) > 1 else []

    def has_sides(self, structure: Structure) -> bool:
        sides = self.lexicon.sides_of(structure.name) if structure.what == "label" else {}
        return "left" in sides and self.modality in sides["left"].labels

    def _one_for_both(self) -> Resolution | None:
        """ "Both renal arteries" is the label "renal artery", which holds both and knows no sides."""
        entries = self.here(self.lexicon.find(self.words, ""))
        if entries and all(entry.structure.name in self.lexicon.bilateral for entry in entries):
            return self._choose(entries)
        composite = [entry for entry in entries if entry.structure.what == "composite"]
        if composite:
            return self._choose(composite)
        return self.ask(entries) if entries else None

    def ask_prompts(self, prompts: tuple[Prompt, ...]) -> DidYouMean:
        structures = [self.lexicon.structures[prompt.text] for prompt in prompts]
        candidates = [suggest(structure, self.modality, structure.name) for structure in structures]
        return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))

    # --- entries

    def here(self, entries: tuple[Entry, ...]) -> list[Entry]:
        return [entry for entry in entries if self.is_here(entry) and self.fits_joints(entry)]

    def fits_joints(self, entry: Entry) -> bool:
        """Only a name that holds an "and" itself may be found across one."""
        return not self.joined or is_joined(entry.text)

    def is_here(self, entry: Entry) -> bool:
        return entry.modality in ("", self.modality) and self.modality in entry.structure.modalities

    def _entries_anywhere(self, words: Words) -> bool:
        return any(self.lexicon.find(words, side) for side in ("", "left", "right"))


def base_of(structure: Structure) -> str:
    """The structure's name without its side."""
    return re.sub(r"\b(left|right) ", "", structure.name)


def _are_sides(one: Structure, other: Structure) -> bool:
    """Whether these are the left and the right of one structure."""
    return one.what == other.what == "label" and one is not other and base_of(one) == base_of(other)


def _is_finding(structure: Structure) -> bool:
    return any(label.is_finding for label in structure.labels.values())
