"""What a sentence says of what it mentions: not there, perhaps there, or of the past.

The method is ConText (Harkema et al., J Biomed Inform 2009;42:839-851, the successor of NegEx): trigger phrases that
act forwards or backwards up to the end of their clause, and pseudo-triggers ("no change") that act on nothing.
Two things are added. A clause ends where a new subject and verb begin ("no effusion, the heart is normal"). And a
negated finding does not negate its place: "no lesion in the spleen" leaves the spleen there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from SATSegmentLib.anatomy.report_rules import triggers as load_triggers
from SATSegmentLib.anatomy.report_rules import words
from SATSegmentLib.anatomy.report_text import Token

# A verb's forms and the words around it that tell where a clause and a noun phrase end.
_ENDS = words("clause_ends")
_FINITE = words("finite_verbs")
_EXISTENTIAL = words("existential")
_ASSERTIVE = words("assertive")
_PREPOSITIONS = words("prepositions")
_EVIDENCE = words("evidence")
_DETERMINERS = words("determiners")
_CONJUNCTIONS = words("conjunctions")
_PRESENT = words("present")
_PHRASE_ENDS = _FINITE | _PREPOSITIONS | _ENDS | words("phrase_ends")


@dataclass(frozen=True, slots=True)
class Context:
    """How something is mentioned; the three are independent of each other."""

    negated: bool = False
    uncertain: bool = False
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A mention to judge: tokens `first` to `last` (inclusive) of the sentence.

    Attributes
    ----------
    is_finding: a lesion, rather than a part of the body that is there anyway.
    is_operation: a word like "nephrectomy": of the past by itself.
    """

    first: int
    last: int
    is_finding: bool = False
    is_operation: bool = False


@dataclass(frozen=True, slots=True)
class _Trigger:
    first: int
    last: int
    kind: str


def judge(text: str, tokens: Sequence[Token], targets: Sequence[Target], section: str) -> list[Context]:
    """The context of each target in one sentence.

    Parameters
    ----------
    text: the whole report, in small letters and of the length of the original.
    tokens: the sentence's tokens.
    targets: what is mentioned, in order.
    section: the section the sentence stands in.
    """
    if not targets:
        return []
    triggers = _triggers(text, tokens, targets)
    ends = _clause_ends(tokens, triggers)
    return [_context(tokens, target, targets, triggers, ends, section) for target in targets]


def _triggers(text: str, tokens: Sequence[Token], targets: Sequence[Target]) -> list[_Trigger]:
    starts = [token.start for token in tokens]
    inside = {index for target in targets for index in range(target.first, target.last + 1)}
    found = []
    expression, kinds = load_triggers()
    for match in expression.finditer(text, tokens[0].start, tokens[-1].end):
        first = bisect_right(starts, match.start()) - 1
        last = bisect_right(starts, match.end() - 1) - 1
        kind = "question" if match["question"] else kinds[int(str(match.lastgroup)[1:])]
        if first not in inside and kind != "pseudo":
            found.append(_Trigger(first, last, kind))
    return found


def _clause_ends(tokens: Sequence[Token], triggers: Sequence[_Trigger]) -> list[int]:
    """Indices of the tokens at which the words before stop acting on the words after, in order; the length last."""
    within = {index for trigger in triggers for index in range(trigger.first, trigger.last + 1)}
    joints = [
        index
        for index, token in enumerate(tokens)
        if index not in within and (token.word in _ENDS or token.word in (",", "and", "with") or token.word == "there")
    ]
    ends: list[int] = []
    begin = 0
    for number, joint in enumerate(joints):
        word = tokens[joint].word
        stop = joints[number + 1] if number + 1 < len(joints) else len(tokens)
        if stop == joint + 1 and stop < len(tokens) and number + 2 <= len(joints):  # ", and the heart is": one joint
            stop = joints[number + 2] if number + 2 < len(joints) else len(tokens)
        if word in _ENDS or _begins_clause(tokens, begin, joint, stop, word):
            ends.append(joint)
            begin = joint
    return [*ends, len(tokens)]


def _begins_clause(tokens: Sequence[Token], begin: int, joint: int, stop: int, word: str) -> bool:
    """Whether what follows a comma or "and" stands on its own."""
    left = any(token.word in _FINITE for token in tokens[begin:joint])
    right = tokens[joint + 1 : stop]
    if word == "there":
        return joint > begin and left
    verb = next((index for index, token in enumerate(right) if token.word in _FINITE), None)
    if verb == 0 and word != "and":
        return False  # ", has resolved" goes on with the same subject
    if verb is None:
        return word != "with" and bool(right) and _lists_new_thing(tokens, right, stop)
    if word == "with":
        return False
    rest = [token.word for token in right[verb + 1 : verb + 4]]
    return left or not any(item in _EXISTENTIAL for item in rest)


def _lists_new_thing(tokens: Sequence[Token], right: Sequence[Token], stop: int) -> bool:
    """ "No embolism, small effusion": a list without a verb whose next item says how it is."""
    first = next((token.word for token in right if token.word not in _CONJUNCTIONS), "")
    if first not in _ASSERTIVE:
        return False
    ahead = [token.word for token in right] + [token.word for token in tokens[stop : stop + 2]]
    return not any(word in ("or", "nor") for word in ahead)


