"""The report reader's word lists and trigger phrases, which are data: Resources/Anatomy/report_rules.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from SATSegmentLib.resources import resource_path

# A report's lines are wrapped anywhere: a space in a rule is any white space.
_SPACE = r"\s{1,3}"
RULES_FILE = "Anatomy/report_rules.toml"


@cache
def _rules() -> dict[str, Any]:
    with resource_path(RULES_FILE).open("rb") as stream:
        return tomllib.load(stream)


@cache
def words(name: str) -> frozenset[str]:
    """A word list by its name in the file."""
    return frozenset(_rules()["words"][name].split())


@cache
def triggers() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """All trigger phrases as one expression with groups t0, t1, ..., and the kind of each group."""
    rules = _rules()
    fragments = {f"{{{name}}}": pattern.strip() for name, pattern in rules["fragments"].items()}
    kinds: list[str] = []
    alternatives: list[str] = []
    for trigger in rules["trigger"]:
        for pattern in trigger["patterns"]:
            for name, fragment in fragments.items():
                pattern = pattern.replace(name, fragment)
            alternatives.append(f"(?P<t{len(kinds)}>{pattern.replace(' ', _SPACE)})")
            kinds.append(trigger["kind"])
    # A question mark in front of or behind a name asks for it.
    expression = r"(?<![\w/])(?:" + "|".join(alternatives) + r")(?![^\W_])|(?P<question>\?)"
    return re.compile(expression), tuple(kinds)


@cache
def operations() -> dict[str, tuple[str, ...]]:
    """Operations by name, each with the names of the organs it takes away."""
    return {name: tuple(organs.split("|")) for name, organs in _rules()["operations"].items()}


@dataclass(frozen=True, slots=True)
class JoinedFindings:
    """Findings that an organ makes a label.

    Attributes
    ----------
    findings : dict[str, str]
        Word -> kind ("metastasis" -> "mass").
    specific : frozenset[str]
        Words that name a disease, and so say more than "mass".
    organs : dict[str, tuple[str, ...]]
        Organ -> parts of label names that belong to it, in the order in which they are tried.
    labels : dict[tuple[str, str], str]
        (organ, kind) -> trained string without a side.
    """

    findings: dict[str, str]
    specific: frozenset[str]
    organs: dict[str, tuple[str, ...]]
    labels: dict[tuple[str, str], str]


@cache
def joined_findings() -> JoinedFindings:
    """The findings that are joined to their organs."""
    rules = _rules()["joined"]
    return JoinedFindings(
        {word: kind for kind, line in rules["findings"].items() for word in line.split()},
        frozenset(rules["specific"].split()),
        {organ: tuple(parts.split("|")) for organ, parts in rules["organs"].items()},
        {(organ, kind): label for organ, kinds in rules["labels"].items() for kind, label in kinds.items()},
    )


@cache
def adjectives() -> dict[str, str]:
    """Adjectives by word, each with the structure it is about."""
    return dict(_rules()["adjectives"])


@cache
def rejected_names() -> frozenset[str]:
    """Near names that the reader does not take."""
    return frozenset(name for line in _rules()["names"]["rejected"] for name in line.split("|"))


@cache
def never_names() -> tuple[str, ...]:
    """Word groups that hold a structure's name and mean something else."""
    return tuple(name for line in _rules()["names"]["never"] for name in line.split("|"))


@dataclass(frozen=True, slots=True, eq=False)
class InContext:
    """Names that mean `structure` where the report has `needs`, and the sentence has `says` and not `unless`."""

    names: tuple[str, ...]
    structure: str
    needs: re.Pattern[str] | None
    says: re.Pattern[str] | None
    unless: re.Pattern[str] | None


class Surroundings:
    """What a report and its sentences say around a name; each question is answered once."""

    def __init__(self, report: str) -> None:
        self.report = report
        self._needs: dict[InContext, bool] = {}
        self._sentence = ""
        self._here: dict[InContext, bool] = {}

    def hold(self, rule: InContext, sentence: str) -> bool:
        """Whether a name means the rule's structure in this sentence; both texts in small letters."""
        if rule not in self._needs:
            self._needs[rule] = rule.needs is None or rule.needs.search(self.report) is not None
        if sentence is not self._sentence:
            self._sentence, self._here = sentence, {}
        if rule not in self._here:
            says = rule.says is None or rule.says.search(sentence) is not None
            self._here[rule] = says and (rule.unless is None or rule.unless.search(sentence) is None)
        return self._needs[rule] and self._here[rule]


@cache
def names_in_context() -> tuple[InContext, ...]:
    """The names whose meaning the rest of the report tells."""
    return tuple(
        InContext(
            tuple(row["names"].split("|")),
            row["structure"],
            _words_of(row.get("needs")),
            _words_of(row.get("says")),
            _words_of(row.get("unless")),
        )
        for row in _rules()["names"]["in_context"]
    )


def _words_of(pattern: str | None) -> re.Pattern[str] | None:
    """A word that begins so."""
    return re.compile(rf"(?<![^\W_])(?:{pattern})") if pattern else None
