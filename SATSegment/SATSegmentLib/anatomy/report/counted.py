"""What is counted rather than named, wherever a sentence may begin to count: ribs, levels, segments, lobes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from SATSegmentLib.anatomy.report.levels import (
    BEFORE_LEVELS,
    LEVEL,
    plain_level,
    read_disc_between,
    read_levels,
    read_ordinal_vertebrae,
)
from SATSegmentLib.anatomy.report.lobes import (
    LIVER_WORDS,
    POSITIONS,
    SEGMENT_WORDS,
    read_liver_segments,
    read_lung_lobes,
    read_short_segment,
)
from SATSegmentLib.anatomy.report.numbers import ORDINALS, SIDES, THORACIC, Counted
from SATSegmentLib.anatomy.report.ribs import RIB_ADJECTIVES, read_ribs
from SATSegmentLib.anatomy.report.text import Token

_RIBS = frozenset(("rib", "ribs"))
_LOBES = frozenset(("lobe", "lobes"))
_VERTEBRAE = frozenset(("vertebra", "vertebrae", "vertebras", "vertebral"))


class CountReader:
    """Reads the counted structures of one sentence."""

    def __init__(self, tokens: Sequence[Token], modality: str) -> None:
        self.tokens = tokens
        self.modality = modality
        self.around = frozenset(token.word for token in tokens)
        # Most sentences count nothing: what they lack is not looked for at every number in them.
        self._ribs = bool(self.around & _RIBS)
        self._lobes = bool(self.around & _LOBES)
        self._vertebrae = bool(self.around & _VERTEBRAE)
        self._segments = bool(self.around & SEGMENT_WORDS)

    @cached_property
    def _words(self) -> list[str]:
        return [token.word if token.word.isalpha() else plain_level(token.word) for token in self.tokens]

    def may_start(self, word: str) -> bool:
        """Whether something counted may begin with this word."""
        if word[0].isdigit() or word in ORDINALS:
            return self._ribs or self._vertebrae
        if word in SIDES or word in POSITIONS or word in RIB_ADJECTIVES:
            return self._ribs or self._lobes
        return word in _RIBS or word in SEGMENT_WORDS or word in LIVER_WORDS or self._starts_levels(word)

    @staticmethod
    def _starts_levels(word: str) -> bool:
        return word in BEFORE_LEVELS or (word[-1].isdigit() and LEVEL.match(word) is not None)

    def read(self, index: int) -> Counted | None:
        """What is counted from a token on, or None. Without labels: read, but nothing that SAT knows."""
        word = self.tokens[index].word
        counts = word in SIDES or word in ORDINALS or word in RIB_ADJECTIVES or word[0].isdigit() or word in _RIBS
        counts = counts or (self._ribs and THORACIC.match(word) is not None)
        if counts and self._ribs and (found := read_ribs(self.tokens, index)):
            return found
        if counts and self._vertebrae and (found := read_ordinal_vertebrae(self.tokens, index)):
            return found
        if self._lobes and (word in SIDES or word in POSITIONS):
            return read_lung_lobes(self.tokens, index)
        if self._segments and (word in SEGMENT_WORDS or word in LIVER_WORDS):
            return read_liver_segments(self.tokens, index, self._words)
        if self._starts_levels(word):
            if word[0] == "s" and (found := read_short_segment(index, self._words)):
                return found
            return read_disc_between(self.tokens, index) or read_levels(
                self.tokens, index, self.modality, self._words, self.around
            )
        return None
