"""`satsegment terms`: search the vocabulary, resolve words to prompts, or look into the knowledge tree."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.languages.display import TITLES, local_name
from SATSegmentLib.anatomy.suggestions.tree_names import find_concept, load_tree_names
from SATSegmentLib.anatomy.vocabulary.definitions import Definition, definition_of
from SATSegmentLib.anatomy.vocabulary.labels import FAIR_EVIDENCE_SCANS, GOOD_EVIDENCE_SCANS
from SATSegmentLib.cli.exit_codes import UNKNOWN_STRUCTURES
from SATSegmentLib.cli.help_text import describe
from SATSegmentLib.cli.modality import add_modality
from SATSegmentLib.errors import PromptError
from SATSegmentLib.types import MODALITIES, Prompt

_ANSWERS = {
    anatomy.Resolved: "resolved",
    anatomy.Composite: "composite",
    anatomy.DidYouMean: "did you mean",
    anatomy.NotSegmentable: "not segmentable",
    anatomy.Unknown: "unknown",
}
_GRADES = {3: "good", 2: "fair", 1: "weak", 0: ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    describe(
        parser,
        "satsegment terms 'lt kidn' --modality ct",
        "satsegment terms --resolve 'both kidneys' --modality ct",
        notes=(
            "Evidence is how many annotated scans SAT was trained on: "
            f"good {GOOD_EVIDENCE_SCANS} or more, fair {FAIR_EVIDENCE_SCANS} or more, weak fewer (of a group, its "
            "weakest label). It says nothing about your scan. In the name behind 'as', capitals mark what your words "
            "met.",
        ),
        codes={
            1: "cancelled",
            UNKNOWN_STRUCTURES: "nothing fits the words, or TEXT is no structure that can be asked for",
        },
    )
    parser.add_argument(
        "search", nargs="*", metavar="WORD", help="words to search for, e.g. lt kidn; may be incomplete or misspelt"
    )
    parser.set_defaults(refuse_usage=parser.error)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resolve", metavar="TEXT", help="what TEXT means as a prompt: never a silent guess")
    what.add_argument("--about", metavar="NAME", help="what a label means, and what it holds and leaves out")
    what.add_argument("--tree", metavar="NAME", help="where a structure stands in the knowledge tree")
    add_modality(parser, "modality of the scan; needed except for --about and --tree")
    parser.add_argument(
        "--language",
        choices=tuple(TITLES),
        default="en",
        help="show names in this language as well; all languages are understood without it (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, default=12, help="how many suggestions at most (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def run(arguments: argparse.Namespace) -> int:
    known = True
    other = (arguments.tree, arguments.about, arguments.resolve) != (None, None, None)
    if other == bool(arguments.search):
        arguments.refuse_usage("give words to search for, or one of --resolve, --about and --tree")
    if arguments.tree is not None:
        answer, lines = _tree(arguments.tree, arguments.modality)
    elif arguments.about is not None:
        answer, lines = _about(arguments.about, arguments.modality, arguments.language)
    elif arguments.modality is None:
        raise PromptError("The modality is missing.", "Add --modality ct, mri or pet.")
    elif arguments.resolve is not None:
        answer, lines = _resolve(arguments.resolve, arguments.modality, arguments.language)
        known = "prompts" in answer
    else:
        text = " ".join(arguments.search)
        answer, lines = _search(text, arguments.modality, arguments.limit, arguments.language)
        known = bool(answer["suggestions"])
    if arguments.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines))
    return 0 if known else UNKNOWN_STRUCTURES


def _about(text: str, modality: Any, language: str) -> tuple[dict[str, Any], Iterator[str]]:
    modalities = [modality] if modality else MODALITIES
    prompts: tuple[Prompt, ...] = next((found for one in modalities if (found := _certain(text, one))), ())
    if not prompts:
        raise PromptError(f"{text!r} is not one label of SAT.", "Look for it with `satsegment terms`.")
    definitions = [definition_of(prompt.text) for prompt in prompts]
    answer = {
        "text": text,
        "labels": [
            {
                "label": one.label,
                "name": local_name(one.label, language) or one.label,
                "definition": one.text,
                "scope": one.scope,
                "source": one.source,
                "scope_source": one.scope_source,
                "datasets": list(one.datasets),
            }
            for one in definitions
        ],
    }
    return answer, (line for one in definitions for line in _definition_lines(one, language))


def _certain(text: str, modality: Any) -> tuple[Prompt, ...]:
    answer = anatomy.resolve(text, modality)
    if isinstance(answer, anatomy.Composite):
        return answer.prompts
    return (answer.prompt,) if isinstance(answer, anatomy.Resolved) else ()


def _definition_lines(found: Definition, language: str) -> Iterator[str]:
    yield _both_names(found.label, language)
    yield f"  {found.text}  [{found.source}]"
    yield f"  {found.scope}" + (f"  [{found.scope_source}]" if found.scope_source else "")
    yield f"  data sets: {', '.join(found.datasets)}"


def _search(text: str, modality: Any, limit: int, language: str) -> tuple[dict[str, Any], Iterator[str]]:
    if limit < 1:
        raise PromptError(f"--limit {limit} leaves nothing to show.", "Use 1 or more.")
    hits = anatomy.search(text, modality, limit, language=language)
    answer = {"text": text, "modality": modality, "suggestions": [_suggestion(hit) for hit in hits]}
    return answer, _lines(hits, language) if hits else iter(["Nothing fits: check the spelling."])


def _lines(hits: list[anatomy.Suggestion] | tuple[anatomy.Suggestion, ...], language: str = "en") -> Iterator[str]:
    width = min(60, max(len(hit.name) for hit in hits))
    for hit in hits:
        alias = "" if hit.matched.lower() == hit.name.lower() else f'as "{_marked(hit)}"'
        state = hit.reason or f"{_GRADES[hit.grade]} evidence, {hit.scans:,} scans"
        members = f"{len(hit.prompts)} labels" if len(hit.prompts) > 1 else ""
        local = local_name(hit.name, language)
        local = "" if local == hit.matched else local
        code = hit.codes[-1] if hit.codes else ""
        yield "  ".join(filter(None, (hit.name.ljust(width), local, state, members, code, alias))).rstrip()


def _marked(hit: anatomy.Suggestion) -> str:
    """The matched name with the met parts in capitals, as a terminal has no bold that survives a pipe."""
    letters = list(hit.matched.lower())
    for start, end in hit.spans:
        letters[start:end] = [letter.upper() for letter in letters[start:end]]
    return "".join(letters)


def _suggestion(hit: anatomy.Suggestion) -> dict[str, Any]:
    return {
        "label": hit.name if hit.what == "label" else None,
        "name": hit.name,
        "what": hit.what,
        "status": hit.status,
        "reason": hit.reason,
        "matched": hit.matched,
        "spans": [list(span) for span in hit.spans],
        "match": hit.match,
        "prompts": [_prompt(prompt) for prompt in hit.prompts],
        "modalities": list(hit.modalities),
        "grade": hit.grade,
        "scans": hit.scans,
        "finding": hit.finding,
        "concept": hit.concept,
        "codes": list(hit.codes),
    }


def _prompt(prompt: Prompt) -> dict[str, Any]:
    return {
        "text": prompt.text,
        "modality": prompt.modality,
        "orientation": prompt.orientation,
        "concept": prompt.concept,
        "trained": prompt.trained,
    }


def _resolve(text: str, modality: Any, language: str) -> tuple[dict[str, Any], Iterator[str]]:
    resolution = anatomy.resolve(text, modality)
    answer: dict[str, Any] = {"text": text, "modality": modality, "answer": _ANSWERS[type(resolution)]}
    if isinstance(resolution, anatomy.Resolved):
        answer |= {"label": resolution.prompt.text, "prompts": [_prompt(resolution.prompt)]}
        return answer, iter([_both_names(resolution.prompt.text, language)])
    if isinstance(resolution, anatomy.Composite):
        answer |= {"name": resolution.name, "prompts": [_prompt(prompt) for prompt in resolution.prompts]}
        return answer, iter(
            [f"{resolution.name}:", *(f"  {_both_names(prompt.text, language)}" for prompt in resolution.prompts)]
        )
    if isinstance(resolution, anatomy.DidYouMean):
        answer["candidates"] = [_suggestion(hit) for hit in resolution.candidates]
        return answer, iter(["Did you mean", *(f"  {line}" for line in _lines(resolution.candidates, language))])
    if isinstance(resolution, anatomy.NotSegmentable):
        nearest = [_prompt(prompt) for prompt in resolution.nearest]
        answer |= {"concept": resolution.concept, "concept_id": resolution.concept_id, "reason": resolution.reason}
        answer["nearest"] = nearest
        near = [f"  nearest: {prompt.text} ({prompt.modality})" for prompt in resolution.nearest]
        return answer, iter([f"{resolution.concept}: {resolution.reason}", *near])
    return answer, iter(["Unknown. Free text runs only where you ask for it."])


def _both_names(label: str, language: str) -> str:
    """The trained string, and its name in the user's language behind it."""
    name = local_name(label, language)
    return f"{label}  ({name})" if name else label