def _context(
    tokens: Sequence[Token],
    target: Target,
    targets: Sequence[Target],
    triggers: Sequence[_Trigger],
    ends: Sequence[int],
    section: str,
) -> Context:
    place = bisect_right(ends, target.first)
    clause = (ends[place - 1] if place else 0, ends[place] if place < len(ends) else len(tokens))
    after_colon = clause[1] < len(tokens) and tokens[clause[1]].word == ":" and clause[1] - target.last <= 2
    negated = uncertain = historical = False
    for trigger in triggers:
        if trigger.first >= clause[0] and trigger.last < target.first:
            if trigger.kind == "negated":
                negated |= _negates_forward(tokens, trigger, target, targets)
            elif trigger.kind == "uncertain":
                uncertain |= target.is_finding
            elif trigger.kind == "historical":
                historical |= _same_list(tokens, trigger, target)
            elif trigger.kind == "question":
                uncertain |= trigger.last == target.first - 1
        elif trigger.first > target.last and (
            trigger.first < clause[1] or (after_colon and trigger.first - clause[1] <= 2)
        ):
            if trigger.kind in ("negated_back", "removed_back"):
                subject = _negates_back(tokens, trigger, target, targets)
                negated |= subject
                historical |= subject and trigger.kind == "removed_back"
            elif trigger.kind == "uncertain_back":
                uncertain |= target.is_finding and not _is_place(tokens, target)
            elif trigger.kind == "historical_back":
                historical |= target.is_finding or trigger.first - target.last <= 4
            elif trigger.kind == "question":
                uncertain |= target.is_finding
            elif after_colon and trigger.kind == "negated" and trigger.last >= len(tokens) - 2:
                negated = True  # "Pulmonary embolism: no."
    return _by_section(Context(negated, uncertain and not negated, historical or target.is_operation), target, section)


def _by_section(context: Context, target: Target, section: str) -> Context:
    if section in ("history", "comparison"):
        return Context(context.negated, context.uncertain, True)
    if section == "question" and target.is_finding and not context.historical:
        return Context(context.negated, not context.negated, False)
    return context


def _negates_forward(tokens: Sequence[Token], trigger: _Trigger, target: Target, targets: Sequence[Target]) -> bool:
    if target.is_operation:
        return True
    between = [token.word for token in tokens[trigger.last + 1 : target.first]]
    if target.is_finding:
        governed = [index for index, word in enumerate(between) if word in _PREPOSITIONS]
        return all(_follows_evidence(between, index) for index in governed[:1])
    # The organ itself: "no left kidney", but not "no left kidney stone" and not "no stone in the left kidney".
    others = {index for item in targets for index in range(item.first, item.last + 1)}
    plain = all(
        word in _DETERMINERS or word in _CONJUNCTIONS or word in _EVIDENCE or word == "of" or index in others
        for index, word in enumerate(between, trigger.last + 1)
    )
    return plain and _ends_noun_phrase(tokens, target, targets)


def _follows_evidence(between: Sequence[str], preposition: int) -> bool:
    return preposition > 0 and any(word in _EVIDENCE for word in between[max(0, preposition - 2) : preposition])


def _ends_noun_phrase(tokens: Sequence[Token], target: Target, targets: Sequence[Target]) -> bool:
    """Whether the target, or the list it begins, is followed by no further noun."""
    index = target.last + 1
    by_first = {item.first: item for item in targets}
    while index < len(tokens) and (tokens[index].word in _CONJUNCTIONS or index in by_first):
        index = by_first[index].last + 1 if index in by_first else index + 1
    if index >= len(tokens):
        return tokens[-1].word not in _CONJUNCTIONS
    if tokens[index - 1].word in _CONJUNCTIONS:
        return False
    if tokens[index].word in _FINITE:  # "no left kidney is seen", but "neither liver nor spleen is enlarged"
        return any(token.word in _EXISTENTIAL for token in tokens[index + 1 : index + 4])
    return tokens[index].word in _PHRASE_ENDS


def _negates_back(tokens: Sequence[Token], trigger: _Trigger, target: Target, targets: Sequence[Target]) -> bool:
    """A verb negates its subject: what it comes after, with the rest of that list, but not the subject's place."""
    if target.is_operation:
        return False
    between = [token.word for token in tokens[target.last + 1 : trigger.first]]
    if not target.is_finding and (_is_place(tokens, target) or _has_head_noun(tokens, target, targets, trigger)):
        return False
    return not any(word in _FINITE for word in between)


def _is_place(tokens: Sequence[Token], target: Target) -> bool:
    """Whether the target is where something else is: "a mass in the pancreas"."""
    index = target.first - 1
    while index >= 0 and tokens[index].word in _DETERMINERS:
        index -= 1
    return index > 0 and tokens[index].word in _PREPOSITIONS


def _has_head_noun(tokens: Sequence[Token], target: Target, targets: Sequence[Target], trigger: _Trigger) -> bool:
    """Whether the target only says which: "an adrenal mass is not seen"."""
    following = target.last + 1
    if following >= trigger.first or any(item.first == following for item in targets):
        return False
    return tokens[following].word not in _PHRASE_ENDS


def _same_list(tokens: Sequence[Token], trigger: _Trigger, target: Target) -> bool:
    """The past reaches up to a comma; beyond it only over findings and operations, which come in lists."""
    between = [token.word for token in tokens[trigger.last + 1 : target.first]]
    if target.is_finding or target.is_operation:
        return not any(word in _PRESENT for word in between)
    return "," not in between
