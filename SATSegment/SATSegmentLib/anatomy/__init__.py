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
    from SATSegmentLib.anatomy.answers import (
        Composite,
        DidYouMean,
        NotSegmentable,
        Resolution,
        Resolved,
        Unknown,
    )
    from SATSegmentLib.anatomy.labels import CodedConcept, Label, Terminology, find_label, load_labels
    from SATSegmentLib.anatomy.preset_sets import Preset, labels_by_region, presets
    from SATSegmentLib.anatomy.ranking import preload, search
    from SATSegmentLib.anatomy.resolver import as_free_text, resolve
    from SATSegmentLib.anatomy.suggestion import Suggestion
    from SATSegmentLib.anatomy.tree import AnatomyTree, Concept, load_tree
    from SATSegmentLib.anatomy.user_sets import UserSets

_HOMES = {
    "AnatomyTree": "tree",
    "CodedConcept": "labels",
    "Composite": "answers",
    "Concept": "tree",
    "DidYouMean": "answers",
    "Label": "labels",
    "NotSegmentable": "answers",
    "Preset": "preset_sets",
    "Resolution": "answers",
    "Resolved": "answers",
    "Suggestion": "suggestion",
    "Terminology": "labels",
    "Unknown": "answers",
    "UserSets": "user_sets",
    "as_free_text": "resolver",
    "find_label": "labels",
    "labels_by_region": "preset_sets",
    "load_labels": "labels",
    "load_tree": "tree",
    "preload": "ranking",
    "presets": "preset_sets",
    "resolve": "resolver",
    "search": "ranking",
}


__all__ = [
    "AnatomyTree",
    "CodedConcept",
    "Composite",
    "Concept",
    "DidYouMean",
    "Label",
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
    "resolve",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
