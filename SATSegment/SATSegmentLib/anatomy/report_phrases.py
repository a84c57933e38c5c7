"""The structures, findings and operations that a sentence names, each with its place and its trained labels.

The longest name wins and nothing is read twice. Words that share a noun or a side are read out in full: "parotid and
submandibular glands", "gluteus medius and minimus", "left hippocampus and amygdala".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from SATSegmentLib.anatomy.labels import find_label
from SATSegmentLib.anatomy.report_names import MAX_NAME_WORDS, Named, Names, load_names
from SATSegmentLib.anatomy.report_numbers import SIDES, read_counted, side_behind
from SATSegmentLib.anatomy.report_rules import operations, words
from SATSegmentLib.anatomy.report_text import Token
from SATSegmentLib.anatomy.spelling import canonical_word

_MODIFIERS = words("modifiers")
_FILLERS = words("name_fillers")
_OTHER_NOUNS = words("other_nouns")
_JOINS = frozenset(("and", "or", "&", ",", "/"))
_AND = frozenset(("and", "&"))
_NUMBER_WORDS = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
# Words between a side and an operation: "left upper pole partial nephrectomy".
_OPERATION_REACH = 4


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens `first` to `last` (inclusive) of a sentence, and the labels they name.

    Attributes
    ----------
    labels: exact trained strings; empty where what is named is not trained in this modality.
    side: "left", "right", "both" or "".
    exact: whether the labels are what the words say, not the nearest to it.
    is_finding: whether the labels are lesions.
    is_operation: whether the words are an operation that took the labels' structures away.
    core: the name's own tokens, without the side in front and behind.
    counted: whether it was read as ribs, vertebrae, segments or lobes.
    reach: last token that was used up by reading it, where that is beyond `last`.
    """

    first: int
    last: int
    labels: tuple[str, ...]
    side: str
    exact: bool = True
    is_finding: bool = False
    is_operation: bool = False
    core: tuple[int, int] = (0, -1)
    counted: bool = False
    reach: int = -1


@dataclass(frozen=True, slots=True)
class _Sentence:
    tokens: Sequence[Token]
    originals: Sequence[str]
    text: str
    report: str
    shouted: bool


def find_phrases(tokens: Sequence[Token], original: str, report: str, modality: str) -> list[Phrase]:
    """What the sentence names, in order; phrases do not overlap, and each has at least one label.

    Parameters
    ----------
    tokens: the sentence's tokens, with places in the report.
    original, report: the whole report as it is, and in small letters of the same length.
    modality: only labels trained in it are given.
    """
    if not tokens:
        return []
    start, end = tokens[0].start, tokens[-1].end
    letters = [letter for letter in original[start:end] if letter.isalpha()]
    shouted = len(letters) > 12 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters)
    sentence = _Sentence(tokens, [original[t.start : t.end] for t in tokens], report[start:end], report, shouted)
    reader = _Reader(sentence, load_names(modality), modality)
    found = reader.read()
    found = reader.share_nouns(found)
    found = [reader.share_side(found, index) for index in range(len(found))]
    return [phrase for phrase in _without_general_discs(found) if phrase.labels]


