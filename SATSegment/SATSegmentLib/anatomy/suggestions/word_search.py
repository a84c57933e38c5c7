"""Suggestions from the words that the user taught."""

from __future__ import annotations

import re

from SATSegmentLib.anatomy.personal.user_words import WordRecord, name_key, word_files
from SATSegmentLib.anatomy.suggestions.suggestion import Match, Suggestion, reason_of
from SATSegmentLib.types import Modality


def suggest_words(text: str, modality: Modality, model_sha256: str = "") -> list[Suggestion]:
    """Taught words in which each typed word begins some word, those of this modality and model first."""
    typed = name_key(text).split()
    if not typed:
        return []
    found: dict[tuple[str, bool], Suggestion] = {}
    for file in word_files():
        record = file.record
        words = name_key(record.name).split()
        if all(any(word.startswith(one) for word in words) for one in typed):
            here = record.modality == modality and model_sha256 in ("", record.model_sha256)
            found.setdefault((name_key(record.name), here), _suggestion(record, typed, here, modality))
    hits = [hit for (key, here), hit in found.items() if here or (key, True) not in found]
    return sorted(hits, key=lambda hit: (hit.status != "taught", hit.match != "exact", hit.match != "prefix", hit.name))


def _suggestion(record: WordRecord, typed: list[str], here: bool, modality: Modality) -> Suggestion:
    key = name_key(record.name)
    whole = " ".join(typed)
    elsewhere = record.modality == modality
    match: Match = "exact" if key == whole else "prefix" if key.startswith(whole) else "words"
    return Suggestion(
        name=record.name,
        what="word",
        status="taught" if here else "other model" if elsewhere else "other modality",
        reason="" if here else f"taught to {record.model} only" if elsewhere else reason_of((record.modality,)),
        matched=record.name,
        spans=_spans(record.name, typed),
        match=match,
        prompts=(record.prompt(),) if here else (),
        modalities=(record.modality,),
        grade=0,
        scans=record.examples,
        finding=False,
        concept="",
        codes=(),
        score=0.0,
    )


def _spans(name: str, typed: list[str]) -> tuple[tuple[int, int], ...]:
    spans = set()
    for word in re.finditer(r"\S+", name):
        begun = [one for one in typed if word.group().casefold().startswith(one)]
        if begun:
            spans.add((word.start(), word.start() + len(max(begun, key=len))))
    return tuple(sorted(spans))
