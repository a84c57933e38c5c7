"""Results spoiled on purpose: sides exchanged, shifted, scaled, pieces added, put on another scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.sound_results import Case, as_result
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.quality.knowledge import other_side
from SATSegmentLib.types import FlagKind, SegmentResult

PLACE = frozenset(
    {
        FlagKind.OUTSIDE_PARENT,
        FlagKind.OVERLAP,
        FlagKind.SIDE,
        FlagKind.POSITION,
        FlagKind.INTENSITY,
        FlagKind.REGION,
    }
)


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A case of which one result is spoiled, and what may be said about that one."""

    how: str
    case: Case
    number: int
    reasons: frozenset[FlagKind]

    @property
    def text(self) -> str:
        return self.case.results[self.number].prompt.text


def spoil(cases: Sequence[Case], count: int, seed: int = 0, held_out: bool = False) -> list[Spoiled]:
    """So many spoiled results, each kind of spoiling in turn; with `held_out` kinds that no rule was set by."""
    rng = np.random.default_rng(seed)
    ways: tuple[Callable[[Sequence[Case], np.random.Generator], Spoiled], ...] = (
        (turned, pushed_aslant, stretched, of_another_structure, mirrored)
        if held_out
        else (exchanged, shifted, scaled, with_a_piece, on_another_scan)
    )
    return [ways[number % len(ways)](cases, rng) for number in range(count)]


