"""What a sentence says of what it mentions: not there, perhaps there, or of the past.

The method is ConText (Harkema et al., J Biomed Inform 2009;42:839-851, the successor of NegEx): trigger phrases that
act forwards or backwards up to the end of their clause, and pseudo-triggers ("no change") that act on nothing.
Two things are added. A clause ends where a new subject and verb begin ("no effusion, the heart is normal"). And a
negated finding does not negate its place: "no lesion in the spleen" leaves the spleen there.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from SATSegmentLib.anatomy.report.clauses import (
    CLAUSE_ENDS,
    CONJUNCTIONS,
    EXISTENTIAL,
    FINITE_VERBS,
    Trigger,
    clause_ends,
    find_triggers,
)
from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.report.text import Section, Token

_PREPOSITIONS = words("prepositions")
_EVIDENCE = words("evidence")
_DETERMINERS = words("determiners")
_PRESENT = words("present")
_ABSENT = words("absent")
_PHRASE_ENDS = FINITE_VERBS | _PREPOSITIONS | CLAUSE_ENDS | words("phrase_ends")
_BETWEEN_NO_AND_ORGAN = _DETERMINERS | CONJUNCTIONS | _EVIDENCE | {"of"}
# A trigger further away than this many tokens says nothing of a mention.
_REACH = 60

# "Nodule or no nodule", "2 or more": no alternatives.
_NO_ALTERNATIVE = frozenset(("no", "not", "without", "more", "less", "so", "other"))
_REACH_BACK = 8
# "is therefore absent": so many words before a trigger may hold its own verb.
_VERB_REACH = 2
# "Old right parietal stroke": so many words may stand between.
_ADJECTIVES = 3


class Context(NamedTuple):
    """How something is mentioned.

    Attributes
    ----------
    negated : bool
        Said not to be there.
    uncertain : bool
        Only possible.
    historical : bool
        Of the past.
    removed : bool
        There once and taken out; then it is negated and historical as well.
    """

    negated: bool = False
    uncertain: bool = False
    historical: bool = False
    removed: bool = False


class Target(NamedTuple):
    """A mention to judge: tokens `first` to `last` (inclusive) of the sentence.

    Attributes
    ----------
    is_finding : bool
        A lesion, rather than a part of the body that is there anyway.
    is_operation : bool
        A word like "nephrectomy": of the past by itself.
    removes : bool
        An operation that left nothing.
    """

    first: int
    last: int
    is_finding: bool = False
    is_operation: bool = False
    removes: bool = False


def judge(text: str, tokens: Sequence[Token], targets: Sequence[Target], section: Section) -> list[Context]:
    """The context of each target in one sentence.

    Parameters
    ----------
    text : str
        The whole report, in small letters and of the length of the original.
    tokens : Sequence[Token]
        The sentence's tokens.
    targets : Sequence[Target]
        What is mentioned, in order.
    section : Section
        The section the sentence stands in.
    """
    if not targets:
        return []
    sentence = _Sentence(text, tokens, targets)
    return [_by_section(sentence.context(target), target, section) for target in targets]


def _by_section(context: Context, target: Target, section: Section) -> Context:
    if section in ("history", "comparison"):
        return context._replace(historical=True)
    if section == "question" and target.is_finding and not context.historical:
        return context._replace(uncertain=not context.negated, historical=False)
    return context


class _Sentence:
    """One sentence's triggers and clauses, and what they say of its targets."""

    def __init__(self, text: str, tokens: Sequence[Token], targets: Sequence[Target]) -> None:
        self.words = [token.word for token in tokens]
        self.by_first = {target.first: target for target in targets}
        self.taken = {index for target in targets for index in range(target.first, target.last + 1)}
        self.triggers = find_triggers(text, tokens, self.taken)
        self.starts = [trigger.first for trigger in self.triggers]
        self.ends = clause_ends(self.words, self.triggers)

    def context(self, target: Target) -> Context:
        """What the triggers of its clause say of a target, the nearest ones first."""
        place = bisect_right(self.ends, target.first)
        begin = max(self._begin_of(place), target.first - _REACH)
        end = self.ends[place] if place < len(self.ends) else len(self.words)
        said: set[str] = set()
        middle = bisect_left(self.starts, target.first)
        for trigger in reversed(self.triggers[bisect_left(self.starts, begin) : middle]):
            said |= self._ahead(trigger, target, said)
        behind = self._end_behind(target, end)
        for trigger in self.triggers[middle : bisect_left(self.starts, min(behind, target.last + _REACH))]:
            if trigger.first > target.last:
                said |= self._back(trigger, target)
        removed = target.removes or "removed" in said
        negated = removed or "negated" in said
        uncertain = not negated and ("uncertain" in said or self._is_alternative(target))
        # "Denies a history of embolism": it was never there.
        past = (
            target.is_operation
            or self._is_reason(target)
            or ("historical" in said and (removed or not self._denies_history(target)))
        )
        return Context(negated, uncertain, removed or past, removed)

    def _is_reason(self, target: Target) -> bool:
        """Whether a finding is what an operation was done for: "nephrectomy for renal cell carcinoma"."""
        if not target.is_finding:
            return False
        index = target.first - 1
        while index >= 0 and (self.words[index] in _DETERMINERS or index in self.taken):
            index -= 1
        operations = [one for one in self.by_first.values() if one.is_operation and one.last < index]
        return index > 0 and self.words[index] == "for" and any(index - one.last <= 2 for one in operations)

    def _denies_history(self, target: Target) -> bool:
        """Whether the words for the past are themselves denied: "no history of"."""
        before = [one for one in self.triggers if one.last < target.first]
        return any(
            one.kind == "negated" and other.kind == "historical" and other.first - one.last <= 3
            for one, other in itertools.pairwise(before)
        )

    def _is_alternative(self, target: Target) -> bool:
        """Whether a finding is one of several that it may be: "pneumonia or lung cancer"."""
        if not target.is_finding:
            return False
        before, behind = (
            self.words[max(0, target.first - 2) : target.first],
            self.words[target.last + 1 : target.last + 4],
        )
        if behind[:1] == ["or"] and behind[1:2] and behind[1] not in _NO_ALTERNATIVE:
            return before[-1:] != ["and"]
        return "or" in before and before[-1] not in _NO_ALTERNATIVE and "with" not in before

    def _begin_of(self, place: int) -> int:
        """Where the clause that ends at a place begins; "DDx:" and "Rule out:" reach over their colon."""
        begin = self.ends[place - 1] if place else 0
        if begin and self.words[begin] == ":" and any(one.last == begin - 1 for one in self.triggers):
            start = self.ends[place - 2] if place > 1 else 0
            if begin - start <= 5:
                return start
        return begin

    def _end_behind(self, target: Target, end: int) -> int:
        """Where the words behind a target stop acting on it: "Pulmonary embolism: none" reaches over the colon."""
        over = end < len(self.words) and self.words[end] == ":" and end - target.last <= 2
        return end + 4 if over else end

    def _ahead(self, trigger: Trigger, target: Target, said: set[str]) -> set[str]:
        """What a trigger in front of a target says of it; `said` is what nearer ones have said already."""
        kind = trigger.kind
        if kind == "negated" and "negated" not in said:
            return {"negated"} if self._denies(trigger, target) else set()
        if kind in ("uncertain", "uncertain_both"):
            return {"uncertain"} if target.is_finding else set()
        if kind == "uncertain_around":  # "unlikely an embolism", but not "embolism unlikely, small effusion"
            said_before = any(trigger.first - _REACH_BACK <= one < trigger.first for one in self.by_first)
            return {"uncertain"} if target.is_finding and not said_before else set()
        if kind == "historical_adjacent":
            return {"historical"} if target.is_finding and self._is_adjective_of(trigger, target) else set()
        if kind == "historical" and "historical" not in said:
            return {"historical"} if self._same_list(trigger, target) else set()
        if kind == "question":
            return {"uncertain"} if trigger.last == target.first - 1 else set()
        if kind == "negated_back" and "negated" not in said:
            return {"negated"} if self._is_called_absent(trigger, target) else set()
        if (
            kind == "removed_back"
            and trigger.last == target.first - 1
            and self.words[trigger.first] not in FINITE_VERBS
        ):
            return {"removed"}  # "surgically absent uterus"
        return set()

    def _back(self, trigger: Trigger, target: Target) -> set[str]:
        """What a trigger behind a target says of it."""
        kind = trigger.kind
        if kind in ("negated_back", "removed_back") and self._is_subject(trigger, target):
            return {"removed"} if kind == "removed_back" else {"negated"}
        if kind in ("uncertain_back", "uncertain_around") and target.is_finding and not self._is_place(target):
            return {"uncertain"}
        if kind == "uncertain_both" and target.is_finding and trigger.first - target.last <= _REACH_BACK:
            return {"uncertain"}
        if kind == "historical_back" and (target.is_finding or trigger.first - target.last <= 4):
            return {"historical"}
        if kind == "replaced_back" and trigger.first == target.last + 1:
            return {"historical"}
        if kind == "question" and target.is_finding:
            return {"uncertain"}
        if kind == "answer_back":
            return {"negated"} if target.is_finding and trigger.first - target.last <= 2 else set()
        if kind == "negated" and self._is_answer(trigger, target):
            return {"negated"}
        return set()

    def _is_answer(self, trigger: Trigger, target: Target) -> bool:
        """Whether a negation stands alone behind the target: "Pulmonary embolism: no", "Effusion - none"."""
        asked = trigger.first - target.last == 2 and self.words[trigger.first - 1] in (":", "-", "–", "—")
        return asked and trigger.last >= len(self.words) - 2

    def _denies(self, trigger: Trigger, target: Target) -> bool:
        """Whether a negation in front of a target is about it, and not about what is in it or comes of it."""
        between = self.words[trigger.last + 1 : target.first]
        if target.is_finding or target.is_operation:
            place = next((index for index, word in enumerate(between) if word in _PREPOSITIONS), None)
            return place is None or any(word in _EVIDENCE for word in between[max(0, place - 2) : place + 2])
        # The organ itself: "no left kidney", but not "no left kidney stone" and not "no stone in the left kidney".
        of = target.first - 2 if self.words[target.first - 1] in _DETERMINERS else target.first - 1
        if self.words[of] == "of" and any(one.is_finding and one.last == of - 1 for one in self.by_first.values()):
            return False  # "no metastases of the liver"
        if not all(
            word in _BETWEEN_NO_AND_ORGAN or index in self.taken for index, word in enumerate(between, trigger.last + 1)
        ):
            return False
        return self._ends_noun_phrase(target)

    def _is_called_absent(self, trigger: Trigger, target: Target) -> bool:
        """Whether "absent" is an adjective of the target: "absent left kidney", but not "the spleen is absent"."""
        if trigger.first - 1 in self.taken or self.words[trigger.first] in FINITE_VERBS:
            return False
        following = target.last + 1
        goes_on = following < len(self.words) and self.words[following] not in _PHRASE_ENDS
        return self.words[trigger.last] in _ABSENT and trigger.last == target.first - 1 and not goes_on

    def _ends_noun_phrase(self, target: Target) -> bool:
        """Whether the target, or the list it begins, is followed by no further noun."""
        if self._has_finding_behind(target):
            return False
        index = target.last + 1
        while index < len(self.words) and (index in self.by_first or self._joins(index)):
            index = self.by_first[index].last + 1 if index in self.by_first else index + 1
        if self.words[index - 1] == ",":
            return True  # "absence of the right kidney, congenital"
        if self.words[index - 1] in CONJUNCTIONS:
            return False
        if index >= len(self.words):
            return True
        if self.words[index] in FINITE_VERBS:  # "no left kidney is seen", but "neither liver nor spleen is enlarged"
            return any(word in EXISTENTIAL for word in self.words[index + 1 : index + 4])
        return self.words[index] in _PHRASE_ENDS

    def _joins(self, index: int) -> bool:
        """Whether a list goes on with this word: "the spleen and the left kidney"."""
        word = self.words[index]
        return word in CONJUNCTIONS or (word in _DETERMINERS and self.words[index - 1] in CONJUNCTIONS)

    def _is_subject(self, trigger: Trigger, target: Target) -> bool:
        """Whether the verb of a trigger is said of the target: not of a stone in it, nor of a mass named after it."""
        if target.is_operation or any(
            word in FINITE_VERBS for word in self.words[target.last + 1 : max(0, trigger.first - _VERB_REACH)]
        ):
            return False
        return target.is_finding or not (self._is_place(target) or self._has_head_noun(trigger, target))

    def _is_place(self, target: Target) -> bool:
        """Whether the target is where something else is: "a mass in the pancreas"."""
        index = target.first - 1
        while index >= 0 and self.words[index] in _DETERMINERS:
            index -= 1
        return index > 0 and self.words[index] in _PREPOSITIONS

    def _has_head_noun(self, trigger: Trigger, target: Target) -> bool:
        """Whether the target only says which: "an adrenal mass is not seen"."""
        if self._has_finding_behind(target):
            return True
        following = target.last + 1
        if following >= trigger.first or following in self.by_first:
            return False
        return self.words[following] not in _PHRASE_ENDS

    def _has_finding_behind(self, target: Target) -> bool:
        """Whether a finding right behind the target is in it: "left lower lobe nodule"."""
        if target.is_finding:
            return False
        following = self.by_first.get(target.last + 1)
        return following is not None and following.is_finding

    def _is_adjective_of(self, trigger: Trigger, target: Target) -> bool:
        """Whether "old" stands with a finding, perhaps with its place between: "old right parietal stroke"."""
        between = self.words[trigger.last + 1 : target.first]
        return len(between) <= _ADJECTIVES and all(word.isalpha() and word not in _PHRASE_ENDS for word in between)

    def _same_list(self, trigger: Trigger, target: Target) -> bool:
        """The past reaches up to a comma; beyond it only over findings and operations, which come in lists."""
        between = self.words[trigger.last + 1 : target.first]
        if target.is_finding or target.is_operation:
            done = any(one.is_operation and trigger.last < one.first < target.first for one in self.by_first.values())
            return not any(word in _PRESENT for word in between) and not (done and "with" in between)
        return "," not in between and "with" not in between
