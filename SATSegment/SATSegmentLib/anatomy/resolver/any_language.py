"""The answer for a text in whatever language it is: English and the readings of all others, side by side.

Which language a text is in is not assumed. Where only one reading has an answer, or all agree, it is the answer. Where
two differ, as in "costas" (Latin for ribs, Portuguese for the back), a person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from SATSegmentLib.anatomy.languages.display import with_side
from SATSegmentLib.anatomy.languages.grammar import load_grammars
from SATSegmentLib.anatomy.languages.reading import Reading, read
from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, NotSegmentable, Resolution, Resolved, Unknown
from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion, suggest
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.types import Modality, Prompt

# The resolver of English texts: text, modality, and whether to guess what the text is like.
English = Callable[[str, Modality, bool], Resolution]

_SIDE = re.compile(r"\b(left|right) ")
_IN_BRACKETS = re.compile(r"\s*([^()（）]{2,60}?)\s*[(（]([^()（）]{2,60})[)）]\s*")
_MAX_CANDIDATES = 6
_MAX_PARTS = 12
# Labels of two data sets for one structure: which of them is meant is no question to ask a person.
_TWINS = (("thyroid gland", "thyroid"), ("costal cartilage", "rib cartilage"), ("femur", "femur bone"))


def resolve_any_language(text: str, modality: Modality, english: English) -> Resolution:
    """What a text means, read in English and in every other language.

    Parameters
    ----------
    text : str
        Str
    modality : Modality
        Str
    english : callable
        The resolver of English texts.
    """
    answer = _one_text(text, modality, english)
    if isinstance(answer, Resolved | Composite):
        return answer
    if (twice := _said_twice(text, modality, english)) is not None:
        return twice
    if read(text):
        return answer
    return _list_of(text, modality, english) or answer


def _one_text(text: str, modality: Modality, english: English) -> Resolution:
    readings = read(text)
    own = english(text, modality, not readings)
    return _Clash(text, modality, own, english).answer(readings) if readings else own


def _said_twice(text: str, modality: Modality, english: English) -> Resolution | None:
    """ "Dickdarm (Kolon)", "IVC (inferior vena cava)": what two names of the same in one text mean; else None."""
    match = _IN_BRACKETS.fullmatch(text)
    if match is None:
        return None
    answers = [_one_text(part, modality, english) for part in match.groups()]
    prompts = [_prompts(answer) for answer in answers]
    return replace(answers[0], text=text) if prompts[0] and prompts[0] == prompts[1] else None


def _prompts(answer: Resolution) -> tuple[Prompt, ...]:
    """What an answer takes without a question."""
    if isinstance(answer, Resolved):
        return (answer.prompt,)
    return answer.prompts if isinstance(answer, Composite) else ()


class _Clash:
    """The answers of several languages to one text."""

    def __init__(self, text: str, modality: Modality, own: Resolution, english: English) -> None:
        self.text, self.modality, self.own, self.english = text, modality, own, english

    def answer(self, readings: tuple[Reading, ...]) -> Resolution:
        answers = [(reading, self._answer_of(reading)) for reading in readings]
        answers = _without_refused_twins(answers)
        own_says = not isinstance(self.own, Unknown)
        certain = [_prompts(answer) for reading, answer in answers if reading.certain and _prompts(answer)]
        own = _prompts(self.own)
        # "L1 a L3": English leaves out the small word, and with it what lies between.
        if own and not any(2 <= len(own) < len(other) and set(own) < set(other) for other in certain):
            certain.append(own)
        unsure = [answer for reading, answer in answers if not (reading.certain and _prompts(answer))]
        meanings = self._one_of_twins(list(dict.fromkeys(certain)))
        rivals = [*unsure, *([self.own] if own_says and not _prompts(self.own) else [])]
        if len(meanings) == 1 and not any(self._differs(rival, meanings[0]) for rival in rivals):
            return self._take(meanings[0], answers)
        refusals = [answer for _, answer in answers if isinstance(answer, NotSegmentable)]
        asks = isinstance(self.own, DidYouMean)
        if not meanings and refusals and len(refusals) == len(answers) and not (own_says and asks):
            return self._refuse([*([self.own] if isinstance(self.own, NotSegmentable) else []), *refusals])
        return self._ask(answers, own_says) or self.own

    def _answer_of(self, reading: Reading) -> Resolution:
        label = find_label(self.modality, reading.english)
        if label is not None:
            return Resolved(self.text, label.prompt())
        answer = self.english(reading.english, self.modality, True)
        if isinstance(answer, Unknown) and reading.english.startswith("all "):
            answer = self.english(reading.english.removeprefix("all "), self.modality, True)
        return answer

    def _one_of_twins(self, meanings: list[tuple[Prompt, ...]]) -> list[tuple[Prompt, ...]]:
        """One of several meanings that are the same structure: two data sets' labels of it, or one label and its pair.

        "Cochleae" are both in English, and the same letters may be one label in German; nothing is lost by either.
        """
        structures = {frozenset(_structure(prompt) for prompt in meaning) for meaning in meanings}
        sides = {_side(meaning) for meaning in meanings}
        if len(structures) != 1 or len(meanings) < 2 or (len(sides) > 1 and sides & {"left", "right"}):
            return meanings
        own = _prompts(self.own)
        return [own if own in meanings else min(meanings, key=lambda meaning: (_rank(meaning[0]), len(meaning)))]

    def _differs(self, rival: Resolution, meaning: tuple[Prompt, ...]) -> bool:
        """Whether a less certain answer names something that the certain one does not."""
        if isinstance(rival, DidYouMean):
            named = {prompt for candidate in rival.candidates for prompt in candidate.prompts}
        elif isinstance(rival, NotSegmentable):
            return not any(prompt in meaning for prompt in rival.nearest)
        else:
            named = set(_prompts(rival))
            if (
                named
                and not _side(tuple(named))
                and {_structure(one) for one in named} == {_structure(one) for one in meaning}
            ):
                return False
        return not named <= set(meaning) and not set(meaning) & named

    def _take(self, prompts: tuple[Prompt, ...], answers: list[tuple[Reading, Resolution]]) -> Resolution:
        for answer in (self.own, *(answer for _, answer in answers)):
            if _prompts(answer) == prompts:
                return replace(answer, text=self.text)
        raise AssertionError(prompts)

    def _refuse(self, refusals: list[NotSegmentable]) -> NotSegmentable:
        """All that cannot be had, as one refusal."""
        names = " or ".join(dict.fromkeys(refusal.concept for refusal in refusals))
        nearest = dict.fromkeys(prompt for refusal in refusals for prompt in refusal.nearest)
        return replace(refusals[0], text=self.text, concept=names, nearest=tuple(nearest))

    def _ask(self, answers: list[tuple[Reading, Resolution]], own_says: bool) -> DidYouMean | None:
        candidates: list[Suggestion] = []
        if own_says:
            candidates += self._candidates(self.own, None)
        for certain in (True, False):
            for reading, answer in answers:
                if reading.certain is certain:
                    candidates += self._candidates(answer, reading)
        unique = {hit.prompts: hit for hit in reversed(candidates)}
        ordered = dict.fromkeys(hit.prompts for hit in candidates)
        hits = tuple(unique[prompts] for prompts in ordered)[:_MAX_CANDIDATES]
        return DidYouMean(self.text, hits) if hits else None

    def _candidates(self, answer: Resolution, reading: Reading | None) -> list[Suggestion]:
        if isinstance(answer, DidYouMean):
            return [_named(hit, reading) for hit in answer.candidates]
        structures = load_lexicon().structures
        hits = [suggest(structures[p.text], self.modality, p.text) for p in _prompts(answer)]
        if isinstance(answer, Composite) and hits:
            whole = replace(hits[0], name=answer.name, what="composite", prompts=answer.prompts, concept="", codes=())
            hits = [whole]
        return [_named(hit, reading) for hit in hits]


def _named(hit: Suggestion, reading: Reading | None) -> Suggestion:
    """A suggestion with the name that fitted in its language, and with the side only where the label has it."""
    if reading is None:
        return hit
    has_side = reading.side == "both" or hit.name.startswith(f"{reading.side} ") or f" {reading.side} " in hit.name
    shown = with_side(reading.name, reading.side if has_side else "", reading.language)
    return replace(hit, matched=shown, spans=())


def _structure(prompt: Prompt) -> str:
    """The label without its side; of labels that are one structure, the first one's."""
    base = _SIDE.sub("", prompt.text)
    return next((twins[0] for twins in _TWINS if base in twins), base)


