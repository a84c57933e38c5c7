"""Print the figures that Docs/anatomy.md names: `python tools/anatomy/figures.py`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "SATSegment"))

from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.anatomy.vocabulary.tree import load_tree


def main() -> int:
    """Counts of the tree and of the labels' codes."""
    concepts = list(load_tree().concepts.values())
    shown = [concept for concept in concepts if concept.default_view]
    print("concepts:", len(concepts), "in the default view:", len(shown))
    print("default view by source:", dict(Counter(concept.source for concept in shown)))
    print("default view with a definition:", sum(bool(concept.definition) for concept in shown))
    print("default view by laterality:", dict(Counter(concept.laterality for concept in shown)))
    print("names and synonyms in the default view:", sum(1 + len(concept.synonyms) for concept in shown))
    print("codes by scheme:", dict(Counter(scheme for concept in concepts for scheme in concept.codes)))
    print("links by kind:", dict(Counter(parent.relation for concept in concepts for parent in concept.parents)))
    names = {label.text: label for label in load_labels()}
    schemes = Counter(label.terminology.type.scheme for label in names.values())
    print("SAT names by the scheme of their type code:", dict(schemes))
    private = {n.terminology.type.value for n in names.values() if n.terminology.type.scheme == "99SATSEGMENT"}
    print("private codes:", len(private))
    print("labels by evidence grade:", dict(sorted(Counter(label.grade for label in load_labels()).items())))
    print("labels marked small:", sum(label.small for label in load_labels()))
    print("SAT names on a concept of SAT's own:", sum(n.concept.startswith("SAT:") for n in names.values()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
