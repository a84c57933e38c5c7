"""Which parts of a name the typed words met, so that the list can show them in bold."""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.text.spelling import canonical_word, fold
from SATSegmentLib.anatomy.text.typos import allowed_edits, edits
from SATSegmentLib.anatomy.text.words import LEFT_WORDS, RIGHT_WORDS, Words

_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[^\W\d_]+|\d+")


def spans_of(name: str, words: Words, slips: bool = True) -> tuple[tuple[int, int], ...]:
    """(start, end) of the parts of `name` that the words match: a whole word, its beginning, or one of its `slips`."""
    spans: list[tuple[int, int]] = []
    for match in _WORD.finditer(name):
        length = _matched_length(match[0], words, slips)
        if length:
            spans.append((match.start(), match.start() + length))
    return tuple(spans)


def _matched_length(word: str, words: Words, slips: bool) -> int:
    folded = fold(word)
    canonical = canonical_word(folded)[0]
    sides = {"left": LEFT_WORDS, "right": RIGHT_WORDS}
    if words.side == "both" and folded in ("left", "right", "both"):
        return len(word)
    if words.side in sides and folded in sides[words.side]:
        return len(word)
    best = 0
    for token in words.tokens:
        if token in (canonical, folded):
            return len(word)
        if folded.startswith(token):
            best = max(best, len(token))
        elif token in (part.lstrip("0") for part in _PART.findall(folded)):
            best = max(best, len(word))
        elif slips and not best and edits(token, canonical, allowed_edits(token)) <= allowed_edits(token) > 0:
            best = len(word)
    return min(best, len(word))
