"""A concept under construction, and what its names look like."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from naming import uncapitalized

ROOT = "SAT:human_body"
FINDING = "SAT:finding"
DEVELOPING = "SAT:developing"


@dataclass(slots=True)
class Node:
    """A concept under construction."""

    id: str
    name: str
    source: str
    synonyms: list[str] = field(default_factory=list)
    definition: str = ""
    parents: dict[str, str] = field(default_factory=dict)  # id -> "i", "p" or ""
    laterality: str = ""  # "l", "r", "p" or ""
    codes: dict[str, str] = field(default_factory=dict)
    default_view: bool = True


def turned(label: str) -> str:
    """MeSH's "Ganglia, Spinal" as "spinal ganglia"."""
    head, comma, tail = label.partition(", ")
    return uncapitalized(f"{tail} {head}" if comma and ", " not in tail else label)


def side_of(name: str) -> str:
    words = re.findall(r"\w+", name.lower())
    sides = {side for side in ("left", "right") if side in words}
    return next(iter(sides))[0] if len(sides) == 1 else ""


def plain(*names: str) -> list[str]:
    return [name for name in (" ".join(n.split()) for n in names) if name and "|" not in name and "\t" not in name]


def tidy(node: Node) -> None:
    """Drop synonyms that only repeat the name or each other, inverted ones ("Artery, Renal") included."""
    seen = {folded(node.name)}
    kept = []
    for synonym in node.synonyms:
        key = folded(turned(synonym)) if re.fullmatch(r"[^,]+, [^,]+", synonym) else folded(synonym)
        if key not in seen and not set("|[]") & set(synonym):
            seen.add(key)
            kept.append(uncapitalized(turned(synonym) if re.fullmatch(r"[^,]+, [^,]+", synonym) else synonym))
    node.synonyms = sorted(kept, key=lambda s: (s.casefold(), s))


def folded(name: str) -> str:
    """For comparing spellings: case, commas and a plural s do not count."""
    return " ".join(word.removesuffix("s") for word in re.sub(r"[^\w]+", " ", name.lower()).split())
