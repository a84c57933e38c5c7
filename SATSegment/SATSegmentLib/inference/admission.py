"""The one gate before any work: which scans and prompts a model takes, and what it warns of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from SATSegmentLib.anatomy.vocabulary.labels import find_label, label_of
from SATSegmentLib.errors import PromptError, SATSegmentWarning
from SATSegmentLib.inference.checks import (
    check_image,
    refuse_label_map,
    warn_about_label_map,
    warn_about_modality,
    warn_about_tilt,
)
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.types import MODALITIES, MODALITY_CHOICE, Image, Prompt


def admit(
    image: Image,
    prompts: Sequence[Prompt],
    model: ModelDescription,
    has_bank: bool,
    *,
    phantoms: bool = False,
    check_axes: bool = True,
) -> tuple[Prompt, ...]:
    """Refuse a scan or prompts that cannot be used, and warn of what is doubtful.

    Parameters
    ----------
    image : Image
        The scan.
    prompts : sequence of Prompt
        What is asked for.
    model : ModelDescription
        Of the model that is asked.
    has_bank : bool
        Whether the model says itself which labels it was trained on.
    phantoms : bool, optional
        Whether a phantom of few flat values is taken, with a warning: with query vectors, which are for experiments.
    check_axes : bool, optional
        Whether axes that the model was not trained in are refused.

    Returns
    -------
    tuple of Prompt
        As the labels' table has them: what is claimed to be trained is not believed. A label that the model is not
        known to have been trained on keeps its axes and concept, but is not marked as trained.

    Raises
    ------
    PromptError
        None, empty, given twice, not a trained label, or of axes that the model was not trained in.
    ScanError, GeometryError
        The scan cannot be segmented.
    """
    if not prompts:
        raise PromptError("No prompts were given.", "Name at least one structure.")
    # Without a list of its labels, or with one that is only SAT's own, a model is not known to have seen any of them.
    known = has_bank and model.knows_labels
    trusted = tuple(_trusted(prompt, has_bank, known) for prompt in prompts)
    # What was given, too: axes that there are not are a mistake, even where the table knows better.
    if check_axes:
        _check_axes([*prompts, *trusted], model)
    _check_repeats(trusted)
    if unsure := [prompt.text for prompt in trusted if not prompt.trained and label_of(prompt)]:
        warnings.warn(
            f"It is not known which labels {model.name} was trained on. No result is marked as trained: "
            f"{', '.join(unsure[:3])}{f' and {len(unsure) - 3} more' if len(unsure) > 3 else ''}.",
            SATSegmentWarning,
            stacklevel=3,
        )
    check_image(image)
    (warn_about_label_map if phantoms else refuse_label_map)(image)
    warn_about_tilt(image)
    for modality in sorted({prompt.modality for prompt in trusted}):
        warn_about_modality(image, modality)
    return trusted


def _trusted(prompt: Prompt, has_bank: bool, known: bool) -> Prompt:
    """A prompt with axes and concept of the label it claims to be: wrong axes would answer with the other side.

    A model that was fine-tuned on labels of its own says in its bank which they are; the caller's axes count then.
    """
    if not prompt.text.strip():
        raise PromptError("A prompt is empty.", "Name a structure, or remove the prompt.")
    if prompt.modality not in MODALITIES:
        raise PromptError(f"{prompt.modality!r} is not a modality.", f"Use {MODALITY_CHOICE}.")
    if not prompt.trained:
        return prompt
    label = find_label(prompt.modality, prompt.text.strip())
    if label is not None:
        return replace(label.prompt(), trained=known)
    if not has_bank:
        raise PromptError(
            f"SAT was not trained on {prompt.text!r} in {prompt.modality}.",
            "Choose one of its labels, or ask for it as free text, which is marked as a guess.",
        )
    return prompt


def _check_axes(prompts: Sequence[Prompt], model: ModelDescription) -> None:
    for prompt in prompts:
        if prompt.orientation not in model.orientations:
            raise PromptError(
                f"{prompt.text!r} was trained with axes in the order {prompt.orientation}, "
                f"which the model {model.name} was not.",
                "Choose another model.",
            )


def _check_repeats(prompts: Sequence[Prompt]) -> None:
    seen = set()
    for prompt in prompts:
        if (prompt.text.lower(), prompt.modality) in seen:
            raise PromptError(f"{prompt.text!r} was given twice.", "Remove one of them.")
        seen.add((prompt.text.lower(), prompt.modality))
