"""Words to prompts: the trained labels, the knowledge tree, ranked search, and a resolver that never guesses silently.

    from SATSegmentLib import anatomy
    anatomy.search("lt kidn", "ct")           # ranked suggestions, greyed where SAT cannot do it
    anatomy.resolve("IVC", "ct").prompt       # Prompt("inferior vena cava", "ct", ...)
    anatomy.presets()                         # sets of structures a clinic uses

Each name is imported when it is first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from SATSegmentLib.anatomy.personal.user_sets import UserSets
    from SATSegmentLib.anatomy.report.reader import Mention, read_report
    from SATSegmentLib.anatomy.resolver.answers import (
        Composite,
        DidYouMean,
        NotSegmentable,
        Resolution,
        Resolved,
        Unknown,
    )
    from SATSegmentLib.anatomy.resolver.resolve import as_free_text, resolve
    from SATSegmentLib.anatomy.suggestions.ranking import preload, search
    from SATSegmentLib.anatomy.suggestions.suggestion import Suggestion
    from SATSegmentLib.anatomy.vocabulary.labels import CodedConcept, Label, Terminology, find_label, load_labels
    from SATSegmentLib.anatomy.vocabulary.presets import Preset, labels_by_region, presets
    from SATSegmentLib.anatomy.vocabulary.tree import AnatomyTree, Concept, load_tree

_HOMES = {
    "AnatomyTree": "vocabulary.tree",
    "CodedConcept": "vocabulary.labels",
    "Composite": "resolver.answers",
    "Concept": "vocabulary.tree",
    "DidYouMean": "resolver.answers",
    "Label": "vocabulary.labels",
    "Mention": "report.reader",
    "NotSegmentable": "resolver.answers",
    "Preset": "vocabulary.presets",
    "Resolution": "resolver.answers",
    "Resolved": "resolver.answers",
    "Suggestion": "suggestions.suggestion",
    "Terminology": "vocabulary.labels",
    "Unknown": "resolver.answers",
    "UserSets": "personal.user_sets",
    "as_free_text": "resolver.resolve",
    "find_label": "vocabulary.labels",
    "labels_by_region": "vocabulary.presets",
    "load_labels": "vocabulary.labels",
    "load_tree": "vocabulary.tree",
    "preload": "suggestions.ranking",
    "presets": "vocabulary.presets",
    "read_report": "report.reader",
    "resolve": "resolver.resolve",
    "search": "suggestions.ranking",
}


__all__ = [
    "AnatomyTree",
    "CodedConcept",
    "Composite",
    "Concept",
    "DidYouMean",
    "Label",
    "Mention",
    "NotSegmentable",
    "Preset",
    "Resolution",
    "Resolved",
    "Suggestion",
    "Terminology",
    "Unknown",
    "UserSets",
    "as_free_text",
    "find_label",
    "labels_by_region",
    "load_labels",
    "load_tree",
    "preload",
    "presets",
    "read_report",
    "resolve",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
