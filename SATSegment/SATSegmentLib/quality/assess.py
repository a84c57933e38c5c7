"""All statistics and flags of results: the one door of this room."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.quality.body import Body
from SATSegmentLib.quality.knowledge import other_side
from SATSegmentLib.quality.measures import odd_intensity, odd_volume, region_not_shown, unlike_sides
from SATSegmentLib.quality.pieces import far_pieces
from SATSegmentLib.quality.positions import wrong_places
from SATSegmentLib.quality.relations import outside_parents, overlaps, same_masks
from SATSegmentLib.quality.sides import wrong_sides
from SATSegmentLib.quality.statistics import measure
from SATSegmentLib.types import Flag, Image, SegmentResult


def assess(
    image: Image, results: Sequence[SegmentResult], check: Callable[[], None] | None = None
) -> list[SegmentResult]:
    """Results with their statistics and flags; nothing else of them is changed.

        results = assess(read_scan("chest.nii.gz"), results)
        [flag.text for one in results for flag in one.flags]

    Parameters
    ----------
    image : Image
        The scan that the results are of.
    results : sequence of SegmentResult
        Of one run. They are compared with each other, so that a tumour is looked for in its organ.
    check : callable, optional
        Called between structures; may raise to end the work.

    Returns
    -------
    list of SegmentResult
        In their order, each with `statistics` (where it has voxels) and `flags`.
    """
    measured = []
    for one in results:
        if check is not None:
            check()
        statistics = measure(image, one.cropped, one.prompt.modality) if one.voxels else None
        measured.append(dataclasses.replace(one, statistics=statistics, flags=()))
    flags = _flags(image, measured, check)
    return [dataclasses.replace(one, flags=tuple(found)) for one, found in zip(measured, flags, strict=True)]


def compared(
    image: Image,
    results: Sequence[SegmentResult],
    earlier: Sequence[SegmentResult],
    check: Callable[[], None] | None = None,
) -> list[SegmentResult]:
    """Results with the flags that come of earlier ones on the same scan, beside those that they have.

    Parameters
    ----------
    image : Image
        The scan that all of them are of.
    results : sequence of SegmentResult
        As `assess` returns them.
    earlier : sequence of SegmentResult
        Results of runs before; no flag is given to them. One of a prompt that is among `results` is left out.
    check : callable, optional
        Called between structures; may raise to end the work.
    """
    texts = {one.prompt.text for one in results}
    before = []
    for one in earlier:
        if one.voxels and one.prompt.text not in texts and any(result.voxels for result in results):
            if check is not None:
                check()
            before.append(dataclasses.replace(one, statistics=measure(image, one.cropped, one.prompt.modality)))
    if not before:
        return list(results)
    names, together = {one.prompt.text for one in before}, [*results, *before]
    flags = [list(one.flags) for one in results]
    for number, flag in (*_unlike(together), *_of_several(together, None, Grid.of(image))):
        if number < len(results) and names & set(flag.others):
            flags[number].append(flag)
    return [dataclasses.replace(one, flags=tuple(found)) for one, found in zip(results, flags, strict=True)]


def _unlike(results: Sequence[SegmentResult]) -> Iterator[tuple[int, Flag]]:
    by_text = {one.prompt.text: one for one in results}
    for number, one in enumerate(results):
        flag = unlike_sides(one, by_text.get(other_side(one.prompt.text)))
        if flag is not None:
            yield number, flag


def _of_several(results: Sequence[SegmentResult], body: Body | None, grid: Grid) -> Iterator[tuple[int, Flag]]:
    """Flags of results that are compared with each other."""
    yield from wrong_sides(results, body)
    yield from wrong_places(results)
    yield from outside_parents(results, grid)
    yield from overlaps(results, grid)
    yield from same_masks(results)


def _flags(image: Image, results: Sequence[SegmentResult], check: Callable[[], None] | None) -> list[list[Flag]]:
    found: list[list[Flag]] = [[] for _ in results]
    if not any(one.voxels for one in results):
        return found
    grid = Grid.of(image)
    modality = results[0].prompt.modality
    # PET shows uptake and not the body's outline.
    body = Body(image, modality) if modality != "pet" else None
    by_text = {one.prompt.text: one for one in results}
    for number, one in enumerate(results):
        if one.statistics is None:
            continue
        if check is not None:
            check()
        own = (
            region_not_shown(one, body),
            odd_intensity(image, one, body),
            odd_volume(one) or unlike_sides(one, by_text.get(other_side(one.prompt.text))),
            far_pieces(one, grid),
        )
        found[number] += [flag for flag in own if flag is not None]
    for number, flag in _of_several(results, body, grid):
        found[number].append(flag)
    return found
