"""Flags from one result and the scan: its volume, its intensities, the part of the body that the scan shows."""

from __future__ import annotations

import numpy as np

from SATSegmentLib.quality.body import Body
from SATSegmentLib.quality.knowledge import (
    body_part,
    head_most_mm,
    hounsfield_rule,
    largest_ratio_of_sides,
    trunk_least_mm,
    volume_range,
)
from SATSegmentLib.types import Flag, FlagKind, Image, SegmentResult

# A structure at the skin may reach a little past a coarse outline of the body.
_MOST_IN_AIR = 0.3
_AT_THE_SURFACE = ("skin", "lips", "breast")


def odd_volume(result: SegmentResult) -> Flag | None:
    """The flag of a volume that adults do not have; None where there is no source, or only part of it is shown."""
    known = volume_range(result.prompt.text)
    if known is None or not result.voxels:
        return None
    volume = result.volume_ml
    if volume > known.high_ml:
        text = f"{result.prompt.text} is larger than in adults."
    elif volume < known.low_ml and not result.cut_by:
        text = f"{result.prompt.text} is smaller than in adults."
    else:
        return None
    reason = f"{volume:.2f} mL; expected {known.low_ml:g} to {known.high_ml:g} mL ({known.source}: {known.reported})"
    return Flag(FlagKind.VOLUME, text, reason)


def unlike_sides(result: SegmentResult, partner: SegmentResult | None) -> Flag | None:
    """The flag of a side that is much larger or smaller than the other one, where adults' volumes are known."""
    if partner is None or not (result.voxels and partner.voxels):
        return None
    ratio = max(result.voxels / partner.voxels, partner.voxels / result.voxels)
    ratio_limit = largest_ratio_of_sides()
    if volume_range(result.prompt.text) is None or ratio <= ratio_limit:
        return None
    larger, smaller = sorted((result, partner), key=lambda one: -one.volume_ml)
    if smaller.cut_by:
        return None
    return Flag(
        FlagKind.VOLUME,
        f"{larger.prompt.text} is much larger than {smaller.prompt.text}.",
        f"{larger.volume_ml:.2f} and {smaller.volume_ml:.2f} mL; at most {ratio_limit:g} times expected",
        (partner.prompt.text,),
    )


def odd_intensity(image: Image, result: SegmentResult, body: Body | None) -> Flag | None:
    """The flag of voxels that the structure's tissue cannot have."""
    name = result.prompt.text
    if body is not None and not any(one in name for one in _AT_THE_SURFACE):
        share = body.share_outside(result.cropped)
        if share > _MOST_IN_AIR:
            return Flag(
                FlagKind.INTENSITY,
                f"{name} lies in the air around the body.",
                f"{share:.0%} of it lies outside of the body",
            )
    rule = hounsfield_rule(name) if result.prompt.modality == "ct" else None
    if rule is None:
        return None
    values = image.array[result.cropped.box][result.mask]
    outside = float(np.mean((values < rule.low) | (values > rule.high)))
    if outside <= rule.share:
        return None
    return Flag(
        FlagKind.INTENSITY,
        f"{name} does not look like {_TISSUES[rule.tissue]} in this CT.",
        f"{outside:.0%} of its voxels are outside of {rule.low:g} to {rule.high:g} HU; {rule.share:.0%} may be",
    )


_TISSUES = {"air": "air", "lung": "lung", "bone": "bone", "soft": "soft tissue", "fat": "fat"}


def region_not_shown(result: SegmentResult, body: Body | None) -> Flag | None:
    """The flag of a structure of the head where the scan shows a trunk, and the other way round."""
    part = body_part(result.prompt.text)
    if body is None or result.statistics is None or not part:
        return None
    # The centre of a bent structure may lie in air: then beside it.
    points = (result.statistics.centroid_ras, result.statistics.low_ras, result.statistics.high_ras)
    width = next((found for point in points if (found := body.width_at(point)) is not None), None)
    if width is None:
        return None
    name = result.prompt.text
    if part == "head" and width.mm > head_most_mm():
        expected = f"adult heads are at most {head_most_mm():.0f} mm wide"
    elif part == "trunk" and width.is_whole and width.mm < trunk_least_mm():
        expected = f"adult trunks are at least {trunk_least_mm():.0f} mm wide"
    else:
        return None
    return Flag(
        FlagKind.REGION,
        f"The scan does not show a {part} where {name} was found.",
        f"the body is {width.mm:.0f} mm wide there; {expected}",
    )
