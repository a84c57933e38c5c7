"""Text to what SAT shall segment, without ever guessing silently.

Only three things pass without a question: the exact trained string, a curated name that means one structure in this
modality, and changes of spelling, plural, side or number that leave the name the same. Everything else comes back as
a question, as a refusal with what is nearest, or as unknown.
"""

from __future__ import annotations

import re
from dataclasses import replace

from SATSegmentLib.anatomy.languages.reading import read
from SATSegmentLib.anatomy.personal.user_words import find_words
from SATSegmentLib.anatomy.resolver import lists, refusals
from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, NotSegmentable, Resolution, Resolved, Unknown
from SATSegmentLib.anatomy.resolver.any_language import resolve_any_language
from SATSegmentLib.anatomy.resolver.question import MAX_CANDIDATES, Question
from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion, reason_of, suggest, suggest_prompts
from SATSegmentLib.anatomy.suggestions.tree_names import is_name
from SATSegmentLib.anatomy.text.counting import counts_liver_segments
from SATSegmentLib.anatomy.text.words import MAX_CHARACTERS, read_words
from SATSegmentLib.anatomy.text.written import DEFAULT_NAME, SCORE, Written, read_written
from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.anatomy.vocabulary.lexicon import load_lexicon
from SATSegmentLib.errors import PromptError
from SATSegmentLib.types import MODALITIES, MODALITY_CHOICE, Modality, Prompt

# Roman numerals count the liver's segments where nothing else is said: "segment VII", "segments II-III".
# Letters and numbers only, without the signs and brackets of copies and of TG-263.
_PLAIN = re.compile(r"[^\W_][^_~!*^#+()]*")
_COUINAUD = re.compile(r"(?i)(?<![^\W_])(segments?|segs?\.?)(?=[\s_]+(?:viii|vii|vi|v|iv|iii|ii|i)[ab]?(?![^\W_]))")

_SEGMENTS = re.compile(r"(?i)(?<![^\W_])(segments|segs\.?)(?=[\s_]*\d)")

# A sign where it says something of the whole, also of a level: "T2*", "~L4", "rib -3".
_BARE_SIGN = re.compile(r"^\s*[~!*#^@$%&=<>|\\]|[~!*#^@$%&€£=<>|\\]\s*$|\s[-−–]\d+")
_SIGN = re.compile(r"[-−‐‑–—~!#*^+_()|=<>\\]")


def resolve(text: str, modality: Modality, model_sha256: str = "") -> Resolution:
    """What `text` means for SAT in one modality; see the module.

    A word that the user taught is meant where the vocabulary has no certain answer of its own.

    Parameters
    ----------
    text : str
        What was typed.
    modality : {"ct", "mri", "pet"}
        The scan's.
    model_sha256 : str
        The checkpoint that will run (`ModelDescription.network_sha256`). Words that were taught to another one are
        refused; empty where it is not known yet, and then words of any model pass.

    Raises
    ------
    PromptError
        The modality is not "ct", "mri" or "pet".
    """
    answer = resolve_vocabulary(text, modality)
    if isinstance(answer, Resolved | Composite):
        return answer
    taught = find_words(text, modality)
    fitting = [one for one in taught if model_sha256 in ("", one.record.model_sha256)]
    if fitting:
        return Resolved(text, fitting[0].record.prompt())
    if taught and isinstance(answer, Unknown | NotSegmentable):
        record = taught[0].record
        return NotSegmentable(text, record.name, "", f"taught to {record.model} only", ())
    if isinstance(answer, Unknown):
        return _taught_elsewhere(text, modality) or answer
    return answer


def _taught_elsewhere(text: str, modality: Modality) -> NotSegmentable | None:
    """A taught word of this name in another modality."""
    records = [one.record for other in MODALITIES if other != modality for one in find_words(text, other)]
    if not records:
        return None
    reason = reason_of(tuple(dict.fromkeys(record.modality for record in records)))
    return NotSegmentable(text, records[0].name, "", reason, tuple(dict.fromkeys(r.prompt() for r in records)))


