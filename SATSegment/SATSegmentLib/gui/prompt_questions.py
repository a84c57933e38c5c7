"""What is asked back when a text is no certain reading. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.gui.popup_rows import rowOfSuggestion
from SATSegmentLib.types import Modality, Prompt

_CANDIDATES = 5


@dataclass(frozen=True)
class Question:
    """A message with the answers to choose from.

    Attributes
    ----------
    choices: (text, tool tip) of each button.
    answers: (chip's name, prompts) of each button.
    """

    message: str
    choices: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, tuple[Prompt, ...]], ...]


def questionOf(text: str, answer: anatomy.Resolution, modality: Modality) -> Question:
    """The question behind an answer of the resolver that is neither one label nor a composite of some."""
    if isinstance(answer, anatomy.DidYouMean):
        return _didYouMean(text, answer, modality)
    if isinstance(answer, anatomy.NotSegmentable):
        return _notSegmentable(answer, modality)
    if isinstance(answer, anatomy.Unknown):
        return _unknown(text, answer, modality)
    prompts = answer.prompts if isinstance(answer, anatomy.Composite) else (answer.prompt,)
    name = answer.name if isinstance(answer, anatomy.Composite) else answer.prompt.text
    return Question(_("“{text}”: did you mean").format(text=text), ((name, ""),), ((name, prompts),))


def _didYouMean(text: str, answer: anatomy.DidYouMean, modality: Modality) -> Question:
    rows = [rowOfSuggestion(hit, modality) for hit in answer.candidates]
    rows = [row for row in rows if row.prompts]
    return Question(
        _("“{text}”: did you mean").format(text=text),
        tuple((row.name, row.evidence()) for row in rows),
        tuple((row.name, row.prompts) for row in rows),
    )


def _notSegmentable(answer: anatomy.NotSegmentable, modality: Modality) -> Question:
    here = [prompt for prompt in answer.nearest if prompt.modality == modality]
    message = _("“{text}” cannot be segmented: {reason}.").format(text=answer.concept, reason=answer.reason)
    if here:
        message = _("{refusal} What comes closest:").format(refusal=message)
    return Question(
        message,
        tuple((prompt.text, _("trained in this modality")) for prompt in here),
        tuple((prompt.text, (prompt,)) for prompt in here),
    )


def _unknown(text: str, answer: anatomy.Unknown, modality: Modality) -> Question:
    free = anatomy.as_free_text(answer, modality)
    rows = [rowOfSuggestion(hit, modality) for hit in anatomy.search(text, modality, _CANDIDATES)]
    rows = [row for row in rows if row.prompts]
    asFreeText = (_("Try it as free text"), _("The result is marked as untrained; look at it with care."))
    return Question(
        _("SAT was not trained on “{text}”. Is it spelled right?").format(text=text),
        (*((row.name, row.evidence()) for row in rows), asFreeText),
        (*((row.name, row.prompts) for row in rows), (free.text, (free,))),
    )
