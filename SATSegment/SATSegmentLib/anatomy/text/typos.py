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
    width = min(len(word), len(typed) + most)
    two_before: list[int] = []
    before: list[int] = []
    row = list(range(width + 1))
    for i, letter in enumerate(typed, 1):
        two_before, before, row = before, row, [i] * (width + 1)
        for j in range(1, width + 1):
            best = min(before[j - 1] + (letter != word[j - 1]), before[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and letter == word[j - 2] and typed[i - 2] == word[j - 1]:
                best = min(best, two_before[j - 2] + 1)
            row[j] = best
        if min(row) > most:
            return most + 1
    distance = min(row) if as_prefix else (row[len(word)] if width == len(word) else most + 1)
    return min(distance, most + 1)


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
