"""Text to what SAT shall segment, without ever guessing silently.

Only three things pass without a question: the exact trained string, a curated name that means one structure in this
modality, and changes of spelling, plural, side or number that leave the name the same. Everything else comes back as
a question, as a refusal with what is nearest, or as unknown.
"""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.personal.user_words import find_words
from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, NotSegmentable, Resolution, Resolved, Unknown
from SATSegmentLib.anatomy.suggestions.ranking import search, suggest_pair
from SATSegmentLib.anatomy.suggestions.suggestion import members_of, reason_of, shown_name, suggest
from SATSegmentLib.anatomy.suggestions.tree_names import load_tree_names
from SATSegmentLib.anatomy.text.numbering import numbered_parts
from SATSegmentLib.anatomy.text.words import MAX_CHARACTERS, Side, Words, read_words
from SATSegmentLib.anatomy.vocabulary.labels import find_label, load_labels
from SATSegmentLib.anatomy.vocabulary.lexicon import Entry, Lexicon, Structure, load_lexicon
from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.errors import PromptError
from SATSegmentLib.types import MODALITIES, Modality, Prompt

MAX_CANDIDATES = 6


def resolve(text: str, modality: Modality) -> Resolution:
    """What `text` means for SAT in one modality; see the module.

    A word that the user taught is meant where the vocabulary has no certain answer of its own.

    Raises
    ------
    PromptError: the modality is not "ct", "mri" or "pet".
    """
    answer = resolve_vocabulary(text, modality)
    if isinstance(answer, Resolved | Composite):
        return answer
    if taught := find_words(text, modality):
        return Resolved(text, taught[0].record.prompt())
    if isinstance(answer, Unknown):
        return _taught_elsewhere(text, modality) or answer
    return answer


def _taught_elsewhere(text: str, modality: Modality) -> NotSegmentable | None:
    """A taught word of this name in another modality."""
    records = [one.record for other in MODALITIES if other != modality for one in find_words(text, other)]
    if not records:
        return None
    reason = reason_of(tuple(dict.fromkeys(record.modality for record in records)))
    return NotSegmentable(text, records[0].name, "", reason, tuple(dict.fromkeys(r.prompt() for r in records)))


def resolve_vocabulary(text: str, modality: Modality) -> Resolution:
    """As `resolve`, without the words that the user taught.

    Raises
    ------
    PromptError: as `resolve`.
    """
    if modality not in MODALITIES:
        raise PromptError(f'"{modality}" is no modality of SAT.', "Use ct, mri or pet.")
    label = find_label(modality, " ".join(text[:MAX_CHARACTERS].split()))
    if label is not None and len(text) <= MAX_CHARACTERS:
        return Resolved(text, label.prompt())
    return _Question(text, modality).answer()


def as_free_text(unknown: Unknown, modality: Modality) -> Prompt:
    """The prompt that runs unknown text all the same; marked as not trained, in it and in its result.

    Raises
    ------
    PromptError: the text is empty.
    """
    text = " ".join(unknown.text.split())
    if not text:
        raise PromptError("The prompt is empty.", "Type the name of a structure.")
    return Prompt(text, modality, trained=False)


