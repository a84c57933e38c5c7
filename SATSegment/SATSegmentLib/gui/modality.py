"""Which modality a volume is: from its DICOM tags, else from its intensities, and always with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from SATSegmentLib.mrml.modality import dicomModality, statedModality
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.types import MODALITY_TITLES, Modality, Prompt

# Air is -1000 HU; nothing in MRI or PET goes far below zero. The padding of a CT (-2000, -3024) is further down.
_BELOW_ONLY_CT = -200
_SAMPLES = 200_000


@dataclass(frozen=True)
class Guess:
    """What a volume seems to be.

    Attributes
    ----------
    modality : Modality | None
        Or None where it cannot be told, or is one that SAT does not know.
    reason : str
        For people.
    certain : bool
        Whether it was read and not guessed.
    """

    modality: Modality | None
    reason: str
    certain: bool = False


def guessModality(volumeNode: Any) -> Guess:
    """The modality of a volume that `checkVolume` accepts."""
    if (stated := statedModality(volumeNode)) is not None:
        return Guess(stated, _("from DICOM"), certain=True)
    if tag := dicomModality(volumeNode):
        return Guess(
            None, _("DICOM says {modality}, which SAT does not know; choose what comes closest").format(modality=tag)
        )
    return _fromIntensities(imageFromVolume(volumeNode).array)


def mismatch(volumeNode: Any, guess: Guess, modality: Modality, prompts: Sequence[Prompt]) -> str:
    """What does not fit together, to be read before a run; empty where all does."""
    name = volumeNode.GetName()
    if guess.modality is not None and guess.modality != modality:
        said = _("{volume} is {found} by its DICOM tags") if guess.certain else _("{volume} looks like {found}")
        return (said + _(", but {chosen} is chosen. Masks would be wrong.")).format(
            volume=name, found=MODALITY_TITLES[guess.modality], chosen=MODALITY_TITLES[modality]
        )
    others = [prompt for prompt in prompts if prompt.modality != modality]
    if others:
        return _("{structures}: SAT knows it in {other} only, and {chosen} is chosen.").format(
            structures=", ".join(prompt.text for prompt in others[:3]),
            other=MODALITY_TITLES[others[0].modality],
            chosen=MODALITY_TITLES[modality],
        )
    return ""


def _fromIntensities(array: np.ndarray) -> Guess:
    # Every n-th voxel of the whole scan: a slice alone may be all air.
    flat = array.reshape(-1)
    sample = flat[:: max(flat.size // _SAMPLES, 1)]
    low = float(np.nanmin(sample))
    if low < _BELOW_ONLY_CT:
        return Guess("ct", _("guessed: values down to {low:.0f}, as Hounsfield units have").format(low=low))
    # MRI and PET cannot be told apart by their values; MRI is what is far more often segmented.
    return Guess("mri", _("guessed: no air at -1000, so not CT; choose PET if it is"))
