"""From names that a person or a program wrote to prompts: the one way, which asks back instead of guessing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, NotSegmentable, Resolved
from SATSegmentLib.anatomy.resolver.resolve import as_free_text, resolve
from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.errors import NameQuestion, NameReason, PromptError
from SATSegmentLib.types import MODALITIES, MODALITY_CHOICE, Modality, Prompt, modality_named

Structures = str | Prompt | Iterable[str | Prompt]


def prompts_for(
    structures: Structures,
    modality: Modality | None = None,
    free_text: bool = False,
    on_meaning: Callable[[str, Sequence[Prompt]], None] | None = None,
    model_sha256: str = "",
) -> tuple[Prompt, ...]:
    """The prompts that names stand for, in their order.

    Parameters
    ----------
    structures : str, Prompt, or several of these
        Names in any wording that the resolver knows ("lt kidney", "IVC", "kidneys"), also several in one string divided
        by semicolons; a `Prompt` stays what it is.
    modality : {"ct", "mri", "pet"}, optional
        Of the scan; needed where there are names.
    free_text : bool
        Whether unknown names become untrained prompts instead of an error.
    on_meaning : callable, optional
        Called with each name and the prompts it stands for.
    model_sha256 : str
        The model that will run, as `anatomy.resolve` takes it: a word that was taught to another one is refused.

    Returns
    -------
    tuple[Prompt, ...]
        tuple of Prompt

    Raises
    ------
    NameQuestion
        A name can mean several things, or cannot be segmented here, or is unknown; the error has the candidates.
    PromptError
        A name is empty, or the modality is missing or is none.
    """
    given = [structures] if isinstance(structures, str | Prompt) else list(structures)
    found: list[Prompt] = []
    for one in given:
        if isinstance(one, Prompt):
            found.append(one)
            continue
        if modality is None:
            raise PromptError(f"The modality for {one!r} is not given.", f"Say {MODALITY_CHOICE}.")
        known = modality_named(modality)
        if known is None:
            raise PromptError(f"SAT does not support the modality {modality!r}.", f"Use {MODALITY_CHOICE}.")
        for name in (part.strip() for part in one.split(";")):
            meant = _meaning(name, known, free_text, model_sha256)
            if on_meaning is not None:
                on_meaning(name, meant)
            found += meant
    return tuple(found)


def _meaning(name: str, modality: Modality, free_text: bool, model_sha256: str) -> tuple[Prompt, ...]:
    if not name:
        raise PromptError("A structure's name is empty.", "Name a structure, or remove the empty name.")
    match resolve(name, modality, model_sha256):
        case Resolved(prompt=prompt):
            return (prompt,)
        case Composite(prompts=prompts):
            return prompts
        case DidYouMean(candidates=candidates):
            names = ", ".join(repr(candidate.name) for candidate in candidates)
            raise NameQuestion(
                f"{name!r} can mean more than one thing.",
                f"Did you mean one of these: {names}?",
                text=name,
                reason=NameReason.AMBIGUOUS,
                candidates=tuple((_askable(candidate, modality), modality) for candidate in candidates),
            )
        case NotSegmentable(reason=reason, nearest=nearest):
            raise NameQuestion(
                f"{name!r} cannot be segmented here: {reason}.",
                _remedy(modality, nearest),
                text=name,
                reason=NameReason.NOT_SEGMENTABLE,
                candidates=tuple((prompt.text, prompt.modality) for prompt in nearest),
            )
        case unknown:
            if free_text:
                return (as_free_text(unknown, modality),)
            raise NameQuestion(
                f"{name!r} is not a known structure.",
                "Check its spelling, look for it with `satsegment terms`, or ask for it as free text (--free-text).",
                text=name,
                reason=NameReason.UNKNOWN,
            )


def _askable(candidate: Suggestion, modality: Modality) -> str:
    """What asks for a candidate as it stands: its name, or its members where the name itself is a question."""
    if isinstance(resolve(candidate.name, modality), Resolved | Composite):
        return candidate.name
    return "; ".join(prompt.text for prompt in candidate.prompts)


def _remedy(modality: Modality, nearest: Sequence[Prompt]) -> str:
    if not nearest:
        return "Choose another structure."
    if any(prompt.modality == modality for prompt in nearest):
        return f"Nearest: {', '.join(f'{prompt.text!r} ({prompt.modality})' for prompt in nearest)}."
    named = {one.text: ", ".join(other for other in MODALITIES if find_label(other, one.text)) for one in nearest}
    listed = ", ".join(f"{text!r} ({where})" for text, where in named.items())
    return f"In scans of another modality: {listed}."
