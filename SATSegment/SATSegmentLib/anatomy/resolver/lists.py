"""Several structures in one text: numbers, ranges and lists, where each of them is certain by itself."""

from __future__ import annotations

from SATSegmentLib.anatomy.resolver.answers import Composite, DidYouMean, NotSegmentable, Resolution, Resolved
from SATSegmentLib.anatomy.resolver.joints import LEVEL_PAIR, parts_of
from SATSegmentLib.anatomy.resolver.question import MAX_CANDIDATES, Question
from SATSegmentLib.anatomy.resolver.refusals import elsewhere
from SATSegmentLib.anatomy.text.numbering import numbered_parts
from SATSegmentLib.anatomy.text.words import Side
from SATSegmentLib.types import Prompt


def by_numbers(question: Question) -> Resolution | None:
    """ "L1-L5", "ribs 5 and 6": each member on its own."""
    for name, parts in numbered_parts(question.words):
        answers = [Question(part, question.modality).by_name() for part in parts]
        prompts = prompts_of(answers)
        if prompts:
            return Composite(question.text, name, prompts)
        known = [p for answer in answers for p in prompts_of([answer])]
        if known or all(elsewhere(Question(part, question.modality)) for part in parts):
            reason = "only in part here" if known else "not in this modality"
            return NotSegmentable(question.text, name, "", reason, tuple(dict.fromkeys(known)))
    return None


def by_list(question: Question) -> Resolution | None:
    """Several structures in one text, where each of them is certain by itself."""
    parts = parts_of(question.text)
    if len(parts) < 2 or len(parts) > 40 or LEVEL_PAIR.search(question.text):
        return None
    questions = [Question(part, question.modality) for part in parts]
    answers = [one.by_name() or by_numbers(one) for one in questions]
    prompts = prompts_of(answers)
    if not prompts:
        return None
    if question.joined and len(prompts) < len(parts):
        # "Sternum and manubrium": two names of one label, so one of them would be lost.
        return question.ask_prompts(prompts)
    sides = {one.words.side for one in questions} & {"left", "right"}
    if sides and any(not q.words.side and _sided_too(q, a) for q, a in zip(questions, answers, strict=True)):
        # "left kidney and adrenal gland": is the gland of the left side meant, or are both?
        return question.ask_prompts(_on_side(question, prompts, sides))
    return Composite(question.text, ", ".join(dict.fromkeys(p.text for p in prompts)), prompts)


def _sided_too(question: Question, answer: Resolution | None) -> bool:
    """Whether the side of another structure in the list may be meant for this one as well."""
    if any(question.has_sides(entry.structure) for entry in question.here(question.lexicon.find(question.words, ""))):
        return True
    structures = [question.lexicon.structures[prompt.text] for prompt in prompts_of([answer])]
    if any(structure.name in question.lexicon.bilateral for structure in structures):
        return True  # "right putamen and insula": the label of both insulae was not meant
    return len({structure.side for structure in structures}) > 1


def _on_side(question: Question, prompts: tuple[Prompt, ...], sides: set[Side]) -> tuple[Prompt, ...]:
    """The prompts without those of a side that nobody named."""
    kept = [p for p in prompts if question.lexicon.structures[p.text].side in ("", *sides)]
    return tuple(kept)


def together_or_apart(question: Question) -> DidYouMean | None:
    """ "Liver and tumor": the liver, a tumor of it, or both; whoever wrote it knows."""
    side = question.words.side if question.words.side in ("left", "right") else ""
    entries = [entry for entry in question.lexicon.find(question.words, side) if question.is_here(entry)]
    if not question.joined or not entries:
        return None
    answers = [Question(part, question.modality).by_name() for part in parts_of(question.text)]
    prompts = tuple(prompt for answer in answers for prompt in prompts_of([answer]))
    candidates = (*question.ask_prompts(prompts).candidates, *question.ask(entries).candidates)
    unique = {hit.name: hit for hit in reversed(candidates)}
    ordered = dict.fromkeys(hit.name for hit in candidates)
    return DidYouMean(question.text, tuple(unique[name] for name in ordered)[:MAX_CANDIDATES])


def prompts_of(answers: list[Resolution | None]) -> tuple[Prompt, ...]:
    """All prompts, where every answer is certain; otherwise none."""
    prompts: list[Prompt] = []
    for answer in answers:
        if isinstance(answer, Resolved):
            prompts.append(answer.prompt)
        elif isinstance(answer, Composite):
            prompts += answer.prompts
        else:
            return ()
    return tuple(dict.fromkeys(prompts))
