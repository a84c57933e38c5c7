"""Flags of sides: left and right exchanged, or a structure on the wrong side of the body's middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.quality.body import Body
from SATSegmentLib.quality.knowledge import expected_side, other_side, side_of
from SATSegmentLib.types import Flag, FlagKind, SegmentResult

# Centres of a pair that lie this close to each other along the body's width say nothing about sides.
_LEAST_APART_MM = 1.0
# The middle of the body is known to within this share of its width.
_MIDDLE_TOLERANCE = 0.08
# Where the body from side to side need not be the whole of it: legs, arms and breasts hang apart.
_APART_REGIONS = ("upper limb", "lower limb")
_APART_NAMES = ("breast",)


def wrong_sides(results: Sequence[SegmentResult], body: Body | None) -> Iterator[tuple[int, Flag]]:
    """Flags of results on the wrong side, with the result's number."""
    by_text = {one.prompt.text: one for one in results if one.statistics is not None}
    for number, one in enumerate(results):
        if one.statistics is None:
            continue
        partner = by_text.get(other_side(one.prompt.text))
        if partner is not None and partner.statistics is not None:
            flag = _exchanged(one, partner)
            if flag is not None:
                yield number, flag
                continue
        if body is not None and expected_side(one.prompt.text) and _spans_the_body(one):
            flag = _across_the_middle(one, body)
            if flag is not None:
                yield number, flag


def _exchanged(one: SegmentResult, partner: SegmentResult) -> Flag | None:
    assert one.statistics is not None
    assert partner.statistics is not None
    side = side_of(one.prompt.text)
    # R grows to the patient's right.
    to_the_right = one.statistics.centroid_ras[0] - partner.statistics.centroid_ras[0]
    wrong_by = to_the_right if side == "left" else -to_the_right
    if wrong_by < _LEAST_APART_MM:
        return None
    left, right = (one, partner) if side == "left" else (partner, one)
    return Flag(
        FlagKind.SIDE,
        f"{left.prompt.text} and {right.prompt.text} look exchanged.",
        f"the centre of {left.prompt.text} lies {wrong_by:.0f} mm to the right of that of {right.prompt.text}",
        (partner.prompt.text,),
    )


def _across_the_middle(one: SegmentResult, body: Body) -> Flag | None:
    assert one.statistics is not None
    width = body.width_at(one.statistics.centroid_ras)
    if width is None or not width.is_whole:
        return None
    side = expected_side(one.prompt.text)
    right_of_middle = one.statistics.centroid_ras[0] - width.middle_mm
    wrong_by = right_of_middle if side == "left" else -right_of_middle
    if wrong_by <= _MIDDLE_TOLERANCE * width.mm:
        return None
    found = "right" if side == "left" else "left"
    return Flag(
        FlagKind.SIDE,
        f"{one.prompt.text} lies in the {found} half of the body.",
        f"its centre lies {wrong_by:.0f} mm to the {found} of the middle of a body {width.mm:.0f} mm wide there",
    )


def _spans_the_body(one: SegmentResult) -> bool:
    label = find_label(one.prompt.modality, one.prompt.text)
    if label is None or any(name in one.prompt.text for name in _APART_NAMES):
        return False
    return not any(region in _APART_REGIONS for region in label.regions)
