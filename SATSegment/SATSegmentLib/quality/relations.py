"""Flags from two results at once: a part outside of its whole, an overlap that cannot be, one mask for two prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.quality.knowledge import base_name, containers, is_finding, most_shared, same_structure
from SATSegmentLib.types import Flag, FlagKind, SegmentResult

# A part whose border was drawn elsewhere than its whole's reaches past it by a few per cent.
_MOST_OUTSIDE = 0.25
# A lesion may lie beside an organ that was segmented without it, but not elsewhere.
_LESION_MARGIN_MM, _LESION_MOST_OUTSIDE = 10.0, 0.5
# Where so much of a part lies outside, it may as well be the whole that is wrong.
_WHOLE_IN_DOUBT = 0.5
# Two masks of one structure by two names differ by less than this (Dice).
_SAME_DICE = 0.98

Numbered = Iterator[tuple[int, Flag]]


def outside_parents(results: Sequence[SegmentResult], grid: Grid) -> Numbered:
    """Flags of results of which part lies outside of what holds them; with the result's number."""
    numbers = {one.prompt.text: number for number, one in enumerate(results) if one.status != "unknown"}
    doubted: set[int] = set()
    for number, child in enumerate(results):
        if not child.voxels:
            continue
        flags = []
        for name in sorted(containers(child.prompt.text) & numbers.keys()):
            parent = results[numbers[name]]
            share, allowed = _share_outside(child, parent, grid)
            if share > allowed:
                flags.append(_outside(child, parent, share))
                if parent.voxels and share > _WHOLE_IN_DOUBT and not is_finding(child.prompt):
                    whole = numbers[name]
                    if whole not in doubted:
                        yield whole, _not_around(parent, child, share)
                    doubted.add(whole)
        # The tree has several wholes above a part; one that does not hold it tells enough.
        if flags:
            yield number, flags[0]


def overlaps(results: Sequence[SegmentResult], grid: Grid) -> Numbered:
    """Flags of pairs that share more voxels than a border has; both get one."""
    for (i, one), (j, other) in combinations(enumerate(results), 2):
        if not (one.voxels and other.voxels) or one.cropped.box.intersection(other.cropped.box) is None:
            continue
        allowed = most_shared(one.prompt.text, other.prompt.text)
        if allowed is None:
            continue
        shared = _shared_voxels(one.cropped, other.cropped)
        smaller = min((one, other), key=lambda result: result.voxels)
        if shared <= allowed * smaller.voxels:
            continue
        text = f"{one.prompt.text} and {other.prompt.text} overlap, although they cannot be in the same place."
        reason = f"{shared * grid.voxel_ml:.2f} mL are shared, {shared / smaller.voxels:.0%} of {smaller.prompt.text}"
        yield i, Flag(FlagKind.OVERLAP, text, reason, (other.prompt.text,))
        yield j, Flag(FlagKind.OVERLAP, text, reason, (one.prompt.text,))


def same_masks(results: Sequence[SegmentResult]) -> Numbered:
    """Flags of pairs of different structures with the same mask; both get one."""
    for (i, one), (j, other) in combinations(enumerate(results), 2):
        # The cheapest question first: hundreds of structures make tens of thousands of pairs.
        if min(one.voxels, other.voxels) < max(_SAME_DICE * max(one.voxels, other.voxels), 1):
            continue
        if one.cropped.box.intersection(other.cropped.box) is None or _may_be_same(one, other):
            continue
        shared = _shared_voxels(one.cropped, other.cropped)
        dice = 2 * shared / (one.voxels + other.voxels)
        if dice < _SAME_DICE:
            continue
        text = f"{one.prompt.text} and {other.prompt.text} have the same mask."
        reason = f"{shared} voxels of {one.voxels} and {other.voxels} are the same (Dice {dice:.3f})"
        yield i, Flag(FlagKind.SAME_MASK, text, reason, (other.prompt.text,))
        yield j, Flag(FlagKind.SAME_MASK, text, reason, (one.prompt.text,))


def _share_outside(child: SegmentResult, parent: SegmentResult, grid: Grid) -> tuple[float, float]:
    """Share of the child outside of the parent, and how much may be."""
    if not parent.voxels:
        return 1.0, _MOST_OUTSIDE
    mask = child.mask
    if not is_finding(child.prompt):
        inside = int((mask & parent.cropped.within(child.cropped.box)).sum())
        return 1 - inside / child.voxels, _MOST_OUTSIDE
    margin = int(_LESION_MARGIN_MM / min(grid.spacing_kji)) + 1
    box = child.cropped.box.grown(margin, grid.shape_kji)
    around = parent.cropped.within(box)
    if not around.any():
        return 1.0, _LESION_MOST_OUTSIDE
    picture = sitk.GetImageFromArray(around.view(np.uint8))
    picture.SetSpacing(grid.spacing_kji[::-1])
    distance = sitk.GetArrayViewFromImage(sitk.SignedMaurerDistanceMap(picture, False, False, True))
    near = distance[child.cropped.box.relative_to(box)] <= _LESION_MARGIN_MM
    return 1 - int((mask & near).sum()) / child.voxels, _LESION_MOST_OUTSIDE


def _outside(child: SegmentResult, parent: SegmentResult, share: float) -> Flag:
    text = f"Part of {child.prompt.text} lies outside of {parent.prompt.text}, which holds it."
    if parent.voxels:
        reason = f"{share:.0%} of its {child.volume_ml:.2f} mL lie outside of {parent.prompt.text}"
    else:
        text = f"{child.prompt.text} was found, but {parent.prompt.text}, which holds it, was not."
        reason = f"{child.volume_ml:.2f} mL were found of it"
    return Flag(FlagKind.OUTSIDE_PARENT, text, reason, (parent.prompt.text,))


def _not_around(parent: SegmentResult, child: SegmentResult, share: float) -> Flag:
    return Flag(
        FlagKind.OUTSIDE_PARENT,
        f"{parent.prompt.text} does not hold {child.prompt.text}, which is a part of it.",
        f"{share:.0%} of {child.prompt.text} lie outside of it",
        (child.prompt.text,),
    )


def _shared_voxels(one: CroppedMask, other: CroppedMask) -> int:
    box = one.box.intersection(other.box)
    return int((one.within(box) & other.within(box)).sum()) if box is not None else 0


def _may_be_same(one: SegmentResult, other: SegmentResult) -> bool:
    """Whether equal masks say nothing: two names of one structure, the only side shown, a lesion of one tissue."""
    first, second = one.prompt.text, other.prompt.text
    if same_structure(first, second) or first.casefold() == second.casefold():
        return True
    held = first in containers(second) or second in containers(first)
    return held and (base_name(first) == base_name(second) or (is_finding(one.prompt) and is_finding(other.prompt)))
