"""Flags of places: one structure in front of, behind, above or below another that it never lies there from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from SATSegmentLib.quality.knowledge import base_name, level_of, position_rules, side_of
from SATSegmentLib.types import Flag, FlagKind, SegmentResult

# Centres this close to each other say nothing.
_LEAST_MM = 2.0
# What the scan cuts has its centre elsewhere, in an oblique scan along any axis; by more than this it has not.
_LEAST_OF_CUT_MM = 30.0
# Axis of RAS, and the sign of what lies there.
_WAYS = {"in front of": (1, 1), "behind": (1, -1), "above": (2, 1), "below": (2, -1)}
_OPPOSITE = {"in front of": "behind", "behind": "in front of", "above": "below", "below": "above"}

# First, where it should lie, second: numbers of results.
_Pair = tuple[int, str, int]


def wrong_places(results: Sequence[SegmentResult]) -> Iterator[tuple[int, Flag]]:
    """Flags of results that lie where they cannot from another; one each, for the pair that is furthest off."""
    worst: dict[int, tuple[float, Flag]] = {}
    for first, way, second in _pairs(results):
        wrong_by = _wrong_by(results[first], way, results[second])
        if wrong_by <= _least(results[first], results[second]):
            continue
        for one, other in ((first, second), (second, first)):
            if wrong_by > worst.get(one, (0.0,))[0]:
                flag = _flag(results[first], way, results[second], wrong_by, results[other].prompt.text)
                worst[one] = (wrong_by, flag)
    for number, (_, flag) in sorted(worst.items()):
        yield number, flag


def _pairs(results: Sequence[SegmentResult]) -> Iterator[_Pair]:
    """The pairs of which something is known."""
    named: dict[str, list[int]] = {}
    levels = []
    for number, one in enumerate(results):
        if one.statistics is None:
            continue
        named.setdefault(base_name(one.prompt.text), []).append(number)
        level = level_of(one.prompt.text)
        if level is not None:
            levels.append((level, number))
    for rule in position_rules():
        for first in named.get(rule.first, ()):
            for second in named.get(rule.second, ()):
                if _may_be_compared(results[first].prompt.text, results[second].prompt.text):
                    yield first, rule.lies, second
    for (upper, first), (lower, second) in pairwise(sorted(levels)):
        if lower > upper:
            yield second, "below", first


def _may_be_compared(first: str, second: str) -> bool:
    """Whether they are of one side: a head that is turned moves the two sides against each other."""
    return not side_of(first) or not side_of(second) or side_of(first) == side_of(second)


def _wrong_by(first: SegmentResult, way: str, second: SegmentResult) -> float:
    assert first.statistics is not None
    assert second.statistics is not None
    axis, sign = _WAYS[way]
    return -sign * (first.statistics.centroid_ras[axis] - second.statistics.centroid_ras[axis])


def _least(first: SegmentResult, second: SegmentResult) -> float:
    levels = level_of(first.prompt.text) is not None and level_of(second.prompt.text) is not None
    return _LEAST_OF_CUT_MM if (first.cut_by or second.cut_by) and not levels else _LEAST_MM


def _flag(first: SegmentResult, way: str, second: SegmentResult, wrong_by: float, partner: str) -> Flag:
    one, other = first.prompt.text, second.prompt.text
    return Flag(
        FlagKind.POSITION,
        f"{one} lies {_OPPOSITE[way]} {other}, but belongs {way} it.",
        f"the centre of {one} lies {wrong_by:.0f} mm {_OPPOSITE[way]} that of {other}",
        (partner,),
    )