class _Reader:
    """Reads one sentence."""

    def __init__(self, sentence: _Sentence, names: Names, modality: str) -> None:
        self.sentence = sentence
        self.tokens = sentence.tokens
        self.names = names
        self.modality = modality

    def read(self) -> list[Phrase]:
        """All phrases from left to right, also those without a label, which keep their words from being read again."""
        found: list[Phrase] = []
        index = 0
        while index < len(self.tokens):
            phrase = self._at(index)
            if phrase is None:
                index += 1
                continue
            found.append(phrase)
            index = max(phrase.last, phrase.reach) + 1
        return found

    def _at(self, index: int) -> Phrase | None:
        counted = read_counted(self.tokens, index, self.modality)
        named = self._named(index) or self._operation(index)
        if counted and (named is None or counted.last >= named.last):
            labels = tuple(label for label in counted.labels if find_label(self.modality, label))
            core = (counted.first, counted.last)
            return Phrase(counted.first, counted.last, labels, counted.side, core=core, counted=True)
        return named

    # -- names --------------------------------------------------------------------------------------------------

    def _named(self, index: int) -> Phrase | None:
        """The longest name at a place, with the side in front of it and behind it."""
        side, start = self._leading_side(index)
        phrase = self._core(start, side)
        if phrase is None and side:
            while start < len(self.tokens) and self.tokens[start].word in _MODIFIERS and start - index < 5:
                start += 1
                if phrase := self._core(start, side):
                    break
        if phrase is None:
            return None
        if phrase.core[0] == start:
            phrase = replace(phrase, first=index)
        return phrase if phrase.side else self._with_side_behind(phrase)

    def _leading_side(self, index: int) -> tuple[str, int]:
        """The side said at a place ("left", "right and left", "left-sided"), and the index after it."""
        side = SIDES.get(self.tokens[index].word, "")
        position = index + 1
        if not side or (self.tokens[index].word in ("l", "r") and not self._is_side_letter(index)):
            return "", index
        if (
            position + 1 < len(self.tokens)
            and self.tokens[position].word in ("and", "or", "&", "/")
            and {side, SIDES.get(self.tokens[position + 1].word)} == {"left", "right"}
        ):
            return "both", position + 2
        while position < len(self.tokens) and self.tokens[position].word in ("-", "sided", "sides", "the", ".", "of"):
            if self.tokens[position].word == "of" and side != "both":
                break
            position += 1
        return side, position

    def _is_side_letter(self, index: int) -> bool:
        """ "L kidney", "r. kidney": a letter in front of a word."""
        return index + 1 < len(self.tokens) and (
            self.sentence.originals[index].isupper() or self.tokens[index + 1].word == "."
        )

    def _core(self, start: int, side: str) -> Phrase | None:
        """The longest name that begins right here, said with a side before it."""
        windows = list(self._windows(start))
        for last, key, inner, plural in reversed(windows):
            said = side or inner
            if side and inner and side != inner:
                continue
            if not self._is_written_as_name(start, last, key):
                continue
            named = self.names.find(key, said, plural, self.sentence.report, self.sentence.text)
            if named is None:
                continue
            if not named.labels and named.fallback:
                return self._organ_inside(start, last, said, named)
            if named.labels and not named.is_finding and self._goes_on(last):
                return Phrase(start, last, (), said, core=(start, last))
            return self._phrase(start, last, said, named)
        return None

    def _windows(self, start: int) -> Iterator[tuple[int, str, str, bool]]:
        """Word groups from a place on that are names: last index, key, side said inside, whether a plural."""
        content: set[str] = set()
        inner, plural = "", False
        for position in range(start, min(start + 2 * MAX_NAME_WORDS, len(self.tokens))):
            word = self.tokens[position].word
            if position > start and word in SIDES and len(word) > 1:
                if inner and inner != SIDES[word]:
                    return
                inner = SIDES[word]
                continue
            if position > start and (word in _FILLERS or word in ("-", "‐", "‑", "/") or word in _AND):
                continue
            canonical, is_plural = canonical_word(
                _NUMBER_WORDS.get(word, word.removesuffix("rd") if word == "3rd" else word)
            )
            if canonical not in self.names.vocabulary or canonical in content or len(content) >= MAX_NAME_WORDS:
                return
            content.add(canonical)
            plural |= is_plural
            key = " ".join(sorted(content))
            if self.names.has(key):
                yield position, key, inner, plural

    def _is_written_as_name(self, start: int, last: int, key: str) -> bool:
        """Short forms count in capitals only: "ON" is the optic nerve, "on" is not."""
        if any(self.tokens[index].word in _AND for index in range(start, last)) and not self.names.holds_and(key):
            return False
        if len(key) > 3 or not self.names.is_code(key):
            return True
        original = self.sentence.originals[start]
        if len(key) == 3:
            return True
        return original.rstrip("s").isupper() and not self.sentence.shouted

    def _phrase(self, start: int, last: int, side: str, named: Named) -> Phrase:
        return Phrase(start, last, named.labels, side, named.exact, named.is_finding, core=(start, last))

    def _goes_on(self, last: int) -> bool:
        """Whether the next noun makes it another structure: "thyroid cartilage"."""
        return last + 1 < len(self.tokens) and self.tokens[last + 1].word in _OTHER_NOUNS

    def _organ_inside(self, start: int, last: int, side: str, named: Named) -> Phrase:
        """What is left of a name that SAT cannot do: "kidney" of "upper pole of the kidney" and of "kidney stone"."""
        for first in range(start, last + 1):
            windows = [window for window in self._windows(first) if window[0] <= last]
            for end, key, inner, plural in reversed(windows):
                if (first, end) == (start, last):
                    continue
                organ = self.names.find(key, side or inner, plural, self.sentence.report, self.sentence.text)
                if organ and organ.labels and not organ.is_finding and _is_of(organ.labels, named.fallback):
                    return replace(self._phrase(first, end, side or inner, organ), exact=False, reach=last)
        return Phrase(start, last, (), side, core=(start, last))

    def _with_side_behind(self, phrase: Phrase) -> Phrase:
        side, after = side_behind(self.tokens, phrase.last + 1)
        if not side:
            return phrase
        labels = _on_side(self.modality, phrase.labels, side)
        exact = phrase.exact and (labels != phrase.labels or side == "both")
        return replace(phrase, last=after - 1, side=side, labels=labels, exact=exact)

    # -- operations ---------------------------------------------------------------------------------------------

    def _operation(self, index: int) -> Phrase | None:
        """ "nephrectomy" with a side in front or behind, "right upper lobectomy"."""
        side, start = self._leading_side(index)
        while side and start < len(self.tokens) and start - index < _OPERATION_REACH:
            if self.tokens[start].word not in _MODIFIERS and self.tokens[start].word not in ("-", "/", "middle"):
                break
            start += 1
        if start >= len(self.tokens):
            return None
        word = canonical_word(self.tokens[start].word)[0]
        if word in ("lobectomy", "bilobectomy"):
            return self._lobectomy(index, start, side)
        organs = operations().get(word)
        if not organs:
            return None
        last = start
        if not side:
            side, after = side_behind(self.tokens, start + 1)
            last = after - 1 if side else start
        labels: list[str] = []
        for organ in organs:
            labels.extend(_on_side(self.modality, (organ,), side) if find_label(self.modality, organ) else ())
        return Phrase(index, last, tuple(dict.fromkeys(labels)), side, is_operation=True, core=(index, last))

    def _lobectomy(self, first: int, last: int, side: str) -> Phrase | None:
        before = [token.word for token in self.tokens[max(0, last - _OPERATION_REACH) : last]]
        places = [word for word in before if word in ("upper", "middle", "lower")]
        if "hepatic" in before or "liver" in before:
            lobes = [f"{side} lobe of liver"]
        elif "thyroid" in before:
            lobes = [f"{side} thyroid"]
        else:
            lobes = [f"{side} lung {place} lobe" for place in places]
        labels = tuple(label for label in lobes if find_label(self.modality, label))
        return Phrase(first, last, labels, side, is_operation=True, core=(first, last))

    # -- what two names share -----------------------------------------------------------------------------------

    def share_nouns(self, found: list[Phrase]) -> list[Phrase]:
        """Adds the names that lean on a neighbour's noun: "femoral and tibial cartilage", "scar or edema"."""
        taken = {index for phrase in found for index in range(phrase.first, phrase.last + 1)}
        extra: list[Phrase] = []
        for phrase in found:
            if phrase.labels and not phrase.counted:
                extra.extend(self._sharing_before(phrase, taken))
                extra.extend(self._sharing_after(phrase, taken))
        return sorted([*found, *extra], key=lambda phrase: phrase.first)

    def _sharing_before(self, phrase: Phrase, taken: set[int]) -> Iterator[Phrase]:
        """Names in front of "and" that end in the last word(s) of the phrase."""
        index = phrase.first
        while index >= 2 and self.tokens[index - 1].word in _JOINS:
            joined = index - 1
            while joined > 0 and self.tokens[joined - 1].word in _JOINS:
                joined -= 1
            shared = self._shared(joined, phrase, taken)
            if shared is None:
                return
            yield shared
            taken.update(range(shared.first, shared.last + 1))
            index = shared.first

    def _shared(self, joined: int, phrase: Phrase, taken: set[int]) -> Phrase | None:
        for size in (3, 2, 1):
            first = joined - size
            if first < 0 or any(index in taken for index in range(first, joined)):
                continue
            side, start = self._leading_side(first)
            own = [token.word for token in self.tokens[start:joined]]
            for tail in range(phrase.last - phrase.core[0], 0, -1):
                nouns = [token.word for token in self.tokens[phrase.last + 1 - tail : phrase.last + 1]]
                if own and (named := self._find([*own, *nouns], side)):
                    return Phrase(
                        first, joined - 1, named.labels, side, named.exact, named.is_finding, core=(start, joined - 1)
                    )
        return None

    def _sharing_after(self, phrase: Phrase, taken: set[int]) -> Iterator[Phrase]:
        """Names behind "and" that begin with the first word(s) of the phrase."""
        index = phrase.last + 1
        while index + 1 < len(self.tokens) and self.tokens[index].word in _JOINS:
            start = index + 1
            while start < len(self.tokens) and self.tokens[start].word in _JOINS:
                start += 1
            if start >= len(self.tokens) or start in taken:
                return
            shared = self._leaning(start, phrase)
            if shared is None:
                return
            yield shared
            taken.update(range(shared.first, shared.last + 1))
            index = shared.last + 1

    def _leaning(self, start: int, phrase: Phrase) -> Phrase | None:
        word = self.tokens[start].word
        if not word.isalpha() or len(word) < 4:
            return None
        first, last = phrase.core
        for head in range(last - first, 0, -1):
            nouns = [token.word for token in self.tokens[first : first + head]]
            if named := self._find([*nouns, word], phrase.side):
                return Phrase(
                    start, start, named.labels, phrase.side, named.exact, named.is_finding, core=(start, start)
                )
        return None

    def _find(self, said: Sequence[str], side: str) -> Named | None:
        """A name made of words from two places; only where it has labels."""
        canonical = [canonical_word(word) for word in said if word not in _FILLERS and word not in SIDES]
        key = " ".join(sorted({word for word, _ in canonical}))
        if not self.names.has(key):
            return None
        plural = any(is_plural for _, is_plural in canonical[:-1]) if side else False
        named = self.names.find(key, side, plural, self.sentence.report, self.sentence.text)
        return named if named and named.labels else None

    def share_side(self, found: Sequence[Phrase], index: int) -> Phrase:
        """A structure right behind "and" is on the side of the one before: "left hippocampus and amygdala"."""
        phrase = found[index]
        if index == 0 or phrase.side or phrase.is_finding or phrase.counted or phrase.is_operation or not phrase.labels:
            return phrase
        before = found[index - 1]
        joined = phrase.first - before.last == 2 and self.tokens[phrase.first - 1].word in ("and", "or", "&", "/")
        if not joined or before.side not in ("left", "right") or before.is_finding or before.counted:
            return phrase
        if canonical_word(self.tokens[phrase.last].word)[1]:
            return phrase  # "left kidney and adrenal glands"
        labels = _on_side(self.modality, phrase.labels, before.side)
        return replace(phrase, labels=labels, side=before.side) if labels != phrase.labels else phrase


