"""What other tools call a structure, as SAT's label; never a guess.

`kidney_left` is SAT's "left kidney" because the resolver is sure of it. Where it would ask back, the name stays
unmatched and is listed with what the resolver would have asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.resolver.resolve import resolve_vocabulary
from SATSegmentLib.errors import PromptError
from SATSegmentLib.types import Modality


@dataclass(frozen=True)
class Match:
    """A name as it was found, and what it means.

    Attributes
    ----------
    given : str
        The name in the file.
    label : str
        SAT's trained string; empty where there is none for certain.
    reason : str
        Why there is none, for people.
    """

    given: str
    label: str
    reason: str = ""

    @property
    def key(self) -> str:
        """What it is compared under: the label, or else the name's own words."""
        return self.label or plain(self.given).lower()


def plain(given: str) -> str:
    """The words of a file name or a code: underscores and runs of blanks become one blank."""
    return " ".join(given.replace("_", " ").split())


@lru_cache(maxsize=8192)
def match(given: str, modality: Modality) -> Match:
    """What a name means for certain in a modality."""
    # Not what a user taught: a comparison must come out the same on any machine.
    found = resolve_vocabulary(given, modality)
    if not isinstance(found, anatomy.Resolved):
        found = resolve_vocabulary(plain(given), modality)
    match found:
        case anatomy.Resolved(prompt=prompt):
            return Match(given, prompt.text)
        case anatomy.Composite(prompts=prompts):
            return Match(given, "", f"stands for several structures: {_listed(p.text for p in prompts)}")
        case anatomy.DidYouMean(candidates=candidates):
            return Match(given, "", f"may mean {_listed((c.name for c in candidates), ' or ')}")
        case anatomy.NotSegmentable(reason=reason, nearest=nearest):
            near = f"; nearest: {_listed(f'{p.text} ({p.modality})' for p in nearest)}" if nearest else ""
            return Match(given, "", reason + near)
    return Match(given, "", "not a known structure")


def match_all(names: Iterable[str], modality: Modality, place: str) -> dict[str, Match]:
    """All names of one case, by what they are compared under.

    Raises
    ------
    PromptError
        Two names mean the same structure, so that it is open which mask to take.
    """
    matches: dict[str, Match] = {}
    for given in names:
        found = match(given, modality)
        if found.key in matches:
            raise PromptError(
                f'In {place} both "{matches[found.key].given}" and "{given}" mean "{found.key}".',
                "Keep one of them.",
            )
        matches[found.key] = found
    return matches


def _listed(words: Iterable[str], joint: str = ", ") -> str:
    found = list(words)
    return joint.join(found[:4]) + (", ..." if len(found) > 4 else "")
