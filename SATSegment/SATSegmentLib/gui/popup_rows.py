"""The rows of the popup: what search found, and on top what Enter would add."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace

from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import is_taught
from SATSegmentLib.anatomy.vocabulary.definitions import definition_of
from SATSegmentLib.gui.language import localName, userLanguage
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.types import MODALITY_TITLES, Modality, Prompt

ROWS = 12
# What completes a name; a slip of the keyboard or a part that fits is a guess, and is only taken when it is chosen.
_COMPLETIONS = ("prefix", "words")


@dataclass(frozen=True)
class Row:
    """One line of the popup.

    Attributes
    ----------
    name : str
        What it is called; the chip gets this name.
    matched : str
        The name that fitted what was typed ("IVC"); often the same as `name`.
    spans : tuple[tuple[int, int], ...]
        (start, end) of the parts of `matched` to show in bold.
    badge : str
        Modality, or the reason why it cannot be asked for ("MRI only", "not in this model").
    dots : str
        Evidence, "●●○"; empty where there is none.
    scans : int
        Annotated scans in training.
    finding : bool
        Whether it is a lesion or another abnormality.
    prompts : tuple[Prompt, ...]
        What it stands for; empty where it cannot be asked for.
    withheld : tuple[Prompt, ...]
        What it would stand for, were it not for the model that is chosen.
    leftOut : tuple[str, ...]
        Words that were typed and that the name does not have.
    local : str
        What it is called in the user's language; empty where that is English, or has no name for it.
    """

    name: str
    matched: str
    spans: tuple[tuple[int, int], ...]
    badge: str
    dots: str = ""
    scans: int = 0
    finding: bool = False
    prompts: tuple[Prompt, ...] = field(default=())
    withheld: tuple[Prompt, ...] = field(default=())
    leftOut: tuple[str, ...] = field(default=())
    local: str = ""

    @property
    def enabled(self) -> bool:
        return bool(self.prompts)

    @property
    def caption(self) -> str:
        """The name with the user's own beside it, for a button."""
        return f"{self.name} · {self.local}" if self.local else self.name

    def evidence(self) -> str:
        """The right-hand side: "CT ●●● 5,230 scans  finding", or the reason."""
        return self.evidenceVariants()[0]

    def evidenceVariants(self) -> tuple[str, ...]:
        """The right-hand side, from all of it to the least; the number of scans goes first."""
        without = self._without()
        if not self.enabled:
            return (f"{without} {self.badge}".strip(),)
        scans = _("{count} scans").format(count=f"{self.scans:,}") if self.dots else ""
        finding = _("finding") if self.finding else ""
        parts = (
            (without, self.badge, self.dots, scans, finding),
            (without, self.badge, self.dots, finding),
            (without, self.badge, self.dots),
        )
        return tuple(" ".join(part for part in chosen if part) for chosen in parts)

    @property
    def least(self) -> str:
        """What is shown on the right however narrow the row is."""
        return f"{self._without()} {self.badge}".strip()

    def _without(self) -> str:
        if not self.leftOut:
            return ""
        return _("without “{words}”").format(words=" ".join(self.leftOut))

    def spoken(self) -> str:
        """The whole row as one text, for screen readers."""
        others = [name for name in dict.fromkeys((self.matched, self.local)) if name and name != self.name]
        name = f"{self.name} ({', '.join(others)})" if others else self.name
        return f"{name}, {self.evidence()}"

    def toolTip(self) -> str:
        """What the row would add and what that means, or why it cannot be added."""
        if not self.prompts:
            return html.escape(self.badge)
        labels = [prompt.text for prompt in self.prompts[:30]]
        if len(self.prompts) > 1 or not self.prompts[0].trained:
            return "<br>".join(map(html.escape, labels))
        meaning = definition_of(labels[0])
        lines = (f"<b>{html.escape(labels[0])}</b>", html.escape(meaning.text), html.escape(meaning.scope))
        return "<p>" + "</p><p>".join(lines) + "</p>"


