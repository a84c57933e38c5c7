"""What is asked back when a text is no certain reading. No widgets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.gui.language import withLocalName
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.popup_rows import Row, inModel, rowOfSuggestion
from SATSegmentLib.types import Modality, Prompt

_CANDIDATES = 5


@dataclass(frozen=True)
class Question:
    """A message with the answers to choose from.

    Attributes
    ----------
    choices : tuple[tuple[str, str], ...]
        (text, tool tip) of each button.
    answers : tuple[tuple[str, tuple[Prompt, ...]], ...]
        (chip's name, prompts) of each button.
    """

    message: str
    choices: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, tuple[Prompt, ...]], ...]


def questionOf(text: str, answer: anatomy.Resolution, modality: Modality, labels: ModelLabels = ANY_LABEL) -> Question:
    """The question behind an answer of the resolver that is neither one label nor a composite of some.

    What the model does not know is no choice.
    """
    if isinstance(answer, anatomy.DidYouMean):
        return _didYouMean(text, answer, modality, labels)
    if isinstance(answer, anatomy.NotSegmentable):
        return _notSegmentable(answer, modality, labels)
    if isinstance(answer, anatomy.Unknown):
        return _unknown(text, answer, modality, labels)
    prompts = answer.prompts if isinstance(answer, anatomy.Composite) else (answer.prompt,)
    name = answer.name if isinstance(answer, anatomy.Composite) else answer.prompt.text
    return Question(_("“{text}”: did you mean").format(text=text), ((withLocalName(name), ""),), ((name, prompts),))


def notInModel(name: str, prompts: tuple[Prompt, ...], labels: ModelLabels) -> Question:
    """What is asked where the model knows none of the structures."""
    return Question(
        _("{model} was not trained on {name}. Choose another model in Settings to segment it.").format(
            model=labels.title, name=name
        ),
        ((_("Add it for another model"), _("It is left out of runs with this model.")),),
        ((name, prompts),),
    )


def _rows(hits: Iterable[anatomy.Suggestion], modality: Modality, labels: ModelLabels) -> list[Row]:
    rows = (inModel(rowOfSuggestion(hit, modality), labels) for hit in hits)
    return [row for row in rows if row.prompts]


def _didYouMean(text: str, answer: anatomy.DidYouMean, modality: Modality, labels: ModelLabels) -> Question:
    rows = _rows(answer.candidates, modality, labels)
    if not rows:
        names = ", ".join(dict.fromkeys(hit.name for hit in answer.candidates))
        return Question(
            _("“{text}” may be {names}: {model} was not trained on these. Choose another model in Settings.").format(
                text=text, names=names, model=labels.title
            ),
            (),
            (),
        )
    return Question(
        _("“{text}”: did you mean").format(text=text),
        tuple((row.caption, row.evidence()) for row in rows),
        tuple((row.name, row.prompts) for row in rows),
    )


def _notSegmentable(answer: anatomy.NotSegmentable, modality: Modality, labels: ModelLabels) -> Question:
    here = [prompt for prompt in answer.nearest if prompt.modality == modality and labels.knows(prompt)]
    message = _("“{text}” cannot be segmented: {reason}.").format(text=answer.concept, reason=answer.reason)
    if here:
        message = _("{refusal} What comes closest:").format(refusal=message)
    return Question(
        message,
        tuple((withLocalName(prompt.text), _("trained in this modality")) for prompt in here),
        tuple((prompt.text, (prompt,)) for prompt in here),
    )


def _unknown(text: str, answer: anatomy.Unknown, modality: Modality, labels: ModelLabels) -> Question:
    rows = _rows(anatomy.search(text, modality, _CANDIDATES, labels.sha256), modality, labels)
    free = anatomy.as_free_text(answer, modality)
    if not labels.knows(free):
        return Question(
            _("SAT was not trained on “{text}”, and {model} takes no free text. Is it spelled right?").format(
                text=text, model=labels.title
            ),
            tuple((row.caption, row.evidence()) for row in rows),
            tuple((row.name, row.prompts) for row in rows),
        )
    asFreeText = (_("Try it as free text"), _("The result is marked as untrained; check it carefully."))
    return Question(
        _("SAT was not trained on “{text}”. Is it spelled right?").format(text=text),
        (*((row.caption, row.evidence()) for row in rows), asFreeText),
        (*((row.name, row.prompts) for row in rows), (free.text, (free,))),
    )