def resolve_vocabulary(text: str, modality: Modality) -> Resolution:
    """As `resolve`, without the words that the user taught.

    Raises
    ------
    PromptError
        As `resolve`.
    """
    if modality not in MODALITIES:
        raise PromptError(f"SAT does not support the modality {modality!r}.", f"Use {MODALITY_CHOICE}.")
    if len(text) > MAX_CHARACTERS:
        return Unknown(text)
    label = find_label(modality, " ".join(text.split()))
    if label is not None:
        return Resolved(text, label.prompt())
    if DEFAULT_NAME.fullmatch(text) or SCORE.search(text):
        return Unknown(text)
    written = read_written(text, is_name)
    signs = any(_SIGN.search(part) for part in written.left_out)
    if written.left_out and (signs or not _is_named_elsewhere(text)):
        return _asked(text, written, modality)
    answer = resolve_any_language(text, modality, _answer)
    if isinstance(answer, Resolved | Composite) and (sign := _BARE_SIGN.search(text)):
        return DidYouMean(text, tuple(_without(hit, (sign[0].strip(),)) for hit in _offered(answer, modality)))
    return answer


def _is_named_elsewhere(text: str) -> bool:
    """Whether all of a plain text is a name in another language: "LWK 4" is no copy of "LWK"."""
    return bool(_PLAIN.fullmatch(text)) and any(reading.certain for reading in read(text))


def _answer(text: str, modality: Modality, guess: bool = True) -> Resolution:
    """The answer to an English text without signs and suffixes; where it is not to `guess`, from names alone."""
    if _COUINAUD.search(text) and counts_liver_segments(read_words(text).tokens) is not False:
        answer = _answer_as_written(_COUINAUD.sub(r"liver \1", text), modality, guess)
        return replace(answer, text=text)
    answer = _answer_as_written(text, modality, guess)
    sure = isinstance(answer, Resolved | Composite)
    if not sure and _SEGMENTS.search(text) and counts_liver_segments(read_words(text).tokens) is None:
        # "Segments 5 to 8" of what? Of the liver they can be had; that it is meant was not said.
        meant = _offered(_answer_as_written(_SEGMENTS.sub(r"liver \1", text), modality, guess), modality)
        answer = DidYouMean(text, meant) if meant else answer
    return answer


def _answer_as_written(text: str, modality: Modality, guess: bool) -> Resolution:
    question = Question(text, modality)
    if not question.words.name_something:
        return Unknown(text)
    return (
        question.by_name()
        or lists.by_numbers(question)
        or lists.by_list(question)
        or lists.together_or_apart(question)
        or refusals.elsewhere(question)
        or refusals.by_abbreviation(question)
        or refusals.unsupported(question)
        or refusals.in_tree(question)
        or (refusals.by_likeness(question) if guess else None)
        or Unknown(text)
    )


def _asked(text: str, written: Written, modality: Modality) -> Resolution:
    """The name inside of "~Lung_L", "liver_1" or "Liver-GTV", as a question that says what it leaves out."""
    inner = resolve_vocabulary(written.name, modality)
    if isinstance(inner, NotSegmentable):
        return replace(inner, text=text)
    candidates = [_without(hit, written.left_out) for hit in _offered(inner, modality)]
    answer = _answer(text, modality)
    if isinstance(answer, NotSegmentable) and not isinstance(inner, Resolved | Composite):
        return answer  # "sellar region" is known as it stands
    if not candidates:
        return Unknown(text)
    whole = _offered(answer, modality)
    names = {hit.name for hit in candidates}
    also = [hit for hit in whole if hit.match == "exact" and hit.name not in names]
    return DidYouMean(text, tuple([*candidates, *also][:MAX_CANDIDATES]))


def _without(hit: Suggestion, left_out: tuple[str, ...]) -> Suggestion:
    return replace(hit, left_out=(*hit.left_out, *left_out))


def _offered(answer: Resolution, modality: Modality) -> tuple[Suggestion, ...]:
    """An answer's prompts as suggestions."""
    if isinstance(answer, DidYouMean):
        return answer.candidates
    if isinstance(answer, Composite):
        return (suggest_prompts(answer.name, answer.prompts, modality),)
    if isinstance(answer, Resolved):
        structure = load_lexicon().structures[answer.prompt.text]
        return (suggest(structure, modality, structure.name),)
    return ()


def as_free_text(unknown: Unknown, modality: Modality) -> Prompt:
    """The prompt that runs unknown text all the same; marked as not trained, in it and in its result.

    Raises
    ------
    PromptError
        The text is empty.
    """
    text = " ".join(unknown.text.split())
    if not text:
        raise PromptError("The prompt is empty.", "Type the name of a structure.")
    return Prompt(text, modality, trained=False)
