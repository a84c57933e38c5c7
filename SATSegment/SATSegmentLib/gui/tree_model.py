"""The knowledge tree as far as it leads to what SAT was trained on. No widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from SATSegmentLib import anatomy


@dataclass
class Branch:
    """A concept, or a label, with what is below it.

    Attributes
    ----------
    name : str
        What it is called.
    text : str
        The trained string, where this is a label; else empty.
    about : str
        Definition and codes, for the tool tip.
    """

    name: str
    text: str = ""
    about: str = ""
    children: list[Branch] = field(default_factory=list)


@cache
def branches() -> tuple[Branch, ...]:
    """The tree's top branches; each label, of any modality, is in it once."""
    tree = anatomy.load_tree()
    texts: dict[str, list[str]] = {}
    for label in anatomy.load_labels():
        known = texts.setdefault(label.concept, [])
        if label.text not in known:
            known.append(label.text)
    made: dict[str, Branch] = {}
    roots: list[Branch] = []
    for concept in texts:
        above: Branch | None = None
        for step in tree.path(concept):
            branch = made.get(step.id)
            if branch is None:
                branch = made[step.id] = Branch(step.name, about=step.definition)
                (roots if above is None else above.children).append(branch)
            above = branch
        _label(made[concept], texts[concept])
    top = _sorted([_short(branch) for branch in roots])
    while len(top) == 1 and not top[0].text:
        top = top[0].children
    return tuple(top)


def _label(branch: Branch, texts: list[str]) -> None:
    """One label of a concept is the concept's own entry; several are entries below it."""
    if len(texts) == 1:
        branch.name = branch.text = texts[0]
    else:
        branch.children += [Branch(text, text, branch.about) for text in texts]


def _short(branch: Branch) -> Branch:
    """Without steps that only lead on to one other."""
    branch.children = _sorted([_short(child) for child in branch.children])
    if not branch.text and len(branch.children) == 1:
        return branch.children[0]
    return branch


def _sorted(found: list[Branch]) -> list[Branch]:
    return sorted(found, key=lambda branch: branch.name.lower())
