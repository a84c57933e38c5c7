"""Scans that are no cases of the challenge, through its models: windowed by a named rule, masks on the scan's grid."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from SATSegmentLib.challenge.container import Case
from SATSegmentLib.challenge.grid import file_labels
from SATSegmentLib.challenge.intensities import windowed
from SATSegmentLib.challenge.segmenter import CancelCallback, ChallengeSegmenter, ProgressCallback
from SATSegmentLib.errors import PromptError
from SATSegmentLib.grid.affine import spacing_mm
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.types import DEFAULT_THRESHOLD, Image, Modality, Prompt, SegmentResult


def case_of_scan(image: Image, phrases: Sequence[str], modality: Modality, rule: str) -> Case:
    """A scan as a case: its voxels as they are stored, neither turned nor cropped, windowed by a rule.

    Parameters
    ----------
    image : Image
        The scan.
    phrases : sequence of str
        What to look for; the first gets the value 1.
    modality : Modality
        One of the five.
    rule : str
        One of `intensities.RULES`.

    Raises
    ------
    PromptError
        No phrase, an empty one, or one that is given twice.
    ScanError
        As `windowed`.
    GeometryError
        A voxel without extent.
    """
    words = [phrase.strip() for phrase in phrases]
    if not words or not all(words):
        raise PromptError("A prompt is empty, or none was given.", "Write what to segment, for example 'liver'.")
    if len({word.lower() for word in words}) < len(words):
        raise PromptError("A prompt was given twice.", "Remove one of them.")
    # As SimpleITK gives a spacing, by which the challenge's files were made: x, y, z.
    sides = spacing_mm(image.ijk_to_ras)
    check_spacing(sides)
    x, y, z = (float(side) for side in sides)
    return Case(windowed(image.array, rule), (x, y, z), dict(enumerate(words, 1)), modality)


def segment_scan(
    segmenter: ChallengeSegmenter,
    image: Image,
    case: Case,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[SegmentResult]:
    """One result for each phrase of a scan's case; masks may overlap, as they lie in segments of their own.

    Raises
    ------
    PromptError, Cancelled
        As `ChallengeSegmenter.segment`.
    """
    results = []
    grid = Grid.of(image)
    started = time.perf_counter()
    for value, probability in segmenter.found(case, progress, cancel):
        inside = probability > DEFAULT_THRESHOLD
        cropped = CroppedMask.from_array(file_labels(inside.astype(np.uint8), case).astype(bool))
        results.append(
            SegmentResult(
                # No list of what the challenge's models were trained on fits SAT's labels: all is free text.
                prompt=Prompt(case.phrases[value], case.modality, "native", trained=False),
                status="found" if cropped else "empty",
                cropped=cropped,
                voxels=cropped.voxels,
                volume_ml=cropped.voxels * grid.voxel_ml,
                mean_probability=float(probability[inside].mean(dtype=np.float64)) if inside.any() else 0.0,
                max_probability=float(probability.max()),
                cut_by=grid.touched_sides(cropped.box) if cropped else (),
                orientation="native",
                device=str(segmenter.device),
                precision="float32",
                seconds=time.perf_counter() - started,
            )
        )
        started = time.perf_counter()
    return results