def exchanged(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """The masks of a pair exchanged."""
    case = _pick(cases, rng)
    texts = [one.prompt.text for one in case.results]
    number = int(rng.choice([n for n, text in enumerate(texts) if other_side(text) in texts]))
    partner = texts.index(other_side(texts[number]))
    results = list(case.results)
    for one, other in ((number, partner), (partner, number)):
        results[one] = _with(case, one, case.results[other].whole_mask(case.image.array.shape))
    return Spoiled("exchanged", _replaced(case, results), number, frozenset({FlagKind.SIDE}))


def shifted(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure moved by 30 mm or by its own half width, whatever is more, along one axis."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    axis, sign = int(rng.integers(3)), int(rng.choice([-1, 1]))
    spacing = Grid.of(case.image).spacing_kji[axis]
    extent = case.results[number].cropped.shape[axis] * spacing
    steps = round(max(30.0, extent / 2) / spacing)
    return _spoiled("shifted", case, number, _moved(mask, axis, sign * steps), PLACE)


def scaled(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure 1.7 times as large or 0.55 times along each axis, about its centre."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    factor = float(rng.choice([1.7, 0.55]))
    places = np.argwhere(mask)
    centre = places.mean(axis=0)
    result = np.zeros_like(mask)
    axes = []
    for middle, size in zip(centre, mask.shape, strict=True):
        source = np.rint((np.arange(size) - middle) / factor + middle).astype(int)
        to = np.flatnonzero((source >= 0) & (source < size))
        axes.append((to, source[to]))
    result[np.ix_(*(to for to, _ in axes))] = mask[np.ix_(*(source for _, source in axes))]
    reasons = frozenset({FlagKind.VOLUME, FlagKind.OVERLAP, FlagKind.OUTSIDE_PARENT, FlagKind.INTENSITY})
    return _spoiled("scaled", case, number, result, reasons)


def with_a_piece(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure and a ball of a tenth of its volume somewhere else, 45 mm and more away."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    spacing = np.array(Grid.of(case.image).spacing_kji)
    volume = case.results[number].voxels * spacing.prod() / 10
    radius = max((volume * 3 / (4 * np.pi)) ** (1 / 3), 1.5 * spacing.max())
    points = np.argwhere(mask)[:: max(int(mask.sum()) // 2000, 1)] * spacing
    for _ in range(2000):
        centre = rng.integers(mask.shape) * spacing
        if np.linalg.norm(points - centre, axis=1).min() > 45 + radius:
            break
    k, j, i = (np.arange(size) * edge - middle for size, edge, middle in zip(mask.shape, spacing, centre, strict=True))
    ball = k[:, None, None] ** 2 + j[:, None] ** 2 + i**2 <= radius**2
    return _spoiled("with a piece", case, number, mask | ball, frozenset({FlagKind.PIECES}))


def on_another_scan(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """All results of a case on a scan of another part of the body, centre on centre; one of them is looked at."""
    case = _pick(cases, rng)
    target = _pick([one for one in cases if one.modality != case.modality], rng)
    put = _way(case, target)
    results = [as_result(target.image, one.prompt.text, one.prompt.modality, put(one)) for one in case.results]
    numbers = [n for n, one in enumerate(results) if one.voxels]
    reasons = frozenset({FlagKind.REGION, FlagKind.INTENSITY})
    return Spoiled("on another scan", Case(case.name, target.image, tuple(results)), int(rng.choice(numbers)), reasons)


def turned(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure turned by 90 degrees about the middle of the scan, in the plane of two axes."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    axes = [(0, 1), (0, 2), (1, 2)][int(rng.integers(3))]
    rotated = np.rot90(mask, int(rng.choice([1, 3])), axes)
    result = np.zeros_like(mask)
    to, source = [], []
    for old, new in zip(mask.shape, rotated.shape, strict=True):
        size = min(old, new)
        to.append(slice((old - size) // 2, (old - size) // 2 + size))
        source.append(slice((new - size) // 2, (new - size) // 2 + size))
    result[tuple(to)] = rotated[tuple(source)]
    return _spoiled("turned", case, number, result, PLACE | {FlagKind.VOLUME, FlagKind.PIECES})


def pushed_aslant(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure moved by 40 to 80 mm in any direction."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    direction = rng.normal(size=3)
    way = direction / np.linalg.norm(direction) * rng.uniform(40, 80)
    for axis, spacing in enumerate(Grid.of(case.image).spacing_kji):
        mask = _moved(mask, axis, round(way[axis] / spacing))
    return _spoiled("pushed aslant", case, number, mask, PLACE | {FlagKind.VOLUME})


def stretched(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """A structure 3 times as long along one axis, or a third, about its centre."""
    case, number = _one(cases, rng)
    mask = case.results[number].whole_mask(case.image.array.shape)
    axis, factor = int(rng.integers(3)), float(rng.choice([3.0, 1 / 3]))
    middle, size = np.argwhere(mask).mean(axis=0)[axis], mask.shape[axis]
    source = np.rint((np.arange(size) - middle) / factor + middle).astype(int)
    to = np.flatnonzero((source >= 0) & (source < size))
    lead = (slice(None),) * axis
    result = np.zeros_like(mask)
    result[(*lead, to)] = mask[(*lead, source[to])]
    reasons = frozenset({FlagKind.VOLUME, FlagKind.OVERLAP, FlagKind.OUTSIDE_PARENT, FlagKind.INTENSITY})
    return _spoiled("stretched", case, number, result, reasons)


def of_another_structure(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """The mask of another structure of the scan under this one's name."""
    case, number = _one(cases, rng)
    own = case.results[number].whole_mask(case.image.array.shape)
    masks = [one.whole_mask(case.image.array.shape) for one in case.results]
    unlike = [m for m in masks if m.any() and 2 * (m & own).sum() < 0.5 * (m.sum() + own.sum())]
    reasons = PLACE | {FlagKind.VOLUME, FlagKind.SAME_MASK, FlagKind.PIECES}
    return _spoiled("of another", case, number, unlike[int(rng.integers(len(unlike)))], reasons)


def mirrored(cases: Sequence[Case], rng: np.random.Generator) -> Spoiled:
    """All results of a case mirrored, front to back or top to bottom; one of them is looked at."""
    case = _pick(cases, rng)
    axis = int(rng.choice([a for a in range(3) if not _is_sideways(case, a)]))
    shape = case.image.array.shape
    results = [_with(case, n, np.flip(one.whole_mask(shape), axis)) for n, one in enumerate(case.results)]
    numbers = [n for n, one in enumerate(results) if one.voxels > 50]
    return Spoiled("mirrored", _replaced(case, results), int(rng.choice(numbers)), PLACE)


def _is_sideways(case: Case, axis: int) -> bool:
    """Whether a KJI axis runs from one side of the patient to the other."""
    return int(np.argmax(np.abs(case.image.ijk_to_ras[:3, 2 - axis]))) == 0


def _way(source: Case, target: Case) -> Callable[[SegmentResult], np.ndarray]:
    """Puts a result's mask on another scan's grid, with the scans' centres at one place, directions and sizes kept."""
    shape = target.image.array.shape
    to_ras, from_ras = target.image.ijk_to_ras, np.linalg.inv(source.image.ijk_to_ras)
    k, j, i = np.indices(shape).reshape(3, -1)
    points = to_ras[:3, :3] @ np.stack([i, j, k]) + to_ras[:3, 3:]
    points += (_centre(source) - _centre(target))[:, None]
    voxels = np.rint(from_ras[:3, :3] @ points + from_ras[:3, 3:]).astype(int)[::-1]
    limits = np.array(source.image.array.shape)[:, None]
    inside = ((voxels >= 0) & (voxels < limits)).all(axis=0)
    places = tuple(voxels[:, inside])

    def put(result: SegmentResult) -> np.ndarray:
        mask = np.zeros(inside.shape, bool)
        mask[inside] = result.whole_mask(source.image.array.shape)[places]
        return mask.reshape(shape)

    return put


def _centre(case: Case) -> np.ndarray:
    middle = (np.array(case.image.array.shape[::-1]) - 1) / 2
    return case.image.ijk_to_ras[:3, :3] @ middle + case.image.ijk_to_ras[:3, 3]


def _pick(cases: Sequence[Case], rng: np.random.Generator) -> Case:
    return cases[int(rng.integers(len(cases)))]


def _one(cases: Sequence[Case], rng: np.random.Generator) -> tuple[Case, int]:
    case = _pick(cases, rng)
    return case, int(rng.choice([n for n, one in enumerate(case.results) if one.voxels > 50]))


def _moved(mask: np.ndarray, axis: int, steps: int) -> np.ndarray:
    result = np.zeros_like(mask)
    size = mask.shape[axis]
    to = slice(max(steps, 0), min(size + steps, size))
    source = slice(max(-steps, 0), min(size - steps, size))
    lead = (slice(None),) * axis
    result[(*lead, to)] = mask[(*lead, source)]
    return result


def _with(case: Case, number: int, mask: np.ndarray) -> SegmentResult:
    prompt = case.results[number].prompt
    return as_result(case.image, prompt.text, prompt.modality, mask)


def _replaced(case: Case, results: Sequence[SegmentResult]) -> Case:
    return Case(case.name, case.image, tuple(results))


def _spoiled(how: str, case: Case, number: int, mask: np.ndarray, reasons: frozenset[FlagKind]) -> Spoiled:
    results = list(case.results)
    results[number] = _with(case, number, mask)
    return Spoiled(how, _replaced(case, results), number, reasons)
