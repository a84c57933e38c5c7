"""What a label means, in a sentence, and what it holds and leaves out where the data sets behind it differ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from SATSegmentLib.anatomy.text.bases import base_of
from SATSegmentLib.anatomy.vocabulary.labels import find_label, load_labels
from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.resources import resource_path
from SATSegmentLib.types import MODALITIES

DEFINITIONS_FILE = "Anatomy/definitions.tsv"
NOT_DOCUMENTED = "What exactly the data sets include is not documented."
_OWN = "SATSegment"


@dataclass(frozen=True)
class Definition:
    """What one label means.

    Attributes
    ----------
    label : str
        The trained string.
    text : str
        One sentence.
    scope : str
        What it holds or leaves out; `NOT_DOCUMENTED` where that is not known.
    source : str
        Where the sentence comes from.
    scope_source : str
        The papers behind `scope`; empty where there is none.
    datasets : tuple of str
        The data sets whose masks of it SAT was trained on.
    """

    label: str
    text: str
    scope: str
    source: str
    scope_source: str
    datasets: tuple[str, ...]


@cache
def definition_of(label: str) -> Definition:
    """The definition of a trained string.

    Raises
    ------
    KeyError
        It is no label.
    """
    labels = [found for modality in MODALITIES if (found := find_label(modality, label))]
    if not labels:
        raise KeyError(label)
    base = base_of(labels[0].text)
    own, scope, scope_source = _table().get(base.name, ("", "", ""))
    text, source = (own, _OWN) if own else _from_tree(base.name, labels[0].text)
    if base.side and base.name not in ("auricle of heart", "lung middle lobe"):
        text = f"{text.rstrip('.')}; on the {base.side} side."
    if base.number:
        text = f"{text.rstrip('.')}; here {base.number if '/' in base.number else f'number {base.number}'}."
    datasets = tuple(dict.fromkeys(name for found in labels for name in found.datasets))
    return Definition(labels[0].text, text, scope or NOT_DOCUMENTED, source, scope_source, datasets)


def _from_tree(base: str, label: str) -> tuple[str, str]:
    """The knowledge tree's sentence for the structure without its side, else for the label itself."""
    tree = load_tree()
    texts = (base, label)
    concepts = [found.concept for text in texts for found in load_labels() if found.text == text]
    concept = next(tree.concepts[concept] for concept in concepts if tree.concepts[concept].definition)
    return concept.definition, f"knowledge tree, {concept.id}"


@cache
def _table() -> dict[str, tuple[str, str, str]]:
    lines = resource_path(DEFINITIONS_FILE).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")][1:]
    return {base: (definition, scope, source) for base, definition, scope, source in rows}
