"""Random windows by number, with prompts and masks: what the trainer asks for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from SATSegmentLib.errors import SATSegmentError, SATSegmentWarning
from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.windows import pad_to_window
from SATSegmentLib.learning.data.augment import Resampler, change_intensity, random_shape
from SATSegmentLib.learning.data.case_files import StoredCase, StoredLabel
from SATSegmentLib.learning.data.errors import CacheError
from SATSegmentLib.learning.data.label_names import mirrored
from SATSegmentLib.learning.data.recipe import Augmentation, Recipe
from SATSegmentLib.learning.data.records import Record
from SATSegmentLib.learning.data.sampling import case_chances, random_box
from SATSegmentLib.learning.sample import TrainingPrompt, TrainingSample
from SATSegmentLib.types import Modality, Orientation


@dataclass(frozen=True, eq=False)
class _Window:
    """Where a window is, and how to read it."""

    box: Box
    resampler: Resampler | None
    inside: np.ndarray


class PatchDataset:
    """Training samples from preprocessed cases; implements `learning.sample.Samples`.

        cases = CaseCache("cache").prepare(read_records(["train.jsonl"]).records)
        patches = PatchDataset(cases.cases, Recipe(), seed=0)
        patches.sample(0).image.shape      # (1, 288, 288, 96)

    A sample depends on its number, the seed, the recipe and the cases alone: it is the same in any process and order.
    Each is of one orientation: labels that are trained in another are asked for in samples of their own.

    Parameters
    ----------
    cases : Sequence[tuple[Record, StoredCase]]
        Records and their cases, as `CaseCache.prepare` gives them.
    recipe : Recipe
        What a sample is.
    seed : int, optional
        Of all chance.

    Raises
    ------
    SATSegmentError
        There is nothing to learn from.
    """

    def __init__(
        self,
        cases: Sequence[tuple[Record, StoredCase]],
        recipe: Recipe,
        seed: int = 0,
    ) -> None:
        self.cases = [(record, case) for record, case in cases if case.labels]
        if not self.cases:
            raise SATSegmentError("No scan has a label to learn from.", "Check the records' labels.")
        self.recipe, self.seed = recipe, seed
        self._cumulative = np.cumsum(case_chances(self.cases, recipe))
        unknown = sorted(set(recipe.dataset_weights) - {record.dataset for record, _ in self.cases})
        if unknown:
            warnings.warn(f"No record is of the data sets {', '.join(unknown)}.", SATSegmentWarning, stacklevel=2)

    def sample(self, number: int) -> TrainingSample:
        """The sample of that number, from 0.

        Its prompts ask first for what is in the window, then for what was annotated and is not; the latter are at most
        `negative_ratio` of all. A case in which nothing annotated is present gives one prompt, for something absent.

        Raises
        ------
        CacheError
            A file of the cache is gone or damaged.
        """
        rng = np.random.default_rng([self.seed, number])
        record, case = self.cases[self._draw(rng)]
        try:
            return self._sample(record, case, rng)
        except CacheError as error:
            raise CacheError(f"{record.place}: {error.message}", error.remedy) from error

    def _draw(self, rng: np.random.Generator) -> int:
        return min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), len(self.cases) - 1)

    def _sample(self, record: Record, case: StoredCase, rng: np.random.Generator) -> TrainingSample:
        chances = self.recipe.augmentation
        window = self._window(case, rng)
        flip = _mirror_axis(record.modality, case, chances, rng)
        labels, masks = self._prompts(case, window, rng)
        image = self._image(case, window)
        image = change_intensity(image, window.inside, chances, rng)
        stacked = np.stack(masks)
        if flip is not None:
            image, stacked = _flip(image, window.inside, flip), _flip(stacked, window.inside, flip)
            labels = [str(mirrored(label, record.modality)) for label in labels]
        return TrainingSample(
            torch.from_numpy(np.ascontiguousarray(image, np.float32))[None],
            torch.from_numpy(np.ascontiguousarray(stacked)),
            tuple(TrainingPrompt(label, record.modality) for label in labels),
            record.place,
        )

    def _window(self, case: StoredCase, rng: np.random.Generator) -> _Window:
        box = random_box(case, self.recipe, rng)
        shape = random_shape(self.recipe.augmentation, rng, case.spacing)
        if shape:
            resampler = Resampler(shape, box, case.shape, self.recipe.window)
            if not case.present or any(self._mask(case, label, box, resampler).any() for label in case.present):
                return _Window(box, resampler, resampler.inside)
        inside = pad_to_window(np.ones(box.shape, bool), self.recipe.window)
        return _Window(box, None, inside)

    def _image(self, case: StoredCase, window: _Window) -> np.ndarray:
        if window.resampler:
            return window.resampler.image(case.image(window.resampler.source))
        return pad_to_window(case.image(window.box), self.recipe.window)

    def _mask(self, case: StoredCase, label: StoredLabel, box: Box, resampler: Resampler | None) -> np.ndarray:
        if resampler:
            return resampler.mask(case.mask_in(label, resampler.source))
        return pad_to_window(case.mask_in(label, box), self.recipe.window)

    def _prompts(
        self, case: StoredCase, window: _Window, rng: np.random.Generator
    ) -> tuple[list[str], list[np.ndarray]]:
        """Labels and masks: as many of those in the window as fit, then some that are not."""
        labels: list[str] = []
        masks: list[np.ndarray] = []
        absent = [label.label for label in case.labels if not label.box]
        for index in rng.permutation(len(case.present)):
            if len(labels) == self.recipe.max_prompts:
                break
            label = case.present[index]
            mask = self._mask(case, label, window.box, window.resampler)
            if mask.any():
                labels.append(label.label)
                masks.append(mask)
            else:
                absent.append(label.label)
        ratio = self.recipe.negative_ratio
        allowed = int(len(labels) * ratio / (1 - ratio) + 1e-9) if labels else 1
        allowed = min(allowed, self.recipe.max_prompts - len(labels), len(absent))
        for index in rng.permutation(len(absent))[:allowed]:
            labels.append(absent[index])
            masks.append(np.zeros(self.recipe.window, bool))
        return labels, masks


def _mirror_axis(modality: Modality, case: StoredCase, chances: Augmentation, rng: np.random.Generator) -> int | None:
    """Which axis to mirror; None for not at all, and where a label's partner or the axis is not known."""
    if rng.random() >= chances.mirror:
        return None
    axis = left_right_axis(case.orientation)
    known = all(mirrored(label.label, modality) for label in case.labels)
    return axis if known else None


def left_right_axis(orientation: Orientation) -> int | None:
    """The axis that runs between left and right; None where the scan's own axes were kept."""
    return None if orientation == "native" else next(i for i, letter in enumerate(orientation) if letter in "RL")


def _flip(array: np.ndarray, inside: np.ndarray, axis: int) -> np.ndarray:
    """Mirror the part of the window that the scan fills; the padding stays on the high side."""
    others = tuple(other for other in range(3) if other != axis)
    filled = np.flatnonzero(inside.any(axis=others))
    part: list[slice] = [slice(None)] * array.ndim
    axis = array.ndim - 3 + axis
    part[axis] = slice(int(filled[0]), int(filled[-1]) + 1)
    mirrored_array = array.copy()
    mirrored_array[tuple(part)] = np.flip(array[tuple(part)], axis)
    return mirrored_array