def _tree(name: str, modality: str | None) -> tuple[dict[str, Any], Iterator[str]]:
    tree = anatomy.load_tree()
    found = find_concept(name)
    if found is None:
        close = (
            [concept.name for concept, _ in load_tree_names().containing((name.lower(),), 5)] if name.strip() else []
        )
        raise PromptError(f'The knowledge tree has no "{name}".', f"Try {', '.join(close)}." if close else "")
    concept = tree.concepts[found.id]
    answer = {
        **_concept(concept, modality),
        "definition": concept.definition,
        "synonyms": list(concept.synonyms),
        "laterality": concept.laterality,
        "source": concept.source,
        "parents": [
            {**_concept(tree.concepts[parent.id], modality), "relation": parent.relation or None}
            for parent in concept.parents
        ],
        "path": [step.name for step in tree.path(concept.id)],
        "children": [_concept(child, modality) for child in tree.children(concept.id) if child.default_view],
    }
    return answer, _tree_lines(answer)


def _concept(concept: anatomy.Concept, modality: str | None) -> dict[str, Any]:
    labels = [
        {"label": label.text, "modality": label.modality}
        for label in anatomy.load_labels()
        if label.concept == concept.id and modality in (None, label.modality)
    ]
    codes = [f"{scheme}:{value}" for scheme, value in concept.codes.items()]
    return {"id": concept.id, "name": concept.name, "codes": codes, "labels": labels}


def _tree_lines(answer: dict[str, Any]) -> Iterator[str]:
    yield " > ".join(answer["path"])
    yield f"{answer['name']}  {' '.join(answer['codes'])}".rstrip()
    if answer["definition"]:
        yield f"  {answer['definition']}"
    if answer["synonyms"]:
        yield f"  also: {', '.join(answer['synonyms'])}"
    for label in answer["labels"]:
        yield f"  SAT: {label['label']} ({label['modality']})"
    for child in answer["children"]:
        names = dict.fromkeys(label["label"] for label in child["labels"])
        yield f"    {child['name']}" + (f"  [SAT: {', '.join(names)}]" if names else "")