class _Question:
    """One text in one modality, on its way through the steps of `answer`."""

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
        self.joined = _is_joined(text)

    def answer(self) -> Resolution:
        if not self.words.name_something:
            return Unknown(self.text)
        return (
            self._by_name()
            or self._by_numbers()
            or self._by_list()
            or self._together_or_apart()
            or self._elsewhere()
            or self._by_abbreviation()
            or self._unsupported()
            or self._in_tree()
            or self._by_likeness()
            or Unknown(self.text)
        )

    # --- names in this modality

    def _by_name(self) -> Resolution | None:
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
        entries = self._here(self.lexicon.find(words, words.side))
        if entries and words.plural and words.side and (rivals := self._rivals_without_side()):
            return self._ask([*entries, *rivals])
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
            sure = [entry for entry in sure if not _is_joined(entry.text)]
        names = {entry.structure.name for entry in sure}
        if len(names) != 1 or (not own and self._means_something_else(entries)):
            return self._ask([*sure, *entries])
        return self._take(sure[0].structure)

    def _only_sided(self, entries: list[Entry]) -> list[Entry]:
        """Entries of other structures that have sides only: "AG" is the angular gyrus as well as the adrenal gland."""
        if self.words.side or any(entry.kind == "name" for entry in entries):
            return []
        bases = {_base(entry.structure) for entry in entries}
        sided = [*self.lexicon.find(self.words, "left"), *self.lexicon.find(self.words, "right")]
        return [e for e in self._here(tuple(sided)) if e.structure.what == "label" and _base(e.structure) not in bases]

    def _means_something_else(self, entries: list[Entry]) -> bool:
        """Whether the same words are also what SAT was not trained on."""
        found = self.lexicon.find(self.words, self.words.side)
        return any(entry.structure.what == "unsupported" for entry in found)

    def _take(self, structure: Structure) -> Resolution:
        labels = members_of(structure, self.modality)
        if structure.what == "label":
            return Resolved(self.text, labels[0].prompt())
        return Composite(self.text, structure.name, tuple(label.prompt() for label in labels))

    def _ask(self, entries: list[Entry]) -> DidYouMean:
        structures = {entry.structure.name: (entry.structure, entry.text) for entry in reversed(entries)}
        ordered = dict.fromkeys(entry.structure.name for entry in entries)
        candidates = [suggest(structures[name][0], self.modality, structures[name][1]) for name in ordered]
        return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))

    def _both_sides(self, said: bool = True) -> Resolution | None:
        """Left and right, where both were trained; findings in the plural are many, not two."""
        lefts = self._here(self.lexicon.find(self.words, "left"))
        rights = self._here(self.lexicon.find(self.words, "right"))
        if said and self.words.side != "both" and any(e.plural for e in self._here(self.lexicon.find(self.words, ""))):
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
            return Composite(self.text, f"left and right {_base(sure[0][0].structure)}", prompts)
        chosen = sure or list(pairs.values())
        candidates = [suggest_pair(left.structure, right.structure, self.modality) for left, right in chosen]
        rivals = self._rivals_without_side() if len(sure) == 1 else []
        unsided = [*self._here(self.lexicon.find(self.words, "")), *rivals]
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
        own = [e for e in self._here(self.lexicon.find(self.words, "")) if e.kind == "name"]
        return any(not self._has_sides(entry.structure) for entry in own)

    def _rivals_of(self, structure: Structure) -> bool:
        """Whether the words without a side name something else: "ventricles" are not only those of the heart."""
        unsided = self._here(self.lexicon.find(self.words, ""))
        if any(e.kind != "near" and _base(e.structure) == _base(structure) for e in unsided):
            unsided = [entry for entry in unsided if entry.kind != "near"]
        return any(_base(e.structure) != _base(structure) for e in unsided) or bool(self._rivals_without_side())

    def _rivals_without_side(self) -> list[Entry]:
        """What "ventricles" may be, in any modality, where the word alone is no certain name of anything."""
        entries = [entry for entry in self.lexicon.find(self.words, "") if self._fits_joints(entry)]
        if any(entry.kind != "near" for entry in entries):
            return []
        return entries if len({_base(entry.structure) for entry in entries}) > 1 else []

    def _has_sides(self, structure: Structure) -> bool:
        sides = self.lexicon.sides_of(structure.name) if structure.what == "label" else {}
        return "left" in sides and self.modality in sides["left"].labels

    def _one_for_both(self) -> Resolution | None:
        """ "Both renal arteries" is the label "renal artery", which holds both and knows no sides."""
        entries = self._here(self.lexicon.find(self.words, ""))
        if entries and all(entry.structure.name in self.lexicon.bilateral for entry in entries):
            return self._choose(entries)
        composite = [entry for entry in entries if entry.structure.what == "composite"]
        if composite:
            return self._choose(composite)
        return self._ask(entries) if entries else None

    # --- numbers and lists

    def _by_numbers(self) -> Resolution | None:
        """ "L1-L5", "ribs 5 and 6": each member on its own."""
        for name, parts in numbered_parts(self.words):
            answers = [_Question(part, self.modality)._by_name() for part in parts]
            prompts = _prompts_of(answers)
            if prompts:
                return Composite(self.text, name, prompts)
            known = [p for answer in answers for p in _prompts_of([answer])]
            if known or all(_Question(part, self.modality)._elsewhere() for part in parts):
                reason = "only in part here" if known else "not in this modality"
                return NotSegmentable(self.text, name, "", reason, tuple(dict.fromkeys(known)))
        return None

    def _by_list(self) -> Resolution | None:
        """Several structures in one text, where each of them is certain by itself."""
        parts = _parts_of(self.text)
        if len(parts) < 2 or len(parts) > 40 or _LEVEL_PAIR.search(self.text):
            return None
        questions = [_Question(part, self.modality) for part in parts]
        answers = [question._by_name() or question._by_numbers() for question in questions]
        prompts = _prompts_of(answers)
        if not prompts:
            return None
        if self.joined and len(prompts) < len(parts):
            # "Sternum and manubrium": two names of one label, so one of them would be lost.
            return self._ask_prompts(prompts)
        sides = {question.words.side for question in questions} & {"left", "right"}
        if sides and any(not q.words.side and q._sided_too(a) for q, a in zip(questions, answers, strict=True)):
            # "left kidney and adrenal gland": is the gland of the left side meant, or are both?
            return self._ask_prompts(self._on_side(prompts, sides))
        return Composite(self.text, ", ".join(dict.fromkeys(p.text for p in prompts)), prompts)

    def _sided_too(self, answer: Resolution | None) -> bool:
        """Whether the side of another structure in the list may be meant for this one as well."""
        if any(self._has_sides(entry.structure) for entry in self._here(self.lexicon.find(self.words, ""))):
            return True
        structures = [self.lexicon.structures[prompt.text] for prompt in _prompts_of([answer])]
        return len({structure.side for structure in structures}) > 1

    def _on_side(self, prompts: tuple[Prompt, ...], sides: set[Side]) -> tuple[Prompt, ...]:
        """The prompts without those of a side that nobody named."""
        kept = [p for p in prompts if self.lexicon.structures[p.text].side in ("", *sides)]
        return tuple(kept)

    def _ask_prompts(self, prompts: tuple[Prompt, ...]) -> DidYouMean:
        structures = [self.lexicon.structures[prompt.text] for prompt in prompts]
        candidates = [suggest(structure, self.modality, structure.name) for structure in structures]
        return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))

    def _together_or_apart(self) -> DidYouMean | None:
        """ "Liver and tumor": the liver, a tumor of it, or both; whoever wrote it knows."""
        side = self.words.side if self.words.side in ("left", "right") else ""
        entries = [entry for entry in self.lexicon.find(self.words, side) if self._is_here(entry)]
        if not self.joined or not entries:
            return None
        answers = [_Question(part, self.modality)._by_name() for part in _parts_of(self.text)]
        prompts = tuple(prompt for answer in answers for prompt in _prompts_of([answer]))
        candidates = (*self._ask_prompts(prompts).candidates, *self._ask(entries).candidates)
        unique = {hit.name: hit for hit in reversed(candidates)}
        ordered = dict.fromkeys(hit.name for hit in candidates)
        return DidYouMean(self.text, tuple(unique[name] for name in ordered)[:MAX_CANDIDATES])

    # --- refusals

    def _elsewhere(self) -> Resolution | None:
        """Trained in another modality, or here without the side that was said."""
        words = self.words
        if words.side == "conflict":
            return None
        sided = list(self.lexicon.find(words, words.side)) if words.side != "both" else []
        if not words.side or words.side == "both":
            sided += [*self.lexicon.find(words, "left"), *self.lexicon.find(words, "right")]
        sided = [entry for entry in sided if self._fits_joints(entry)]
        unsided = self._here(self.lexicon.find(words, "")) if words.side else []
        elsewhere = [entry for entry in sided if entry.structure.modalities and not self._is_here(entry)]
        if not unsided and not elsewhere:
            return None
        if any(entry.structure.what == "unsupported" for entry in sided) and not unsided:
            return None
        nearest = [label.prompt() for entry in unsided for label in members_of(entry.structure, self.modality)[:1]]
        nearest += self._whole_of(elsewhere)
        for entry in elsewhere:
            other = next((m for m in entry.structure.modalities if not entry.modality or m == entry.modality), "")
            nearest += [label.prompt() for label in members_of(entry.structure, other)]
        names = dict.fromkeys(entry.structure.name for entry in elsewhere or unsided)
        name = " or ".join(list(names)[:3]) if elsewhere else f"{words.side} {next(iter(names))}"
        modalities = dict.fromkeys(m for entry in elsewhere for m in entry.structure.modalities)
        reason = reason_of(tuple(modalities)) if elsewhere else "trained without a side only"
        if unsided and elsewhere:
            reason = f"{reason} with a side"
        first = (elsewhere or unsided)[0].structure
        concept = next((label.concept for label in first.labels.values()), "")
        return NotSegmentable(self.text, name, concept, reason, tuple(dict.fromkeys(nearest))[:8])

    def _whole_of(self, entries: list[Entry]) -> list[Prompt]:
        """Labels of this modality that are the same structure without its side."""
        wholes = [self.lexicon.sides_of(entry.structure.name).get("") for entry in entries if entry.structure.labels]
        return [w.labels[self.modality].prompt() for w in wholes if w and self.modality in w.labels]

    def _unsupported(self) -> Resolution | None:
        found = [*self.lexicon.find(self.words, self.words.side), *self.lexicon.find(self.words, "")]
        entry = next((entry for entry in found if entry.structure.what == "unsupported"), None)
        if entry is None:
            return None
        structure = entry.structure
        side: Side = self.words.side if self.words.side in ("left", "right") else ""
        targets = [target for text in structure.nearest for target in self._sided(text, side)]
        nearest = [t.labels[self.modality].prompt() for t in targets if self.modality in t.labels]
        nearest = nearest or [label.prompt() for t in targets for label in list(t.labels.values())[:1]]
        name = shown_name(structure, entry.text)
        concept = load_tree_names().exact(name, read_words(name))
        name = f"{side} {name}" if side and not name.startswith(side) else name
        return NotSegmentable(
            self.text, name, concept.id if concept else "", "not a SAT class", tuple(dict.fromkeys(nearest))
        )

    def _sided(self, text: str, side: Side) -> list[Structure]:
        """The label `text`, on the side that was said where it has one; both sides where it has nothing else."""
        sides = self.lexicon.sides_of(text)
        if side in sides:
            return [sides[side]]
        return [sides[""]] if "" in sides else list(sides.values())

    def _by_abbreviation(self) -> Resolution | None:
        """ "Main PA" is asked as "main pulmonary artery": one short form among other words, written out."""
        tokens = self.words.tokens
        for place, token in enumerate(tokens if len(tokens) > 1 else ()):
            known = [e for e in self.lexicon.find(Words((token,)), "") if e.kind == "abbreviation"]
            if len({entry.structure.name for entry in known}) != 1:
                continue
            written = read_words(known[0].structure.name)
            side = self.words.side or written.side
            words = Words((*tokens[:place], *written.tokens, *tokens[place + 1 :]), side, self.words.plural)
            entries = self._here(self.lexicon.find(words, side))
            if entries:
                return self._ask(entries)
        return None

    def _in_tree(self) -> Resolution | None:
        concept = load_tree_names().exact(self.text, self.words)
        if concept is None:
            return None
        here = [label for label in load_labels() if label.concept == concept.id and label.modality == self.modality]
        here = [label for label in here if _side_fits(label.laterality, self.words)]
        if here:
            structures = [self.lexicon.structures[label.text] for label in here]
            candidates = [suggest(structure, self.modality, concept.name) for structure in structures]
            return DidYouMean(self.text, tuple(candidates[:MAX_CANDIDATES]))
        elsewhere = [label for label in load_labels() if label.concept == concept.id]
        reason = reason_of(tuple(dict.fromkeys(label.modality for label in elsewhere)))
        nearest = [label.prompt() for label in elsewhere] or self._above(concept.id)
        return NotSegmentable(self.text, concept.name, concept.id, reason, tuple(nearest[:4]))

    def _above(self, concept_id: str) -> list[Prompt]:
        """Labels of the nearest broader concept that has any, here first; the side that was said is kept."""
        labels = [label for label in load_labels() if _side_fits(label.laterality, self.words)]
        for ancestor in load_tree().ancestors(concept_id):
            matching = [label for label in labels if label.concept == ancestor.id and not label.is_finding]
            matching.sort(key=lambda label: label.modality != self.modality)
            if matching:
                return [label.prompt() for label in matching]
        return []

    # --- guesses, always as a question

    def _by_likeness(self) -> Resolution | None:
        found = [hit for hit in search(self.text, self.modality) if hit.status in ("trained", "taught")]
        other = {"left": "right ", "right": "left "}.get(self.words.side)
        found = [hit for hit in found if not other or not hit.name.startswith(other)]
        fitting = [hit for hit in found if hit.match != "partial"]
        if not fitting:
            # A part of the words fits: only worth a question where the text is short.
            fitting = found if len(self.words.tokens) <= 8 else []
        return DidYouMean(self.text, tuple(fitting[:MAX_CANDIDATES])) if fitting else None

    # --- entries

    def _here(self, entries: tuple[Entry, ...]) -> list[Entry]:
        return [entry for entry in entries if self._is_here(entry) and self._fits_joints(entry)]

    def _fits_joints(self, entry: Entry) -> bool:
        """Only a name that holds an "and" itself may be found across one."""
        return not self.joined or _is_joined(entry.text)

    def _is_here(self, entry: Entry) -> bool:
        return entry.modality in ("", self.modality) and self.modality in entry.structure.modalities

    def _entries_anywhere(self, words: Words) -> bool:
        return any(self.lexicon.find(words, side) for side in ("", "left", "right"))


