"""Reference and prediction in, scores out: pairs cases and structures, reads them, puts them on one grid."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from SATSegmentLib.errors import GeometryError, SATSegmentError
from SATSegmentLib.evaluation import metrics
from SATSegmentLib.evaluation.datasets import Datasets
from SATSegmentLib.evaluation.names import Match, match_all
from SATSegmentLib.evaluation.protocol import CaseScore, LabelKey
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.placing import Placed, place
from SATSegmentLib.grid.resample import PROTOCOL_SPACING_MM, protocol_mask
from SATSegmentLib.grid.tilt import slice_tilt
from SATSegmentLib.masks.cases import IGNORE, Case
from SATSegmentLib.masks.open import ReadMask
from SATSegmentLib.types import Image, Modality, Progress

GridName = Literal["own", "sat"]


@dataclass(frozen=True)
class Settings:
    """How masks are compared.

    Attributes
    ----------
    grid : GridName
        "own" for the scan's own grid, "sat" for SAT's protocol of 1 x 1 x 3 mm in RAS.
    tolerance_mm : float
        Of the NSD.
    resample : bool
        Whether a prediction on another grid is resampled onto the reference's (nearest voxel) or refused.
    """

    grid: GridName = "own"
    tolerance_mm: float = metrics.DEFAULT_TOLERANCE_MM
    resample: bool = False


@dataclass(frozen=True)
class Unmatched:
    """What was not scored, and why.

    Attributes
    ----------
    cases_without_prediction, cases_without_reference : tuple[str, ...]
        Names of cases that only one side has.
    names : tuple[tuple[str, str, str], ...]
        (side, name, reason), each once: structures whose name is no label for certain, or that only one side has.
    """

    cases_without_prediction: tuple[str, ...] = ()
    cases_without_reference: tuple[str, ...] = ()
    names: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class MethodScores:
    """All scores of one method.

    Attributes
    ----------
    method : str
        Its name.
    rows : tuple[CaseScore, ...]
        One per structure and case.
    unmatched : Unmatched
        What was left out.
    """

    method: str
    rows: tuple[CaseScore, ...]
    unmatched: Unmatched = field(default_factory=Unmatched)


@dataclass(frozen=True, eq=False)
class _Pair:
    """One case on both sides, with its structures by what they are compared under."""

    reference: Case
    prediction: Case
    dataset: str
    modality: Modality
    references: Mapping[str, Match]
    predictions: Mapping[str, Match]


def evaluate(
    reference: Sequence[Case],
    prediction: Sequence[Case],
    datasets: Datasets,
    settings: Settings | None = None,
    *,
    method: str = "prediction",
    progress: Callable[[Progress], None] | None = None,
) -> MethodScores:
    """Compare a method's masks with the reference, structure by structure.

    A structure is scored where the reference has it (an empty reference counts, by SAT's rule) and the method gives it
    in at least one case; where the method leaves it out in some cases only, it counts as empty there. Everything that
    is not scored is listed.

    Parameters
    ----------
    reference, prediction : Sequence[Case]
        See `masks.cases.find_cases`. A single case on each side is a pair whatever the names.
    datasets : Datasets
        Dataset and modality of each case.

    Raises
    ------
    SATSegmentError
        Nothing to compare, a file cannot be read, or grids differ.
    """
    settings = settings or Settings()
    pairs, only_reference, only_prediction = _pair_cases(reference, prediction, datasets)
    given = {LabelKey(pair.modality, key) for pair in pairs for key in pair.predictions}
    total = sum(len(_scored(pair, given)) for pair in pairs)
    if not total:
        raise SATSegmentError(
            "No structure is in both the reference and the prediction.",
            f"Reference: {_few(pairs, 'references')}. Prediction: {_few(pairs, 'predictions')}.",
        )
    rows: list[CaseScore] = []
    started = time.monotonic()
    for pair in pairs:
        for row in _score_pair(pair, _scored(pair, given), settings):
            rows.append(row)
            if progress is not None:
                done = len(rows) / total
                progress(Progress(done, f"{pair.reference.name}: {row.key.label}", _left(started, done)))
    unmatched = Unmatched(only_reference, only_prediction, _unmatched_names(pairs, given))
    return MethodScores(method, tuple(rows), unmatched)


def _pair_cases(
    reference: Sequence[Case], prediction: Sequence[Case], datasets: Datasets
) -> tuple[list[_Pair], tuple[str, ...], tuple[str, ...]]:
    predicted = {case.name: case for case in prediction}
    if len(reference) == len(prediction) == 1:
        predicted = {reference[0].name: prediction[0]}
    pairs = []
    for case in reference:
        if case.name not in predicted:
            continue
        other = predicted[case.name]
        dataset, modality = datasets.of(case.name)
        references = match_all(case.names, modality, f"the reference's case {case.name}")
        predictions = match_all(other.names, modality, f"the prediction's case {other.name}")
        pairs.append(_Pair(case, other, dataset, modality, references, predictions))
    names = {case.name for case in reference}
    lacking = tuple(case.name for case in reference if case.name not in predicted)
    extra = tuple(name for name in predicted if name not in names)
    if not pairs:
        raise SATSegmentError(
            "Reference and prediction have no case in common: "
            f"{_some(sorted(names))} in the one, {_some(sorted(predicted))} in the other.",
            "Name a case the same on both sides.",
        )
    return pairs, lacking, extra


def _scored(pair: _Pair, given: set[LabelKey]) -> list[str]:
    return [key for key in pair.references if LabelKey(pair.modality, key) in given]


def _score_pair(pair: _Pair, keys: Iterable[str], settings: Settings) -> Iterable[CaseScore]:
    read_reference, read_prediction = pair.reference.open(), pair.prediction.open()
    grid = _grid_for_contours(pair, read_prediction) if pair.reference.needs_grid else None
    judged = ~read_reference(IGNORE, grid).array if pair.reference.ignores else None
    for key in keys:
        reference = read_reference(pair.references[key].given, grid)
        found = pair.predictions.get(key)
        prediction = read_prediction(found.given, Grid.of(reference)) if found else None
        placed = _prediction_on(reference, prediction, pair, key, settings)
        if judged is not None:  # what nobody annotated counts on neither side
            reference = Image(reference.array & judged, reference.ijk_to_ras)
            placed = replace(placed, array=placed.array & judged)
        yield CaseScore(
            pair.dataset,
            pair.reference.name,
            LabelKey(pair.modality, key),
            _compare(reference, placed.array, settings),
            given_reference=pair.references[key].given,
            given_prediction=found.given if found else "",
            missing=found is None,
            resampled=placed.resampled,
            outside=placed.outside,
        )


def _grid_for_contours(pair: _Pair, read_prediction: ReadMask) -> Grid:
    """A grid for a reference that is contours: that of the prediction."""
    if pair.prediction.needs_grid:
        raise GeometryError(
            f"Case {pair.reference.name}: both sides are contours, which have no voxels of their own.",
            "Give one of them as a DICOM SEG, a .seg.nrrd or a label map on the scan's grid.",
        )
    return Grid.of(read_prediction(pair.prediction.names[0], None))


def _prediction_on(reference: Image, prediction: Image | None, pair: _Pair, key: str, settings: Settings) -> Placed:
    if prediction is None:
        return Placed(np.zeros_like(reference.array))
    try:
        return place(prediction, Grid.of(reference), resample=settings.resample)
    except GeometryError as error:
        raise GeometryError(f'Case {pair.reference.name}, "{key}": {error.message}', error.remedy) from error


def _compare(reference: Image, prediction: np.ndarray, settings: Settings) -> metrics.Scores:
    grid = Grid.of(reference)
    if settings.grid == "own":
        right, judged = reference.array, prediction
        if tilt := slice_tilt(grid):
            # Distances are measured along the axes, which must stand at right angles for that.
            right, judged, grid = tilt.straighten_labels(right), tilt.straighten_labels(judged), tilt.straight
        return metrics.score(right, judged, grid.spacing_kji, settings.tolerance_mm)
    right, judged = (protocol_mask(mask, grid) for mask in (reference.array, prediction))
    return metrics.score(right, judged, PROTOCOL_SPACING_MM, settings.tolerance_mm)


def _unmatched_names(pairs: Sequence[_Pair], given: set[LabelKey]) -> tuple[tuple[str, str, str], ...]:
    wanted = {LabelKey(pair.modality, key) for pair in pairs for key in pair.references}
    left: dict[tuple[str, str, str], None] = {}
    for pair in pairs:
        for side, matches, others, other_side in (
            ("reference", pair.references, given, "prediction"),
            ("prediction", pair.predictions, wanted, "reference"),
        ):
            for key, found in matches.items():
                if LabelKey(pair.modality, key) not in others:
                    left[side, found.given, found.reason or f"not in the {other_side}"] = None
                elif found.reason and side == "reference":
                    left["both", found.given, f"no label of SAT ({found.reason}); compared under its own name"] = None
    return tuple(sorted(left))


def _left(started: float, done: float) -> float:
    return (time.monotonic() - started) * (1 - done) / done


def _few(pairs: Sequence[_Pair], side: Literal["references", "predictions"]) -> str:
    matches: Mapping[str, Match] = getattr(pairs[0], side)
    return _some([f'"{m.given}"' + (f" ({m.reason})" if m.reason else "") for m in matches.values()])


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "") if words else "nothing"


def method_names(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Short names for methods: the last part of each path, or more of it where that is the same."""
    parts = [os.path.abspath(os.path.expanduser(path)).split(os.sep) for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{number}: {part[-1]}" for number, part in enumerate(parts, start=1)]