def _is_of(labels: Sequence[str], fallback: Sequence[str]) -> bool:
    """Whether labels are among those that may stand for a whole; "*" allows any."""
    plain = {label.removeprefix("left ").removeprefix("right ") for label in labels}
    return "*" in fallback or bool(plain & {label.removeprefix("left ").removeprefix("right ") for label in fallback})


def _on_side(modality: str, labels: Sequence[str], side: str) -> tuple[str, ...]:
    """The labels of one side, as far as they were trained: "kidney" or both kidneys -> "left kidney"."""
    bases = list(dict.fromkeys(label.removeprefix("left ").removeprefix("right ") for label in labels))
    result: list[str] = []
    for base in bases:
        for one in ("left", "right") if side == "both" else (side,):
            label = find_label(modality, f"{one} {base}") if one else None
            result.append(label.text if label else base)
    if any(find_label(modality, text) is None for text in result):
        return tuple(labels)
    return tuple(dict.fromkeys(result))


def _without_general_discs(found: Sequence[Phrase]) -> list[Phrase]:
    """ "Disc protrusion at L4/5" is about one disc, not about all of them."""
    if not any(label.startswith("intervertebral disc ") for phrase in found for label in phrase.labels):
        return list(found)
    return [phrase for phrase in found if phrase.labels != ("intervertebral discs",)]
