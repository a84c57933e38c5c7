"""A new word from examples: what a user calls "my implant" becomes something the model can be asked for."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch

import SATSegmentLib
from SATSegmentLib.anatomy.personal.user_words import WordRecord
from SATSegmentLib.anatomy.resolver.new_words import check_name
from SATSegmentLib.errors import CheckpointError, PromptError, SATSegmentWarning, ScanError
from SATSegmentLib.inference.progress import CancelCallback, ProgressCallback, Run
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.learning.teach.example import ExampleView
from SATSegmentLib.learning.teach.fit import Recipe, Vectors, fit, nearest
from SATSegmentLib.sat.interrupt import interruptible
from SATSegmentLib.sat.text.taught_words import WordVectors
from SATSegmentLib.types import Example, Image, Modality, Orientation, Prompt

# Below this a word does not even find what it was taught from.
POOR_DICE = 0.5


@dataclass(frozen=True, eq=False)
class TaughtWord:
    """A word, ready to be written (`sat.taught_words.word_content`)."""

    record: WordRecord
    vectors: WordVectors


def teach(
    segmenter: Segmenter,
    examples: Sequence[Example],
    name: str,
    modality: Modality,
    orientation: Orientation = "RAS",
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    recipe: Recipe | None = None,
) -> TaughtWord:
    """Fit a word to one or more examples. Scans whose features are in the segmenter's cache are not encoded again.

        word = teach(segmenter, [Example(image, mask)], "my implant", "ct")
        save_word(word_content(word.record, word.vectors))

    Where there are several examples, each is also left out once, and a word taught from the others is tried on it:
    that says how well the word does on scans it has not seen.

    Parameters
    ----------
    name : str
        What the word is called; SAT must not know it already.
    orientation : Orientation, optional
        Axis order in which the model looks at the scans.

    Raises
    ------
    PromptError
        The name cannot be used, or the model cannot look along these axes.
    ScanError, GeometryError
        An example's scan or mask cannot be used.
    CheckpointError
        The model does not say which checkpoint it is.
    Cancelled, OutOfMemory
    Warns SATSegmentWarning where the word does not find its own examples.
    """
    name = check_name(name, modality)
    _check(segmenter, examples, orientation)
    with torch.inference_mode(False):
        lesson = _Lesson(segmenter, examples, name, modality, orientation, recipe or Recipe(), Run(progress, cancel))
        return lesson.word(cancel)


class _Lesson:
    """One call of `teach`."""

    def __init__(
        self,
        segmenter: Segmenter,
        examples: Sequence[Example],
        name: str,
        modality: Modality,
        orientation: Orientation,
        recipe: Recipe,
        run: Run,
    ) -> None:
        self._segmenter, self._examples, self._recipe, self._run = segmenter, examples, recipe, run
        self._name: str = name
        self._modality, self._orientation = modality, orientation
        self._views: list[ExampleView] = []

    def word(self, cancel: CancelCallback | None) -> TaughtWord:
        self._look()
        start, label = self._start()
        count = len(self._examples)
        vectors = self._fit(range(count), start, "fitting")
        dice = [self._try(number, vectors, cancel) for number in range(count)]
        left_out = []
        for number in range(count if count > 1 else 0):
            others = [other for other in range(count) if other != number]
            stage = f"leaving out example {number + 1} of {count}"
            left_out.append(self._try(number, self._fit(others, start, stage), cancel))
        if max(dice) < POOR_DICE:
            warnings.warn(
                f"The word {self._name!r} does not find what it was taught from (Dice {max(dice):.2f}): the model may "
                "not see this structure. Check its results carefully, or teach it with a larger model.",
                SATSegmentWarning,
                stacklevel=3,
            )
        return TaughtWord(self._record(label, dice, left_out), WordVectors(*_arrays(vectors)))

    def _look(self) -> None:
        """All windows' features, and the examples on the network's grid."""
        segmenter, recipe = self._segmenter, self._recipe
        network = segmenter.network
        passes = [segmenter.windows(one.image, self._modality, self._orientation) for one in self._examples]
        encode = network.architecture.encode_macs(network.window)
        self._step_work = 0.002 * encode
        fits = 1 + (len(passes) if len(passes) > 1 else 0)
        self._run.expect(
            sum(one.size.to_encode for one in passes) * encode + fits * recipe.rounds * recipe.steps * self._step_work
        )
        self._run.check()
        for number, (windows, example) in enumerate(zip(passes, self._examples, strict=True)):
            self._views.append(ExampleView(windows, example.mask))
            for window in range(len(windows.boxes)):
                missing = windows.size.to_encode
                with torch.inference_mode(), interruptible(self._run.check):
                    windows.features(window)
                done = missing - windows.size.to_encode
                where = f" of example {number + 1}" if len(passes) > 1 else ""
                self._run.advance(done * encode, f"window {window + 1} of {len(windows.boxes)}{where}")

    def _start(self) -> tuple[torch.Tensor, str]:
        """The query to begin with: of the label that overlaps most, or of the name itself where no label is known."""
        queries = self._segmenter.queries
        assert queries is not None  # `_check` saw to it
        device = self._segmenter.network.position_code.device
        bank = queries.bank
        labels = [label for label in bank.labels if label[1] == self._modality] if bank else []
        if not labels:
            prompt = Prompt(self._name, self._modality, self._orientation, trained=False)
            return torch.from_numpy(queries.embed([prompt])[0].copy()).to(device), ""
        assert bank is not None
        candidates = torch.from_numpy(np.stack([bank.lookup(*label) for label in labels])).to(device)
        best, _ = nearest(self._segmenter.network, self._views, candidates, self._recipe)
        return candidates[best].clone(), labels[best][0]

    def _fit(self, numbers: Sequence[int], start: torch.Tensor, stage: str) -> Vectors:
        left = self._recipe.rounds * self._recipe.steps

        def on_step() -> None:
            nonlocal left
            left -= 1
            self._run.advance(self._step_work, stage)

        views = [self._views[number] for number in numbers]
        vectors = fit(self._segmenter.network, views, start, self._recipe, on_step)
        # A fit that stopped early has done its work all the same.
        self._run.advance(left * self._step_work, stage)
        return vectors

    def _try(self, number: int, vectors: Vectors, cancel: CancelCallback | None) -> float:
        """Dice of the word's mask on an example, in the scan's own grid, as a user would get it."""
        query, mask_embedding_offset = _arrays(vectors)
        example = self._examples[number]
        (result,) = self._segmenter.segment_queries(
            example.image,
            query[None],
            self._modality,
            self._orientation,
            names=[self._name],
            mask_embedding_offsets=[mask_embedding_offset],
            cancel=cancel,
        )
        shared = np.count_nonzero(example.mask[result.cropped.box] & result.mask)
        return 2 * shared / (np.count_nonzero(example.mask) + result.voxels)

    def _record(self, label: str, dice: Sequence[float], left_out: Sequence[float]) -> WordRecord:
        description = self._segmenter.description
        return WordRecord(
            name=self._name,
            modality=self._modality,
            orientation=self._orientation,
            model=description.name,
            model_sha256=description.network_sha256,
            taught=datetime.now(UTC).isoformat(timespec="seconds"),
            scans=tuple(_sha256(example.image) for example in self._examples),
            dice=tuple(round(float(one), 4) for one in dice),
            left_out_dice=tuple(round(float(one), 4) for one in left_out),
            start=label,
            software=f"SATSegment {SATSegmentLib.__version__}",
        )


def _check(segmenter: Segmenter, examples: Sequence[Example], orientation: Orientation) -> None:
    """Refuse what cannot be taught, before anybody waits for it."""
    description, queries = segmenter.description, segmenter.queries
    if not description.network_sha256:
        raise CheckpointError(
            f"The model {description.name} does not say which checkpoint it was made from, so a word could not be told "
            "to be its own.",
            "Convert the checkpoint again.",
        )
    if queries is None:
        raise PromptError(
            f"The model {description.name} knows no words to begin with.",
            "Convert it again together with its text encoder.",
        )
    if orientation not in description.orientations:
        known = ", ".join(description.orientations)
        raise PromptError(f"{description.name} was not trained with axes in the order {orientation}.", f"Use {known}.")
    if not examples:
        raise ScanError("There is no example to learn from.", "Give a scan and a mask of the structure in it.")
    for number, example in enumerate(examples, 1):
        which = f"The mask of example {number}" if len(examples) > 1 else "The mask"
        if example.mask.dtype != bool or example.mask.shape != example.image.array.shape:
            raise ScanError(
                f"{which} is not on its scan's grid: {example.mask.shape} voxels, not {example.image.array.shape}.",
                "Give a mask of the same size as the scan.",
            )
        if not example.mask.any():
            raise ScanError(f"{which} is empty.", "Mark the structure in it first.")
        if example.mask.all():
            raise ScanError(f"{which} covers the whole scan.", "Mark the structure only.")


def _sha256(image: Image) -> str:
    return hashlib.sha256(np.ascontiguousarray(image.array).tobytes()).hexdigest()


def _arrays(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    return vectors.query.cpu().float().numpy(), vectors.mask_embedding_offset.cpu().float().numpy()