def _rank(prompt: Prompt) -> int:
    base = _SIDE.sub("", prompt.text)
    return next((twins.index(base) for twins in _TWINS if base in twins), 0)


def _side(meaning: tuple[Prompt, ...]) -> str:
    """The one side that the labels are on; empty where they are on both, or on none."""
    sides = {match[1] for prompt in meaning for match in _SIDE.finditer(prompt.text)}
    return next(iter(sides)) if len(sides) == 1 else ""


def _without_refused_twins(answers: list[tuple[Reading, Resolution]]) -> list[tuple[Reading, Resolution]]:
    """Of the meanings of one name in one language, those that cannot be had here are left out where others can."""
    possible = {
        (reading.language, reading.name)
        for reading, answer in answers
        if reading.certain and isinstance(answer, Resolved | Composite)
    }
    return [
        (reading, answer)
        for reading, answer in answers
        if not isinstance(answer, NotSegmentable | Unknown) or (reading.language, reading.name) not in possible
    ]


# --- lists

_MARKS = r"[,;&+\n，；、＋＆]"


def _list_of(text: str, modality: Modality, english: English) -> Resolution | None:
    """Several structures in one text of one language, where each is certain by itself."""
    asked: Resolution | None = None
    for grammar in load_grammars().values():
        words = "|".join(map(re.escape, sorted({*grammar.joints, "and"}, key=len, reverse=True)))
        joint = rf"\s*(?:{_MARKS}|\b(?:{words})\b)\s*" if grammar.after or grammar.letters else rf"(?:{_MARKS}|{words})"
        parts = [part.strip() for part in re.split(joint, text, flags=re.IGNORECASE) if part.strip()]
        if not 2 <= len(parts) <= _MAX_PARTS or not any(read(part) for part in parts):
            continue
        said = [_said_in(part, grammar.language, modality, english) for part in parts]
        if all(said) and any(said_part != part for said_part, part in zip(said, parts, strict=True)):
            answer = replace(english(", ".join(said), modality, True), text=text)
            if isinstance(answer, Resolved | Composite):
                return answer
            # "Linke Niere und Nebenniere": the second one's side was not said.
            asked = asked or (answer if isinstance(answer, DidYouMean) else None)
    return asked


def _said_in(part: str, language: str, modality: Modality, english: English) -> str:
    """A part of a list in English, where its whole answer is certain; else empty."""
    answer = _one_text(part, modality, english)
    if not isinstance(answer, Resolved | Composite):
        return ""
    if isinstance(answer, Resolved):
        return answer.prompt.text
    readings = [reading.english for reading in read(part) if reading.language == language]
    return readings[0] if readings else part
