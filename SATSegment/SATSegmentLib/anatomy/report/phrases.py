"""The structures, findings and operations that a sentence names, each with its place and its trained labels.

Read from left to right; the longest name wins, and nothing is read twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from SATSegmentLib.anatomy.report.counted import CountReader
from SATSegmentLib.anatomy.report.names import MAX_NAME_WORDS, Named, Names
from SATSegmentLib.anatomy.report.numbers import SIDES, side_behind
from SATSegmentLib.anatomy.report.operations import is_planned, lobes, took_all
from SATSegmentLib.anatomy.report.rules import operations, words
from SATSegmentLib.anatomy.report.sentence import Phrase, SentenceWords
from SATSegmentLib.anatomy.vocabulary.labels import find_label

_MODIFIERS = words("modifiers")
_FILLERS = words("name_fillers") | {"-", "‐", "‑", "/"}
_OTHER_NOUNS = words("other_nouns")
_STUDY_NOUNS = words("study_nouns")
# Around "PA", "RA" and the like: how a picture was taken, and who read it.
_NOT_BEFORE_CODES = words("not_before_codes")
_NOT_BEHIND_CODES = words("not_behind_codes")
_OPERATIONS = operations()
# "Hip replacement on the right", "hip joint effusion on the right": so many nouns may stand before the side.
_NOUNS_BEFORE_SIDE = 2
_NO_NOUNS = (
    words("prepositions") | words("finite_verbs") | words("clause_ends") | words("conjunctions") | {"with", "no"}
)
_AND = frozenset(("and", "&"))
# Words between a side and what it belongs to: "left laparoscopic radical nephrectomy".
_REACH = 4


class PhraseReader:
    """Reads one sentence."""

    def __init__(self, words: SentenceWords, names: Names) -> None:
        self.words = words
        self.tokens = words.tokens
        self.names = names
        self.modality = names.modality
        self.counts = CountReader(words.tokens, names.modality)

    def read(self) -> list[Phrase]:
        """All phrases, also those without a label, which keep their words from being read as something else."""
        found: list[Phrase] = []
        index = 0
        while index < len(self.tokens):
            phrase = self._at(index) if self._may_start(index) else None
            if phrase is None:
                index += 1
                continue
            found.extend(self._in_its_organ(phrase))
            index = max(phrase.last, phrase.reach) + 1
        return found

    def _in_its_organ(self, phrase: Phrase) -> Iterator[Phrase]:
        """A finding and the organ that its own words name: "tumor of the pancreas" is both."""
        of = next((i for i in range(phrase.first + 1, phrase.last) if self.tokens[i].word == "of"), None)
        organ = self._named(of + 1 + (self.tokens[of + 1].word == "the")) if of and phrase.is_finding else None
        if of is None or organ is None or not organ.labels or organ.is_finding or organ.last < phrase.last:
            yield phrase
            return
        yield phrase._replace(last=of - 1, core=(phrase.core[0], of - 1))
        yield organ

    def _may_start(self, index: int) -> bool:
        word = self.tokens[index].word
        canonical = self.words.canonical[index][0]
        return (
            word in SIDES
            or canonical in self.names.vocabulary
            or canonical in _OPERATIONS
            or self.counts.may_start(word)
        )

    def _at(self, index: int) -> Phrase | None:
        counted = self.counts.read(index)
        labels = tuple(label for label in counted.labels if find_label(self.modality, label)) if counted else ()
        named = None if labels else self._operation(index) or self._named(index)
        if counted and (named is None or counted.last >= named.last):
            core = (counted.first, counted.last)
            return Phrase(counted.first, counted.last, labels, counted.side, core, is_counted=True)
        return named

    # -- names --------------------------------------------------------------------------------------------------

    def _named(self, index: int) -> Phrase | None:
        """The longest name at a place, with the side in front of it and behind it."""
        side, start = self.leading_side(index)
        phrase = self._core(start, side)
        while side and phrase is None and start - index < _REACH:
            if start >= len(self.tokens) or self.tokens[start].word not in _MODIFIERS:
                return None
            start += 1
            phrase = self._core(start, side)
        if phrase is None:
            return None
        if not side and self._is_of_other_side(index, phrase):
            return phrase._replace(labels=())  # "right atrial appendage"
        if phrase.core[0] == start:
            phrase = phrase._replace(first=index)
        return phrase if phrase.side or phrase.reach >= 0 else self._with_side_behind(phrase)

    def _is_of_other_side(self, index: int, phrase: Phrase) -> bool:
        other = {"left": "right ", "right": "left "}.get(SIDES.get(self.tokens[index - 1].word, "") if index else "")
        return other is not None and bool(phrase.labels) and all(other in f"{label} " for label in phrase.labels)

    def leading_side(self, index: int) -> tuple[str, int]:
        """The side said at a place ("left", "right and left", "left-sided"), and the index after it."""
        word = self.tokens[index].word
        if word not in SIDES or (word in ("l", "r") and not self._is_side_letter(index)):
            return "", index
        side, position = SIDES[word], index + 1
        following = [token.word for token in self.tokens[position : position + 2]] or [""]
        if {side, SIDES.get(following[-1])} == {"left", "right"} and following[0] in ("and", "or", "&", "/"):
            return "both", position + 2
        skipped = ("-", "sided", "sides", "the", ".", "of") if side == "both" else ("-", "sided", ".")
        while position < len(self.tokens) and self.tokens[position].word in skipped:
            position += 1
        return side, position

    def _is_side_letter(self, index: int) -> bool:
        """ "L kidney", "r. kidney": a letter in front of a word."""
        if index + 1 >= len(self.tokens):
            return False
        return self.words.is_capital(index) or self.tokens[index + 1].word == "."

    def _core(self, start: int, side: str) -> Phrase | None:
        """The longest name that begins right here, said with a side before it."""
        if start >= len(self.tokens) or self.words.canonical[start][0] not in self.names.vocabulary:
            return None
        for last, key, inner, plural in reversed(list(self._windows(start))):
            if (side and inner and side != inner) or not self._is_written_as_name(start, last, key):
                continue
            said = side or inner
            named = self._find(key, said, plural)
            if named is None:
                continue
            if not named.labels and named.is_of_organ:
                return self._organ_inside(start, last, said)
            if named.labels and not named.is_finding and self._goes_on(last):
                return Phrase(start, last + 1, (), said, (start, last + 1))
            if named.is_finding and self._is_of_study(last):
                return Phrase(start, last, (), said, (start, last))
            return Phrase(start, last, named.labels, said, (start, last), named.exact, named.is_finding)
        return None

    def _windows(self, start: int) -> Iterator[tuple[int, str, str, bool]]:
        """Word groups from a place on that are names: last index, key, side said inside, whether a plural."""
        content: list[str] = []
        inner, plural, joined = "", False, False
        for position in range(start, min(start + 2 * MAX_NAME_WORDS, len(self.tokens))):
            word = self.tokens[position].word
            if position > start:
                if word in _FILLERS:
                    continue
                if word in _AND:
                    joined = True
                    continue
                if word in SIDES and len(word) > 1:
                    if inner not in ("", SIDES[word]):
                        return
                    inner = SIDES[word]
                    continue
            canonical, is_plural = self.words.canonical[position]
            if canonical not in self.names.vocabulary or len(content) >= MAX_NAME_WORDS:
                return
            if canonical not in content:
                content.append(canonical)
            elif not joined:
                return
            plural |= is_plural
            key = " ".join(sorted(content))
            if self.names.has(key):
                yield position, key, inner, plural

    def _find(self, key: str, side: str, plural: bool) -> Named | None:
        """The name on its side; where that is no name, the name without it, unless that is the other side's."""
        named = self.names.find(key, side, plural, self.words.around, self.words.sentence)
        if named is None and side in ("left", "right"):
            named = self.names.find(key, "", False, self.words.around, self.words.sentence)
            other = "right " if side == "left" else "left "
            if named is None or any(other in f"{label} " for label in named.labels):
                return None
            named = named._replace(exact=False)
        return named

    def _is_written_as_name(self, start: int, last: int, key: str) -> bool:
        """Whether "and" belongs to the name, and short forms of two letters stand in capitals."""
        if any(self.tokens[index].word in _AND for index in range(start, last)) and not self.names.holds_and(key):
            return False
        if len(key) > 2:
            return True
        before = {token.word for token in self.tokens[max(0, start - 2) : start]}
        behind = {token.word for token in self.tokens[last + 1 : last + 3]}
        is_other = bool(before & _NOT_BEFORE_CODES or behind & _NOT_BEHIND_CODES)
        return not is_other and (not self.names.is_code(key) or self.words.is_capital(start))

    def _goes_on(self, last: int) -> bool:
        """Whether the next noun makes it another structure: "thyroid cartilage"."""
        following = [token.word for token in self.tokens[last + 1 : last + 3]]
        is_score = following[-1:] == ["rads"]  # "Lung-RADS 2"
        return is_score or (bool(following) and following[0] in _OTHER_NOUNS)

    def _is_of_study(self, last: int) -> bool:
        """Whether the next noun is how the study was made, and nothing that it found: "PE protocol"."""
        following = [token.word for token in self.tokens[last + 1 : last + 3]]
        return bool(following) and following[following[0] in ("-", "/") and len(following) > 1] in _STUDY_NOUNS

    def _organ_inside(self, start: int, last: int, side: str) -> Phrase | None:
        """What is left of a name that SAT cannot do: "kidney" of "kidney stone".

        None where the organ comes later. Another structure's name leaves nothing, even where it is called after an
        organ: "splenic artery".
        """
        others = [index for index in range(start, last + 1) if self.tokens[index].word in _OTHER_NOUNS]
        for first in range(start, last + 1):
            for end, key, inner, plural in reversed([window for window in self._windows(first) if window[0] <= last]):
                if (first, end) == (start, last):
                    continue
                said = side or inner
                organ = self._find(key, said, plural)
                if organ is None or not organ.labels:
                    continue
                is_called_after_it = any(not first <= index <= end for index in others)
                if not organ.is_like_finding and (organ.is_finding or is_called_after_it):
                    continue
                if first > start:
                    return None  # read when its turn comes: "fracture of ribs 3 and 4"
                return Phrase(first, end, organ.labels, said, (first, end), False, organ.is_finding, reach=last)
        return Phrase(start, last, (), side, (start, last))

    def _with_side_behind(self, phrase: Phrase) -> Phrase:
        side, after = side_behind(self.tokens, phrase.last + 1)
        nouns = self.tokens[phrase.last + 1 : phrase.last + 1 + _NOUNS_BEFORE_SIDE]
        for number, token in enumerate(nouns, 1):
            if side or not token.word.isalpha() or token.word in _NO_NOUNS:
                break
            # "Iliopsoas abscess on the right": the side is the structure's, and the nouns between are not its name.
            following = self.tokens[phrase.last + 1 + number : phrase.last + 2 + number]
            if following and following[0].word in ("on", "("):
                side, after = side_behind(self.tokens, phrase.last + 1 + number)[0], phrase.last + 1
        if not side:
            return phrase
        labels = on_side(self.modality, phrase.labels, side)
        exact = phrase.exact and (labels != phrase.labels or side == "both")
        return phrase._replace(last=after - 1, side=side, labels=labels, exact=exact)

    # -- operations ---------------------------------------------------------------------------------------------

    def _operation(self, index: int) -> Phrase | None:
        """ "nephrectomy" with a side in front or behind, "right upper lobectomy"."""
        side, place = self.leading_side(index)
        while side and place < len(self.tokens) and place - index < _REACH:
            if self.tokens[place].word not in _MODIFIERS and self.tokens[place].word not in ("-", "/"):
                break
            place += 1
        if place >= len(self.tokens):
            return None
        word = self.words.canonical[place][0]
        if word not in _OPERATIONS:
            return None
        last = place
        if not side:
            side, after = side_behind(self.tokens, place + 1)
            last = after - 1 if side else place
        said = _since_last_joint([token.word for token in self.tokens[max(0, place - _REACH) : place]])
        organs = lobes(said, side) if word == "lobectomy" else _OPERATIONS[word]
        labels: list[str] = []
        for organ in organs:
            labels.extend(on_side(self.modality, (organ,), side) if find_label(self.modality, organ) else ())
        named = tuple(dict.fromkeys(labels))
        planned = is_planned([token.word for token in self.tokens[max(0, index - _REACH) : place]])
        removes = not planned and took_all(word, said, named, side, self.modality)
        return Phrase(index, last, named, side, (index, last), is_operation=not planned, removes=removes)


def _since_last_joint(said: list[str]) -> list[str]:
    """The words that belong to what follows: of "distal pancreatectomy and" none."""
    joints = [number for number, word in enumerate(said) if word in ("and", ",", ";", "with", "plus", "&")]
    return said[joints[-1] + 1 :] if joints else said


def _unsided(label: str) -> str:
    return label.removeprefix("left ").removeprefix("right ")


def on_side(modality: str, labels: Sequence[str], side: str) -> tuple[str, ...]:
    """The labels of a side, as far as they were trained: "kidney", or both kidneys, on the left -> "left kidney"."""
    result: list[str] = []
    for base in dict.fromkeys(map(_unsided, labels)):
        for one in ("left", "right") if side == "both" else (side,):
            label = find_label(modality, f"{one} {base}") or find_label(modality, base)
            if label is None:
                return tuple(labels)
            result.append(label.text)
    return tuple(dict.fromkeys(result))
