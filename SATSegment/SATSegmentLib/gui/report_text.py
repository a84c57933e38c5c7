"""A report's mentions as what the dialog shows. No widgets."""

from __future__ import annotations

import html
from dataclasses import dataclass

from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.report.reader import Mention, read_report
from SATSegmentLib.types import Modality, Prompt


@dataclass(frozen=True)
class Finding:
    """What a report says of one structure or finding, in one or several places.

    Attributes
    ----------
    labels : tuple[str, ...]
        Trained strings.
    prompts : tuple[Prompt, ...]
        What to segment.
    mentions : tuple[Mention, ...]
        The places.
    sentence : str
        The first sentence that has it.
    """

    labels: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    mentions: tuple[Mention, ...]
    sentence: str

    @property
    def suggested(self) -> bool:
        """Whether it is checked unasked: it is said to be there, somewhere, now."""
        return any(not (mention.negated or mention.historical) for mention in self.mentions)

    def line(self) -> str:
        """The list's line: the labels, and what is said of them."""
        notes = []
        if all(mention.certainty == "removed" for mention in self.mentions):
            notes.append(_("removed"))
        elif all(mention.negated for mention in self.mentions):
            notes.append(_("said not to be there"))
        elif all(mention.historical or mention.negated for mention in self.mentions):
            notes.append(_("of the past"))
        elif all(mention.uncertain or mention.negated for mention in self.mentions):
            notes.append(_("only possible"))
        if not any(mention.exact for mention in self.mentions):
            notes.append(_("named as “{text}”").format(text=self.mentions[0].text))
        sides = {mention.side for mention in self.mentions if mention.side in ("left", "right")}
        if len(sides) == 1 and not any(sides & set(label.split()) for label in self.labels):
            notes.append(_("{side} side in the report").format(side=next(iter(sides))))
        name = ", ".join(self.labels)
        return f"{name} · {'; '.join(notes)}" if notes else name


def findings(text: str, modality: Modality) -> tuple[Finding, ...]:
    """What a report mentions, each set of labels once, in the report's order."""
    places: dict[tuple[str, ...], list[Mention]] = {}
    for mention in read_report(text, modality):
        places.setdefault(mention.labels, []).append(mention)
    return tuple(_finding(text, modality, labels, mentions) for labels, mentions in places.items())


def marked(text: str, found: tuple[Finding, ...], chosen: set[Finding]) -> str:
    """The report as HTML with its mentions marked; letters and signs only, no colours."""
    pieces, at = [], 0
    places = [(mention, finding in chosen) for finding in found for mention in finding.mentions]
    for mention, isChosen in sorted(places, key=lambda place: place[0].start):
        pieces.append(html.escape(text[at : mention.start]))
        pieces.append(_mark(html.escape(mention.text), mention, isChosen))
        at = mention.end
    pieces.append(html.escape(text[at:]))
    return f'<div style="white-space: pre-wrap">{"".join(pieces)}</div>'


def _mark(words: str, mention: Mention, isChosen: bool) -> str:
    if mention.negated:
        return f"<s>{words}</s>"
    if mention.historical or mention.uncertain:
        words = f"<i>{words}</i>"
    return f"<b><u>{words}</u></b>" if isChosen else f"<u>{words}</u>"


def _finding(text: str, modality: Modality, labels: tuple[str, ...], mentions: list[Mention]) -> Finding:
    known = (anatomy.find_label(modality, label) for label in labels)
    start, end = mentions[0].sentence
    return Finding(
        labels, tuple(label.prompt() for label in known if label is not None), tuple(mentions), text[start:end].strip()
    )
