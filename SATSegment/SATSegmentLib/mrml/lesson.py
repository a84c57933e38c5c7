"""What teaches a word from segments in the scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from SATSegmentLib.anatomy.personal.user_words import WordFile, save_word
from SATSegmentLib.anatomy.resolver.new_words import check_name
from SATSegmentLib.engine.api import Engine, RunListener, RunOptions, TeachRequest
from SATSegmentLib.mrml.example import exampleOf
from SATSegmentLib.mrml.modality import requireModality
from SATSegmentLib.types import Modality, Orientation


def lesson(
    engine: Engine,
    examples: Sequence[tuple[Any, Any, str]],
    name: str,
    options: RunOptions | None,
    modality: Modality | None,
    orientation: Orientation,
) -> Callable[[RunListener | None], WordFile]:
    """What teaches the word, called with a listener; all that can be wrong is found before.

    Parameters
    ----------
    engine : Engine
        Learns it.
    examples : Sequence[tuple[Any, Any, str]]
        Volume, segmentation and the segment's id of each.
    name : str
        What the word is called.
    options : RunOptions | None
        How.
    modality : Modality | None
        Of the scans; None for what the first volume's DICOM tags say.
    orientation : Orientation
        Axis order in which the model looks at the scans.

    Raises
    ------
    SATSegmentError
        Scan, segment or name cannot be used.
    """
    modality = requireModality(examples[0][0]) if modality is None else modality
    request = TeachRequest(
        tuple(exampleOf(*one) for one in examples),
        check_name(name, modality),
        modality,
        orientation,
        options or RunOptions(),
    )
    return lambda listener: save_word(engine.teach(request, listener or RunListener()).word)
