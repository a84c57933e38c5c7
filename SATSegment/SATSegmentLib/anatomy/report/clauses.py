"""The triggers of a sentence and the clauses they act in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence, Set
from typing import NamedTuple

from SATSegmentLib.anatomy.report.rules import triggers as load_triggers
from SATSegmentLib.anatomy.report.rules import words
from SATSegmentLib.anatomy.report.text import Token

CLAUSE_ENDS = words("clause_ends")
FINITE_VERBS = words("finite_verbs")
EXISTENTIAL = words("existential")
CONJUNCTIONS = words("conjunctions")
_ASSERTIVE = words("assertive")
_JOINTS = CLAUSE_ENDS | {",", "and", "with", "there"}


# ", with a small nodule": what follows is a new thing.
_LEADING = frozenset(("with", "a", "an"))


class Trigger(NamedTuple):
    """Tokens `first` to `last` (inclusive) that act on what is mentioned; `kind` as in report_rules.toml."""

    first: int
    last: int
    kind: str


def find_triggers(text: str, tokens: Sequence[Token], taken: Set[int]) -> list[Trigger]:
    """The triggers of a sentence in order, without those inside of what is mentioned; `text` is in small letters."""
    starts = [token.start for token in tokens]
    expression, kinds = load_triggers()
    found = []
    for match in expression.finditer(text, tokens[0].start, tokens[-1].end):
        kind = "question" if match["question"] else kinds[int(str(match.lastgroup)[1:])]
        first = bisect_right(starts, match.start()) - 1
        if kind != "pseudo" and first not in taken:
            found.append(Trigger(first, bisect_right(starts, match.end() - 1) - 1, kind))
    return found


def clause_ends(words: Sequence[str], triggers: Sequence[Trigger]) -> list[int]:
    """Indices of the tokens at which the words before stop acting on the words after, in order; the length is last."""
    within = {index for trigger in triggers for index in range(trigger.first, trigger.last + 1)}
    joints = [index for index, word in enumerate(words) if word in _JOINTS and index not in within]
    # "whether there is" goes on; "effusion, there is" does not.
    joints = [index for index in joints if words[index] != "there" or index - 1 not in within]
    verbs = [index for index, word in enumerate(words) if word in FINITE_VERBS]
    acting = [trigger.first for trigger in triggers]
    ends: list[int] = []
    begin = 0
    for number, joint in enumerate(joints):
        following = number + 1
        while following < len(joints) and joints[following] == joint + following - number:
            following += 1  # ", and the heart is": one joint
        stop = joints[following] if following < len(joints) else len(words)
        has_verb = bisect_left(verbs, begin) < bisect_left(verbs, joint)
        has_trigger = bisect_left(acting, begin) < bisect_left(acting, joint)
        if words[joint] in CLAUSE_ENDS or _begins_clause(words, has_verb, has_trigger, joint, stop):
            ends.append(joint)
            begin = joint
    return [*ends, len(words)]


def _begins_clause(words: Sequence[str], has_verb: bool, has_trigger: bool, joint: int, stop: int) -> bool:
    """Whether what follows a comma, "and", "with" or "there" stands on its own.

    `has_verb` and `has_trigger` are of the words before: "uterus and ovaries are absent" has neither and stays one.
    """
    if words[joint] == "there":
        return has_verb
    right = words[joint + 1 : stop]
    verb = next((index for index, word in enumerate(right) if word in FINITE_VERBS), None)
    if verb is None:
        return _lists_new_thing(right, words[stop : stop + 2])
    if words[joint] == "with" or (verb == 0 and words[joint] == ","):
        return False  # ", has resolved" goes on with the same subject
    return has_verb or (has_trigger and not any(word in EXISTENTIAL for word in right[verb + 1 : verb + 4]))


def _lists_new_thing(right: Sequence[str], ahead: Sequence[str]) -> bool:
    """ "No embolism, small effusion": a list without a verb whose next item says how it is."""
    first = next((word for word in right if word not in CONJUNCTIONS and word not in _LEADING), "")
    return first in _ASSERTIVE and not any(word in ("or", "nor") for word in (*right, *ahead))
