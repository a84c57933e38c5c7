"""What neighbours share in a list: a noun ("parotid and submandibular glands", "gluteus medius and minimus") or a side
("left hippocampus and amygdala")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from SATSegmentLib.anatomy.report.joined import with_joined_findings
from SATSegmentLib.anatomy.report.names import Named, Names
from SATSegmentLib.anatomy.report.numbers import SIDES
from SATSegmentLib.anatomy.report.operations import has_sides_unsaid
from SATSegmentLib.anatomy.report.phrases import PhraseReader, on_side
from SATSegmentLib.anatomy.report.rules import adjectives
from SATSegmentLib.anatomy.report.rules import words as rule_words
from SATSegmentLib.anatomy.report.sentence import NUMBER_WORDS, Phrase, SentenceWords
from SATSegmentLib.anatomy.text.spelling import canonical_word

_FILLERS = rule_words("name_fillers")
_FINITE_VERBS = rule_words("finite_verbs")
_PREPOSITIONS = rule_words("prepositions")
_JOINS = frozenset(("and", "or", "&", ",", "/"))


def find_phrases(words: SentenceWords, names: Names) -> list[Phrase]:
    """What a sentence names, in order; phrases do not overlap, and each has at least one label of the modality."""
    reader = PhraseReader(words, names)
    found = _with_operated(words, reader.read(), names.modality)
    if not found:
        return []
    found = _Sharing(words, names, reader, found).with_shared_nouns()
    found = [_with_shared_side(words, names, found, index) for index in range(len(found))]
    found = _with_bare_sides(words, names, found)
    found = with_joined_findings(words, names.modality, found)
    return _without_general([phrase for phrase in found if phrase.labels])


class _Sharing:
    """The names in one sentence that lean on a neighbour's noun."""

    def __init__(self, words: SentenceWords, names: Names, reader: PhraseReader, found: Sequence[Phrase]) -> None:
        self.words = words
        self.tokens = words.tokens
        self.names = names
        self.reader = reader
        self.found = list(found)
        # An adjective may still turn out to share a noun: "hepatic and portal veins".
        self.adjectives = [phrase for phrase in found if self._is_adjective(phrase)]
        self.taken = {
            index
            for phrase in found
            if phrase not in self.adjectives
            for index in range(phrase.first, max(phrase.last, phrase.reach) + 1)
        }

    def _is_adjective(self, phrase: Phrase) -> bool:
        return phrase.core[0] == phrase.core[1] and self.words.tokens[phrase.core[0]].word in adjectives()

    def with_shared_nouns(self) -> list[Phrase]:
        """All phrases with the leaning ones, in order."""
        result: list[Phrase] = []
        for phrase in self.found:
            if phrase.is_counted or phrase.is_operation:
                result.append(phrase)
                continue
            before = list(self._before(phrase))
            sides = {leaning.side for leaning in before}
            if not phrase.side and len(sides) == 1 and (side := sides.pop()) in ("left", "right"):
                # "left superior and middle frontal gyri": the side is shared as well.
                phrase = phrase._replace(side=side, labels=on_side(self.names.modality, phrase.labels, side))
            result.extend((*before, phrase, *self._behind(phrase)))
        result = [item for item in result if item not in self.adjectives or item.core[0] not in self.taken]
        return sorted(result, key=lambda phrase: phrase.first)

    def _before(self, phrase: Phrase) -> Iterator[Phrase]:
        """Names in front of "and" that end in the last words of the phrase: "femoral and tibial cartilage"."""
        index = phrase.first
        while index >= 2 and self.tokens[index - 1].word in _JOINS:
            joined = index - 1
            while joined > 0 and self.tokens[joined - 1].word in _JOINS:
                joined -= 1
            leaning = self._ending_like(joined, phrase)
            if leaning is None:
                return
            self.taken.update(range(leaning.first, leaning.last + 1))
            yield leaning
            index = leaning.first

    def _ending_like(self, joined: int, phrase: Phrase) -> Phrase | None:
        for size in (3, 2, 1):
            first = joined - size
            if first < 0 or any(index in self.taken for index in range(first, joined)):
                continue
            side, start = self.reader.leading_side(first)
            own = [NUMBER_WORDS.get(token.word, token.word) for token in self.tokens[start:joined]]
            if not own or canonical_word(own[0])[0] not in self.names.vocabulary:
                continue
            for tail in range(phrase.core[1] - phrase.core[0], 0, -1):
                nouns = [token.word for token in self.tokens[phrase.core[1] + 1 - tail : phrase.core[1] + 1]]
                if named := self._find([*own, *nouns], side):
                    core = (start, joined - 1)
                    return Phrase(first, joined - 1, named.labels, side, core, named.exact, named.is_finding)
        return None

    def _behind(self, phrase: Phrase) -> Iterator[Phrase]:
        """Names behind "and" that begin with the first words of the phrase: "gluteus medius and minimus"."""
        index = phrase.last + 1
        while index + 1 < len(self.tokens) and self.tokens[index].word in _JOINS:
            start = index + 1
            while start < len(self.tokens) and self.tokens[start].word in _JOINS:
                start += 1
            leaning = self._beginning_like(start, phrase)
            if leaning is None:
                return
            self.taken.add(start)
            yield leaning
            index = start + 1

    def _beginning_like(self, place: int, phrase: Phrase) -> Phrase | None:
        if place >= len(self.tokens) or place in self.taken:
            return None
        word = self.tokens[place].word
        if not word.isalpha() or len(word) < 4 or self.words.canonical[place][0] not in self.names.vocabulary:
            return None
        first, last = phrase.core
        for head in range(last - first, 0, -1):
            nouns = [token.word for token in self.tokens[first : first + head]]
            if named := self._find([*nouns, word], phrase.side):
                return Phrase(place, place, named.labels, phrase.side, (place, place), named.exact, named.is_finding)
        return None

    def _find(self, said: Sequence[str], side: str) -> Named | None:
        """A name made of words from two places; only where it has labels."""
        canonical = [canonical_word(word) for word in said if word not in _FILLERS and word not in SIDES]
        key = " ".join(sorted({word for word, _ in canonical}))
        if not self.names.has(key):
            return None
        plural = side == "" and any(is_plural for _, is_plural in canonical)
        named = self.names.find(key, side, plural, self.words.around, self.words.sentence)
        return named if named and named.labels else None


