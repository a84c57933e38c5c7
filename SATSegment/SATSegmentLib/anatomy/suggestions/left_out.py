"""What was typed and is not in a suggestion: "my" of "my th" for the thalamus, "ureter" of "left ureter wall"."""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion
from SATSegmentLib.anatomy.text.spelling import canonical_word, fold
from SATSegmentLib.anatomy.text.typos import allowed_edits, edits
from SATSegmentLib.anatomy.text.words import FILLERS, LEFT_WORDS, RIGHT_WORDS, Words, read_words

_PIECE = re.compile(r"[^\W_]+")


def left_out(hit: Suggestion, text: str, words: Words) -> tuple[str, ...]:
    """The typed words that a suggestion does not hold, as written and in order.

    Parameters
    ----------
    hit : Suggestion
        What `text` found.
    text : str
        What was typed.
    words : Words
        The same, read.
    """
    lacks_side = bool(hit.prompts) and words.side in ("left", "right") and not _has_side(hit, words.side)
    pieces = _PIECE.findall(text)
    fillers = [piece for piece in pieces if piece.lower() in FILLERS]
    if hit.match != "partial" and not lacks_side and not fillers:
        return ()
    sides = LEFT_WORDS if words.side == "left" else RIGHT_WORDS
    name = _name_words(hit) if hit.match == "partial" or fillers else frozenset()
    return tuple(piece for piece in pieces if _is_left_out(fold(piece), hit, name, sides if lacks_side else ()))


def _is_left_out(piece: str, hit: Suggestion, name: frozenset[str], sides: frozenset[str] | tuple[()]) -> bool:
    if piece in sides:
        return True
    if piece in LEFT_WORDS or piece in RIGHT_WORDS:
        return False
    if piece in FILLERS:
        # "The" may be the beginning of what is meant, as in "the th".
        return not any(word.startswith(piece) for word in name)
    return hit.match == "partial" and not _is_met(piece, name)


def _has_side(hit: Suggestion, side: str) -> bool:
    return any(side in prompt.text.split() for prompt in hit.prompts)


def _name_words(hit: Suggestion) -> frozenset[str]:
    words = [*read_words(hit.matched).tokens, *read_words(hit.name).tokens, *fold(hit.name).split()]
    return frozenset((*words, *fold(hit.matched).split()))


def _is_met(piece: str, name: frozenset[str]) -> bool:
    word = canonical_word(piece)[0]
    most = allowed_edits(word)
    return any(one.startswith((piece, word)) or (most and edits(word, one, most) <= most) for one in name)
