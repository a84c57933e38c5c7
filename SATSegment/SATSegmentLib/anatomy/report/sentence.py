"""One sentence of a report as the readers of names see it, and what they find in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from SATSegmentLib.anatomy.report.rules import Surroundings
from SATSegmentLib.anatomy.report.text import Token
from SATSegmentLib.anatomy.text.spelling import canonical_word

NUMBER_WORDS = {
    "first": "1",
    "second": "2",
    "third": "3",
    "fourth": "4",
    "1st": "1",
    "2nd": "2",
    "3rd": "3",
    "4th": "4",
}


class Phrase(NamedTuple):
    """Tokens `first` to `last` (inclusive) of a sentence, and the labels they name.

    Attributes
    ----------
    labels : tuple[str, ...]
        Exact trained strings; empty where what is named is not trained in this modality.
    side : str
        "left", "right", "both" or "".
    core : tuple[int, int]
        First and last token of the name itself, without the side in front of it and behind it.
    exact : bool
        Whether the labels are what the words say, not the nearest to it.
    is_finding : bool
        Whether the labels are lesions.
    is_operation : bool
        Whether the words are an operation that took the labels' structures away.
    removes : bool
        Whether the operation left nothing of the labels' structures.
    is_counted : bool
        Whether it was read as ribs, vertebrae, segments or lobes.
    reach : int
        Last token that was used up by reading it, where that is beyond `last`.
    """

    first: int
    last: int
    labels: tuple[str, ...]
    side: str
    core: tuple[int, int]
    exact: bool = True
    is_finding: bool = False
    is_operation: bool = False
    removes: bool = False
    is_counted: bool = False
    reach: int = -1


class SentenceWords:
    """A sentence's tokens, with what is asked of them again and again.

    Attributes
    ----------
    tokens : Sequence[Token]
        With places in the report.
    canonical
        Each token's word in the one spelling that names are looked up in, and whether it was a plural.
    sentence
        Their text in small letters.
    around : Surroundings
        The report they stand in.
    """

    def __init__(self, tokens: Sequence[Token], original: str, around: Surroundings) -> None:
        start, end = tokens[0].start, tokens[-1].end
        self.tokens = tokens
        self.canonical = [canonical_word(NUMBER_WORDS.get(token.word, token.word)) for token in tokens]
        self.sentence = around.report[start:end]
        self.around = around
        self._original = original
        letters = original[start:end]
        self.is_shouted = len(letters) > 20 and letters.isupper()

    def is_capital(self, index: int) -> bool:
        """Whether a token is written in capitals, a plural's "s" apart, in a sentence that is not."""
        token = self.tokens[index]
        return not self.is_shouted and self._original[token.start : token.end].removesuffix("s").isupper()
