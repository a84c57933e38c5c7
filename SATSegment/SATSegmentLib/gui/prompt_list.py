"""A pasted list of names, each read by itself. No widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from SATSegmentLib import anatomy
from SATSegmentLib.types import Modality, Prompt

# Bullets and numbers at the beginning of a line: "- liver", "1. liver", "2) spleen"; "5th rib" stays.
_BULLET = re.compile(r"^\s*(?:[-*•·–—]\s*|\d{1,3}[.)]\s+)")
_SEPARATORS = re.compile(r"[,;\n\r\t\u2028\u2029]")


@dataclass(frozen=True)
class Entry:
    """One name of a list: what was written, and what the resolver says of it."""

    text: str
    answer: anatomy.Resolution

    @property
    def certain(self) -> tuple[str, tuple[Prompt, ...]] | None:
        """Name and prompts where there is nothing to ask."""
        if isinstance(self.answer, anatomy.Resolved):
            return self.answer.prompt.text, (self.answer.prompt,)
        if isinstance(self.answer, anatomy.Composite):
            return self.answer.name, self.answer.prompts
        return None


def isList(text: str) -> bool:
    """Whether a text has several names in it."""
    return len(list(_parts(text))) > 1


def readList(text: str, modality: Modality, modelSha256: str = "") -> list[Entry]:
    """The names of a list in order, each once."""
    return [readName(part, modality, modelSha256) for part in dict.fromkeys(_parts(text))]


def readName(text: str, modality: Modality, modelSha256: str = "") -> Entry:
    """A single name."""
    return Entry(text, anatomy.resolve(text, modality, modelSha256))


def _parts(text: str) -> Iterator[str]:
    for part in _SEPARATORS.split(text):
        bare = _BULLET.sub("", part).strip().strip(".").strip()
        if bare:
            yield bare