_JOINTS = re.compile(r"\s*(?:[,;+&\n]|\band\b|\bplus\b|\bas well as\b|/)\s*", re.IGNORECASE)
# "b/l", "w/o" and "L4/5" are one word each.
_NAME_JOINTS = re.compile(
    r"\s*(?:[,;+&\n]|\band\b|\bplus\b|\bas well as\b|(?<=[^\W\d]{2})\s*/\s*(?=[^\W\d]{2}))\s*", re.IGNORECASE
)
# Two levels with a slash are what lies between them, or a range; never just the two vertebrae.
_LEVEL_PAIR = re.compile(
    r"(?<![^\W_])(?:th|[ctdls])\s?\d{1,2}\s*/\s*(?:th|[ctdls])?\s?\d{1,2}(?![^\W_])", re.IGNORECASE
)


def _parts_of(text: str) -> list[str]:
    return [part.strip() for part in _JOINTS.split(text) if part.strip()]


def _is_joined(text: str) -> bool:
    """Whether the text joins words that name something; "kidney, right" and "L1 and L2 disc" do not."""
    parts = _NAME_JOINTS.split(text[:MAX_CHARACTERS])
    if len(parts) < 2:
        return False
    words = [read_words(part) for part in parts]
    return sum(w.name_something and any(t.isalpha() and len(t) > 1 for t in w.tokens) for w in words) > 1


def _prompts_of(answers: list[Resolution | None]) -> tuple[Prompt, ...]:
    """All prompts, where every answer is certain; otherwise none."""
    prompts: list[Prompt] = []
    for answer in answers:
        if isinstance(answer, Resolved):
            prompts.append(answer.prompt)
        elif isinstance(answer, Composite):
            prompts += answer.prompts
        else:
            return ()
    return tuple(dict.fromkeys(prompts))


def _side_fits(laterality: str, words: Words) -> bool:
    if words.side in ("left", "right"):
        return laterality in ("", words.side)
    return laterality == "" or words.side == "both"


def _base(structure: Structure) -> str:
    """The structure's name without its side."""
    return re.sub(r"\b(left|right) ", "", structure.name)


def _are_sides(one: Structure, other: Structure) -> bool:
    """Whether these are the left and the right of one structure."""
    return one.what == other.what == "label" and one is not other and _base(one) == _base(other)


def _is_finding(structure: Structure) -> bool:
    return any(label.is_finding for label in structure.labels.values())