@dataclass(frozen=True)
class Found:
    """What a text gives.

    Attributes
    ----------
    rows : tuple[Row, ...]
        For the popup, the likeliest first.
    certain : bool
        Whether Enter may add the first row without a question.
    answer : anatomy.Resolution
        What the resolver says of the text as a whole.
    """

    rows: tuple[Row, ...]
    certain: bool
    answer: anatomy.Resolution


def find(text: str, modality: Modality, labels: ModelLabels = ANY_LABEL) -> Found:
    """Rows for what has been typed so far.

    The first row is what Enter adds, where that is no guess: what the text means by itself, else a completion of it
    that leaves out none of the words. What the model does not know is grey and never certain.
    """
    answer = anatomy.resolve(text, modality, labels.sha256)
    hits = anatomy.search(text, modality, ROWS, labels.sha256, userLanguage())
    rows = [rowOfSuggestion(hit, modality) for hit in hits]
    if isinstance(answer, anatomy.Resolved | anatomy.Composite):
        prompts = answer.prompts if isinstance(answer, anatomy.Composite) else (answer.prompt,)
        meant = next((row for row in rows if set(row.prompts) == set(prompts)), None)
        others = [row for row in rows if row is not meant]
        if meant is None:
            name = answer.name if isinstance(answer, anatomy.Composite) else answer.prompt.text
            meant = Row(name, name, (), MODALITY_TITLES[modality], prompts=prompts)
        # The resolver has read the whole text: nothing of it is left out.
        rows, certain = [replace(meant, leftOut=()), *others][:ROWS], True
    else:
        completes = bool(hits) and hits[0].status in ("trained", "taught") and hits[0].match in _COMPLETIONS
        ambiguous = isinstance(answer, anatomy.NotSegmentable) or any(hit.match == "exact" for hit in hits)
        certain = completes and not ambiguous and not rows[0].leftOut
    shown = tuple(inModel(row, labels) for row in rows)
    return Found(shown, certain and shown[0].enabled, answer)


def inModel(row: Row, labels: ModelLabels) -> Row:
    """The row as the chosen model has it: grey where it knows none of the row's structures."""
    reason = labels.reason(row.prompts)
    if not reason:
        return row
    if len(labels.unknown(row.prompts)) == len(row.prompts):
        return replace(row, badge=reason, prompts=(), withheld=row.prompts)
    return replace(row, badge=f"{row.badge} {reason}")


def rowOfPrompt(prompt: Prompt) -> Row:
    """A row for something that was asked for before."""
    label = anatomy.find_label(prompt.modality, prompt.text) if prompt.trained else None
    if label is None:
        badge = MODALITY_TITLES[prompt.modality] if prompt.trained else _("free text")
        if is_taught(prompt):
            badge = _("{modality} taught").format(modality=MODALITY_TITLES[prompt.modality])
        return Row(prompt.text, prompt.text, (), badge, prompts=(prompt,))
    badge, dots = MODALITY_TITLES[prompt.modality], _dots(label.grade)
    local = localName(label.text)
    return Row(label.text, label.text, (), badge, dots, label.scans, label.is_finding, (prompt,), local=local)


def rowOfSuggestion(hit: anatomy.Suggestion, modality: Modality) -> Row:
    """A row for one suggestion of search or resolver."""
    if hit.status == "taught":
        return replace(rowOfPrompt(hit.prompts[0]), spans=hit.spans, leftOut=hit.left_out)
    return Row(
        name=hit.name,
        matched=hit.matched,
        spans=hit.spans,
        badge=hit.reason or MODALITY_TITLES[modality],
        dots=_dots(hit.grade) if hit.prompts else "",
        scans=hit.scans,
        finding=hit.finding,
        prompts=hit.prompts,
        leftOut=hit.left_out,
        local=localName(hit.name),
    )


def _dots(grade: int) -> str:
    return "●" * grade + "○" * (3 - grade)
