"""Phrases from clinicians, written apart from the alias tables, scored as the project promises."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from SATSegmentLib import anatomy

DATA = Path(__file__).parents[2] / "Data"
# What clinicians type; and what is easily taken for something else: copies, signs, numbers, plan structures.
LISTS = ("clinical_phrases", "hard_phrases", "hostile_phrases", "unseen_phrases", "first_sight_phrases")

Answer = frozenset[str]


@dataclass(frozen=True)
class Phrase:
    text: str
    modality: str
    expected: tuple[str, ...]


def _phrases(name: str) -> list[Phrase]:
    with (DATA / f"{name}.tsv").open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Phrase(r["phrase"], r["modality"], tuple(e.strip() for e in r["expected"].split(" ; "))) for r in rows]


def _labels(expected: str) -> Answer:
    return frozenset(expected.removeprefix("composite:").split("|"))


def _resolver_answers(resolution: object) -> list[Answer]:
    """What the resolver offers, best first; nothing where it refuses."""
    if isinstance(resolution, anatomy.Resolved):
        return [frozenset([resolution.prompt.text])]
    if isinstance(resolution, anatomy.Composite):
        return [frozenset(prompt.text for prompt in resolution.prompts)]
    if isinstance(resolution, anatomy.DidYouMean):
        return [frozenset(prompt.text for prompt in hit.prompts) for hit in resolution.candidates]
    return []


def _silent(resolution: object) -> bool:
    return isinstance(resolution, anatomy.Resolved | anatomy.Composite)


def _right(phrase: Phrase, resolution: object, answers: list[Answer], places: int) -> bool:
    """Whether one of the expectations is met within the first `places` answers."""
    for expected in phrase.expected:
        kind, _, rest = expected.partition(":")
        offered = frozenset().union(*answers) if answers else frozenset()
        if kind in ("none", "other"):
            met = not _silent(resolution)
        elif kind == "not":
            met = not _silent(resolution) and not offered & frozenset(rest.split("|"))
        elif kind == "ask":
            met = not _silent(resolution) and (not rest or frozenset(rest.split("|")) <= offered)
        else:
            met = _labels(expected) in answers[:places]
        if met:
            return True
    return False


def _score(phrases: list[Phrase]) -> dict[str, list[str]]:
    """Phrases that miss each mark."""
    missed: dict[str, list[str]] = {"first": [], "three": [], "silent": [], "search": [], "search three": []}
    for phrase in phrases:
        resolution = anatomy.resolve(phrase.text, phrase.modality)  # type: ignore[arg-type]
        answers = _resolver_answers(resolution)
        said = f"{phrase.text!r} [{phrase.modality}] expected {phrase.expected}, got {resolution}"
        if not _right(phrase, resolution, answers, 1):
            missed["first"].append(said)
        if not _right(phrase, resolution, answers, 3):
            missed["three"].append(said)
        if _silent(resolution) and not _right(phrase, resolution, answers, 1):
            missed["silent"].append(said)
        if all(":" not in e or e.startswith("composite:") for e in phrase.expected) and "none" not in phrase.expected:
            found = [
                frozenset(prompt.text for prompt in hit.prompts)
                for hit in anatomy.search(phrase.text, phrase.modality)  # type: ignore[arg-type]
            ]
            wanted = [_labels(expected) for expected in phrase.expected]
            if not any(one in found[:1] for one in wanted):
                missed["search"].append(said + f", search {[sorted(f) for f in found[:3]]}")
            if not any(one in found[:3] for one in wanted):
                missed["search three"].append(said)
    return missed


@pytest.fixture(scope="module", params=LISTS)
def missed(request: pytest.FixtureRequest) -> tuple[int, dict[str, list[str]]]:
    phrases = _phrases(request.param)
    return len(phrases), _score(phrases)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("clinical_phrases", 400),
        ("hard_phrases", 200),
        ("hostile_phrases", 190),
        ("unseen_phrases", 60),
        ("first_sight_phrases", 380),
    ],
)
def test_the_lists_are_long_enough(name, least):
    assert len(_phrases(name)) >= least


def test_no_phrase_is_silently_taken_for_something_else(missed):
    assert not missed[1]["silent"], "\n".join(missed[1]["silent"])


@pytest.mark.parametrize(
    ("mark", "share"), [("first", 0.97), ("three", 0.98), ("search", 0.92), ("search three", 0.98)]
)
def test_the_right_label_is_first_or_among_three(missed, mark, share):
    count, misses = missed
    assert 1 - len(misses[mark]) / count >= share, "\n".join(misses[mark])
