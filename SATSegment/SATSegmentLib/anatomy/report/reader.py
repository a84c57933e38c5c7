"""Report reader: what a radiology report mentions, as trained labels, and how.

    for mention in read_report("Small left pleural effusion. No pulmonary embolism.", "ct"):
        print(mention.text, mention.labels, mention.negated)

Rules only, offline, nothing is logged. What is read and what is not: Docs/report-reader.md. Research use only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from SATSegmentLib.anatomy.report.context import Context, Target, judge
from SATSegmentLib.anatomy.report.names import load_names
from SATSegmentLib.anatomy.report.rules import Surroundings
from SATSegmentLib.anatomy.report.sentence import Phrase, SentenceWords
from SATSegmentLib.anatomy.report.sharing import find_phrases
from SATSegmentLib.anatomy.report.text import sentences, tokens
from SATSegmentLib.types import MODALITIES, Modality

Certainty = Literal["present", "absent", "uncertain", "historical", "removed"]


@dataclass(frozen=True, slots=True)
class Mention:
    """One place of a report that names trained structures or findings.

    Attributes
    ----------
    start, end : int
        Characters of the report, end exclusive; mentions never overlap.
    text : str
        The words themselves, `report[start:end]`.
    labels : tuple[str, ...]
        Exact trained strings; several where the words name several ("left 5th through 7th ribs").
    side : str
        "left", "right", "both", or "" where none is said. A label of both sides may be on one side only: the
        text "left pleural effusion" has the label "lung effusion" and the side "left".
    negated : bool
        Said not to be there ("no pleural effusion", "the left kidney is absent"). The place of a negated finding
        is not negated: "no lesion in the spleen" leaves the spleen there.
    uncertain : bool
        A finding that is only possible, suspected, asked for or not excluded.
    historical : bool
        Of the past: removed, treated, in the history or comparison section.
    certainty : Certainty
        The one word for the three: "removed" where it was there and has been taken out (after "left nephrectomy"
        the left kidney is negated and historical), else "absent", "historical", "uncertain" or "present".
    exact : bool
        False where the words name a part or a kind of the label ("sigmoid colon", "hepatocellular carcinoma").
    sentence : tuple[int, int]
        Start and end of the sentence in the report.
    """

    start: int
    end: int
    text: str
    labels: tuple[str, ...]
    side: str
    negated: bool
    uncertain: bool
    historical: bool
    exact: bool
    sentence: tuple[int, int]
    certainty: Certainty = "present"

    def as_dict(self) -> dict[str, Any]:
        """The mention as plain data for JSON."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "labels": list(self.labels),
            "side": self.side,
            "negated": self.negated,
            "uncertain": self.uncertain,
            "historical": self.historical,
            "exact": self.exact,
            "sentence": list(self.sentence),
            "certainty": self.certainty,
        }


def read_report(text: str, modality: Modality) -> list[Mention]:
    """What a report, or any text, mentions of SAT's labels in one modality, in order.

    Any text is taken, in any language or none; what is not understood gives no mention.

    Raises
    ------
    ValueError
        `modality` is not "ct", "mri" or "pet".
    """
    if modality not in MODALITIES:
        raise ValueError(f"Modality must be one of {', '.join(MODALITIES)}, not {modality!r}.")
    lowered = _lower(text)
    mentions: list[Mention] = []
    names = load_names(modality)
    around = Surroundings(lowered)
    for sentence in sentences(text):
        words = tokens(lowered, sentence)
        phrases = find_phrases(SentenceWords(words, text, around), names) if words else []
        contexts = judge(lowered, words, [_target(phrase) for phrase in phrases], sentence.section)
        for phrase, context in zip(phrases, contexts, strict=True):
            start, end = words[phrase.first].start, words[phrase.last].end
            mentions.append(
                Mention(
                    start, end, text[start:end], phrase.labels, phrase.side,
                    context.negated, context.uncertain, context.historical,
                    phrase.exact, (sentence.start, sentence.end), _certainty(context),
                )
            )  # fmt: skip
    return mentions


def _target(phrase: Phrase) -> Target:
    return Target(phrase.first, phrase.last, phrase.is_finding, phrase.is_operation, phrase.removes)


def _certainty(context: Context) -> Certainty:
    if context.removed:
        return "removed"
    if context.negated:
        return "absent"
    if context.historical:
        return "historical"
    return "uncertain" if context.uncertain else "present"


def _lower(text: str) -> str:
    """Small letters, each at the place of its capital: some capitals have small forms of two letters."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
