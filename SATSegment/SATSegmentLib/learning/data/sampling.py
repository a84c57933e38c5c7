"""Which case, which window of it: balanced over data sets and labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from SATSegmentLib.grid.box import Box
from SATSegmentLib.learning.data.case_files import StoredCase
from SATSegmentLib.learning.data.recipe import Recipe
from SATSegmentLib.learning.data.records import Record


def case_chances(cases: Sequence[tuple[Record, StoredCase]], recipe: Recipe) -> np.ndarray:
    """How likely each case is drawn; together 1.

    A case counts for its data set's weight / sqrt(scans in the data set), so that a data set of 100 times the scans is
    drawn 10 times as often. It counts more than once where one sample cannot hold it: by the number of samples its
    labels fill, and by the number of windows its annotated region fills.
    """
    scans = Counter(dataset for dataset, _ in {(record.dataset, record.place) for record, _ in cases})
    weight_of = {name: recipe.dataset_weights.get(name, 1.0) / math.sqrt(number) for name, number in scans.items()}
    weights = [weight_of[record.dataset] * _samples_needed(case, recipe) for record, case in cases]
    chances = np.array(weights, dtype=np.float64)
    return chances / chances.sum()


def random_box(case: StoredCase, recipe: Recipe, rng: np.random.Generator) -> Box:
    """A window of a case, smaller where the case is; it shows at least one structure where the case has one."""
    if not case.present:
        return _box([int(rng.integers(last + 1)) for last in _last_starts(case, recipe)], case, recipe)
    if rng.random() >= recipe.label_crop:
        box = _on_region(case, recipe, rng)
        if any(case.mask_in(label, box).any() for label in case.present):
            return box
    return _on_label(case, recipe, rng)


def _samples_needed(case: StoredCase, recipe: Recipe) -> int:
    windows = [math.ceil(size / side) for size, side in zip(_region(case).shape, recipe.window, strict=True)]
    return math.ceil(len(case.labels) / recipe.max_prompts) * math.prod(windows)


def _region(case: StoredCase) -> Box:
    """What the masks take up; the whole case where it has none."""
    boxes = [label.box for label in case.labels if label.box]
    return Box.union(boxes) if boxes else Box.whole(case.shape)


def _on_region(case: StoredCase, recipe: Recipe, rng: np.random.Generator) -> Box:
    """Inside the annotated region where that is larger than the window, else around it."""
    starts = []
    for region, side in zip(_region(case), recipe.window, strict=True):
        first, last = sorted((region.start, region.stop - side))
        starts.append(int(rng.integers(first, last + 1)))
    return _box(starts, case, recipe)


def _on_label(case: StoredCase, recipe: Recipe, rng: np.random.Generator) -> Box:
    """Centred on a random voxel of a random label."""
    label = case.present[int(rng.integers(len(case.present)))]
    stored = case.mask(label)
    voxels = np.flatnonzero(stored.to_array())
    place = np.unravel_index(voxels[int(rng.integers(len(voxels)))], stored.box.shape)
    centre = [int(offset) + first for offset, first in zip(place, stored.box.offset, strict=True)]
    return _box([at - side // 2 for at, side in zip(centre, recipe.window, strict=True)], case, recipe)


def _last_starts(case: StoredCase, recipe: Recipe) -> list[int]:
    return [max(size - side, 0) for size, side in zip(case.shape, recipe.window, strict=True)]


def _box(starts: Sequence[int], case: StoredCase, recipe: Recipe) -> Box:
    first = np.clip(starts, 0, _last_starts(case, recipe)).tolist()
    return Box(
        slice(low, min(low + side, size)) for low, side, size in zip(first, recipe.window, case.shape, strict=True)
    )
