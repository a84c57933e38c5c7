"""What search and resolver hand out: one structure with what is known about it in one modality."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from SATSegmentLib.anatomy.vocabulary.labels import Label
from SATSegmentLib.anatomy.vocabulary.lexicon import Structure, load_lexicon
from SATSegmentLib.types import MODALITY_TITLES, Modality, Prompt

Status = Literal["trained", "taught", "other modality", "other model", "not a SAT class"]
Match = Literal["exact", "prefix", "words", "typo", "partial"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One structure that fits what was typed.

    Attributes
    ----------
    name : str
        What to show: the trained string, the name of a composite, or of an anatomical concept.
    what : Literal['label', 'composite', 'concept', 'word']
        "label", "composite" (several labels at once), "concept" (known anatomy that SAT was not trained on) or "word"
        (the user's own, taught from examples).
    status : Status
        "trained" or "taught" in the asked modality, or why not.
    reason : str
        The status in short words for people ("MRI only", "not a SAT class"); empty where it can be asked for.
    matched : str
        The name that fitted, as written in the tables ("IVC"); often the same as `name`.
    spans : tuple[tuple[int, int], ...]
        (start, end) of the parts of `matched` that the typed words met, in characters.
    match : Match
        How it fitted; "typo" and "partial" are guesses.
    prompts : tuple[Prompt, ...]
        What to hand to the segmenter in the asked modality; empty where not trained.
    modalities : tuple[str, ...]
        Modalities in which it was trained.
    grade : int
        Evidence, 3 good, 2 fair, 1 weak, 0 none (the weakest member of a composite).
    scans : int
        Annotated training scans behind the grade.
    finding : bool
        Whether it is a lesion or another abnormality.
    concept : str
        Id in the knowledge tree; may be empty.
    codes : tuple[str, ...]
        "SCHEME:value" codes (UBERON, SCT, MSH, ...), the concept's own first.
    score : float
        Higher is better; comparable within one answer only.
    left_out : tuple[str, ...]
        What was typed and is not in it, as written: "my" of "my th" for the thalamus, "~" of "~liver". Where
        there is such, it is a guess: do not choose it for the user, and show what it leaves out.
    """

    name: str
    what: Literal["label", "composite", "concept", "word"]
    status: Status
    reason: str
    matched: str
    spans: tuple[tuple[int, int], ...]
    match: Match
    prompts: tuple[Prompt, ...]
    modalities: tuple[str, ...]
    grade: int
    scans: int
    finding: bool
    concept: str
    codes: tuple[str, ...]
    score: float
    left_out: tuple[str, ...] = ()


def suggest(
    structure: Structure,
    modality: Modality,
    matched: str,
    match: Match = "exact",
    spans: tuple[tuple[int, int], ...] = (),
    score: float = 0.0,
) -> Suggestion:
    """A structure of the lexicon as a suggestion for one modality."""
    labels = members_of(structure, modality)
    shown = labels or [label for other in structure.modalities for label in members_of(structure, other)]
    weakest = min(shown, key=lambda label: label.scans, default=None)
    single = shown[0] if structure.what == "label" else None
    return Suggestion(
        name=shown_name(structure, matched),
        what="concept" if structure.what == "unsupported" else structure.what,
        status="trained" if labels else "other modality" if structure.modalities else "not a SAT class",
        reason="" if labels else reason_of(structure.modalities),
        matched=matched,
        spans=spans,
        match=match,
        prompts=tuple(label.prompt() for label in labels),
        modalities=structure.modalities,
        grade=weakest.grade if weakest else 0,
        scans=weakest.scans if weakest else 0,
        finding=bool(single and single.is_finding),
        concept=single.concept if single else "",
        codes=_codes(single) if single else (),
        score=score,
    )


def suggest_prompts(name: str, prompts: tuple[Prompt, ...], modality: Modality) -> Suggestion:
    """Several trained labels under one name as one suggestion."""
    structures = load_lexicon().structures
    hits = [suggest(structures[prompt.text], modality, name) for prompt in prompts]
    weakest = min(hits, key=lambda hit: hit.scans)
    return replace(
        weakest, name=name, what="composite", matched=name, prompts=prompts, codes=(), concept="", finding=False
    )


def shown_name(structure: Structure, matched: str) -> str:
    """What to call a structure that was found under the name `matched`.

    Rows of what SAT cannot do hold neighbours as well as synonyms, so there the found name itself is shown,
    and the row's first one only in place of an abbreviation.
    """
    return structure.name if structure.what != "unsupported" or matched.isupper() else matched


def members_of(structure: Structure, modality: str) -> list[Label]:
    """The labels a structure stands for in a modality: one, several, or none."""
    if structure.what == "label":
        return [structure.labels[modality]] if modality in structure.labels else []
    structures = load_lexicon().structures
    return [structures[text].labels[modality] for text in structure.members.get(modality, ())]


def reason_of(modalities: tuple[str, ...]) -> str:
    """Why something cannot be asked for: "MRI only", "CT and MRI only", or "not a SAT class"."""
    if not modalities:
        return "not a SAT class"
    return " and ".join(MODALITY_TITLES[modality] for modality in modalities) + " only"


def _codes(label: Label) -> tuple[str, ...]:
    kind = label.terminology.type
    return tuple(dict.fromkeys(code for code in (label.concept, f"{kind.scheme}:{kind.value}") if code))
