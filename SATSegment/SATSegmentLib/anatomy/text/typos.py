"""Words that are nearly the typed one."""

from __future__ import annotations

from collections.abc import Sequence


def allowed_edits(word: str) -> int:
    """One slip up to five letters, two beyond; short words and numbers must be right."""
    if len(word) < 4 or not word.isalpha():
        return 0
    return 1 if len(word) <= 5 else 2


def edits(typed: str, word: str, most: int, as_prefix: bool = False) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two words; `most` + 1 where there are more.

    With `as_prefix`, what follows in `word` after the typed part is free (optimal string alignment distance,
    minimum over the prefixes of `word`).
    """
    if not as_prefix and abs(len(typed) - len(word)) > most:
        return most + 1
    # What both begin with, and end with, costs nothing; most words are told apart by what is left.
    shared = 0
    for letter, other in zip(typed, word, strict=False):
        if letter != other:
            break
        shared += 1
    typed, word = typed[shared:], word[shared:]
    if not as_prefix:
        while typed and word and typed[-1] == word[-1]:
            typed, word = typed[:-1], word[:-1]
    if not typed:
        return 0 if as_prefix else min(len(word), most + 1)
    return _edits(typed, word, most, as_prefix)


def _edits(typed: str, word: str, most: int, as_prefix: bool) -> int:
    """As `edits`, row by row of the table; only cells that can be within `most` of the diagonal are filled."""
    far = most + 1
    width = min(len(word), len(typed) + most)
    two_before: list[int] = []
    before: list[int] = []
    row = [min(j, far) for j in range(width + 1)]
    for i, letter in enumerate(typed, 1):
        first, last = max(1, i - most), min(width, i + most)
        two_before, before, row = before, row, [far] * (width + 1)
        lowest = far
        if i <= most:
            row[0] = lowest = i
        for j in range(first, last + 1):
            other = word[j - 1]
            best = before[j - 1] if letter == other else before[j - 1] + 1
            if before[j] < best - 1:
                best = before[j] + 1
            if row[j - 1] < best - 1:
                best = row[j - 1] + 1
            if i > 1 and j > 1 and letter == word[j - 2] and typed[i - 2] == other and two_before[j - 2] < best - 1:
                best = two_before[j - 2] + 1
            row[j] = best
            if best < lowest:
                lowest = best
        if lowest > most:
            return far
    distance = min(row) if as_prefix else (row[len(word)] if width == len(word) else far)
    return min(distance, far)


class Spellings:
    """A vocabulary that can be asked for words like a typed one.

    Each word carries the set of its letters as bits, so that nearly all words are ruled out by one XOR: an edit
    changes at most two bits.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if len(word) > 2 and word.isalpha()]
        self._masks = [_mask(word) for word in self._words]

    def like(self, typed: str, as_prefix: bool = True) -> dict[str, int]:
        """Words within the allowed edits, with their number."""
        most = allowed_edits(typed)
        if not most:
            return {}
        mask, found = _mask(typed), {}
        shortest = len(typed) - most
        for word, letters in zip(self._words, self._masks, strict=True):
            # Letters that were typed and are not in the word cost one edit each.
            if (mask & ~letters).bit_count() > most or len(word) < shortest:
                continue
            # Slips on the first letter are rare, and half of the vocabulary would be compared for them.
            if word[0] != typed[0] and typed[0] not in word[1:3] and word[0] not in typed[1:3] and word[1] != typed[1]:
                continue
            distance = edits(typed, word, most)
            if distance > most and as_prefix and len(typed) >= 5:
                distance = edits(typed, word, most - 1, as_prefix=True) if most > 1 else most + 1
                distance = distance if distance <= most - 1 else most + 1
            if distance <= most:
                found[word] = distance
        return found


def _mask(word: str) -> int:
    mask = 0
    for letter in word:
        mask |= 1 << (ord(letter) & 31)
    return mask
