"""The five answers of the resolver; exactly one of them for any text."""

from __future__ import annotations

from dataclasses import dataclass

from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion
from SATSegmentLib.types import Prompt


@dataclass(frozen=True, slots=True)
class Resolved:
    """The text is one trained label."""

    text: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Composite:
    """The text stands for several trained labels; `name` is what to call them together."""

    text: str
    name: str
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class DidYouMean:
    """The text may mean one of these, the likeliest first; each can be segmented in the modality. A person chooses."""

    text: str
    candidates: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class NotSegmentable:
    """Known anatomy that SAT cannot do here.

    Attributes
    ----------
    concept : str
        Its name.
    concept_id : str
        Its id in the knowledge tree; may be empty.
    reason : str
        Why, for people: "MRI only", "not a SAT class", "trained without a side only".
    nearest : tuple[Prompt, ...]
        What comes closest and was trained, best first: in this modality, else in another. May be empty.
    """

    text: str
    concept: str
    concept_id: str
    reason: str
    nearest: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that is known. Runs as free text only where the caller says so: `as_free_text`."""

    text: str


Resolution = Resolved | Composite | DidYouMean | NotSegmentable | Unknown
