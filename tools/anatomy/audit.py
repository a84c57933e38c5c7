"""Draw concepts of the default view at random, for a person to judge: `python tools/anatomy/audit.py --seed N`.

The verdicts on a draw are listed in Docs/anatomy-audit.md.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "SATSegment"))

from SATSegmentLib.anatomy.vocabulary.tree import load_tree


def main() -> int:
    """Print the draw as a table: number, id, name, parent, definition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    tree = load_tree()
    shown = [identifier for identifier, concept in tree.concepts.items() if concept.default_view]
    # By hash rather than by place in a list: a concept more or less changes one line of the draw, not all of it.
    shown.sort(key=lambda identifier: hashlib.sha256(f"{arguments.seed} {identifier}".encode()).digest())
    for number, identifier in enumerate(shown[: arguments.count], 1):
        concept = tree.concepts[identifier]
        parent = tree.concepts[concept.parents[0].id].name if concept.parents else ""
        print(number, identifier, concept.name, parent, concept.definition, sep="\t")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