def _with_shared_side(words: SentenceWords, names: Names, found: Sequence[Phrase], index: int) -> Phrase:
    """A structure right behind "and" is on the side of the one before, unless it is a plural."""
    phrase = found[index]
    if index == 0 or phrase.side or phrase.is_finding or phrase.is_counted or phrase.is_operation or not phrase.labels:
        return phrase
    before = found[index - 1]
    joined = phrase.first - before.last == 2 and words.tokens[phrase.first - 1].word in ("and", "or", "&", "/")
    if not joined or before.side not in ("left", "right") or before.is_finding or before.is_counted:
        return phrase
    if words.canonical[phrase.last][1] and not _shares_noun(words, before, phrase):
        return phrase  # "left kidney and adrenal glands"
    labels = on_side(names.modality, phrase.labels, before.side)
    return phrase._replace(labels=labels, side=before.side) if labels != phrase.labels else phrase


def _shares_noun(words: SentenceWords, before: Phrase, phrase: Phrase) -> bool:
    """ "left precentral and postcentral gyri": the plural is of both, so the side is of both as well."""
    noun = words.canonical[phrase.last][0]
    own = {word for word, _ in words.canonical[before.first : before.last + 1]}
    return noun not in own and any(noun in label.split() for label in before.labels)


def _with_bare_sides(words: SentenceWords, names: Names, found: Sequence[Phrase]) -> list[Phrase]:
    """A side that stands for a structure: "the left parotid gland is normal, but the right contains a mass"."""
    result: list[Phrase] = []
    for number, phrase in enumerate(found):
        result.append(phrase)
        stop = found[number + 1].first if number + 1 < len(found) else len(words.tokens)
        other = {"left": "right", "right": "left"}.get(phrase.side)
        if other is None or phrase.is_finding or phrase.is_counted or phrase.is_operation:
            continue
        said = [token.word for token in words.tokens[phrase.last + 1 : stop]]
        for index in range(2, len(said) - 1):
            is_bare = said[index] == other and said[index - 1] == "the" and said[index + 1] in _FINITE_VERBS
            labels = on_side(names.modality, phrase.labels, other) if is_bare else phrase.labels
            if labels != phrase.labels and said[index - 2] not in _PREPOSITIONS:
                place = phrase.last + 1 + index
                result.append(Phrase(place, place, labels, other, (place, place), exact=phrase.exact))
                break
    return result


def _with_operated(words: SentenceWords, found: Sequence[Phrase], modality: str) -> list[Phrase]:
    """What stands right before an operation that names no organ is what was operated: "right lower lobe lobectomy"."""
    result: list[Phrase] = []
    for phrase in found:
        before = result[-1] if result else None
        if before and phrase.is_operation and not phrase.labels and before.last == phrase.first - 1 and before.labels:
            whole = not any(has_sides_unsaid(label, before.side, modality) for label in before.labels)
            phrase = phrase._replace(first=before.first, labels=before.labels, side=before.side, removes=whole)
            result.pop()
        if before and phrase.removes and phrase.labels == before.labels and words.tokens[before.last + 1].word == ":":
            result.pop()  # "Gallbladder: s/p cholecystectomy"
        result.append(phrase)
    return result


def _without_general(found: Sequence[Phrase]) -> list[Phrase]:
    """Drops what only says of which kind its neighbour is: "gluteus medius muscle", "disc protrusion at L4/5"."""
    names_disc = any(label.startswith("intervertebral disc ") for phrase in found for label in phrase.labels)
    result: list[Phrase] = []
    for phrase in found:
        is_disc = names_disc and phrase.labels == ("intervertebral discs",)
        follows = bool(result) and result[-1].last == phrase.first - 1
        if result and _is_part_of(result[-1], phrase):
            result.pop()  # "glenoid fracture of the right scapula"
        if not is_disc and not (follows and phrase.labels in (("muscle",), ("bone",))):
            result.append(phrase)
    return result


def _is_part_of(part: Phrase, phrase: Phrase) -> bool:
    """Whether a phrase without a side only names a part of what the next one names on its side."""
    if part.side or part.exact or part.is_finding or phrase.side not in ("left", "right") or len(part.labels) != 1:
        return False
    return phrase.labels == (f"{phrase.side} {part.labels[0]}",) and phrase.first - part.last <= 5
