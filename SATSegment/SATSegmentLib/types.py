"""The types that cross rooms. No logic, no heavy imports beyond NumPy.

Axis order is in the names: KJI is NumPy order as in Slicer (slice, row, column), IJK its reverse.
World coordinates are RAS, in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Modality = Literal["ct", "mri", "pet"]
Orientation = Literal["RAS", "ASR", "IPL", "LPS", "native"]
Status = Literal["found", "empty"]

MODALITIES: tuple[Modality, ...] = ("ct", "mri", "pet")


@dataclass(frozen=True, eq=False)
class Image:
    """A scan: voxels and where they are.

    Attributes
    ----------
    array: voxels in KJI order, any real dtype. CT in Hounsfield units.
    ijk_to_ras: 4x4 affine from voxel index (i, j, k) to RAS millimetres, voxel centres at integers.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray


@dataclass(frozen=True)
class Prompt:
    """One structure to segment, in the words the network was trained on.

    Attributes
    ----------
    text: the exact trained string ("left kidney"), or free text where `trained` is False.
    modality: the modality whose embedding is used.
    orientation: the axis order the label was trained in; "native" keeps the scan's own axes.
    concept: id of the anatomy concept behind the text; empty where there is none.
    trained: whether (text, modality) is one of the trained labels. Free text is marked as such
        in every result, because the network was never shown it.
    """

    text: str
    modality: Modality
    orientation: Orientation = "RAS"
    concept: str = ""
    trained: bool = True


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    fraction: 0..1, never decreasing within a run.
    stage: what is going on, for people ("window 3 of 8").
    seconds_left: estimate, or None while there is nothing to base one on.
    """

    fraction: float
    stage: str
    seconds_left: float | None = None


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """One structure's mask in the scan's own grid, cropped to where it is non-empty.

    Attributes
    ----------
    prompt: what was asked for.
    status: "found", or "empty" where no voxel passed the threshold.
    mask: bool array in KJI order, the bounding box of the structure; shape (0, 0, 0) where empty.
    offset_kji: index of `mask`'s first voxel in the scan's array, KJI.
    voxels: number of voxels in the mask.
    volume_ml: their volume in millilitres, from the scan's own spacing.
    mean_probability: mean of the network's probability over the mask's voxels; 0 where empty.
    max_probability: highest probability that any window gave where it counts, also where the result is empty.
    cut_by: sides of the scan that the mask touches, of R L A P S I (the side of the patient that
        the scan's border faces); a structure that touches a border may go on beyond it.
    orientation: axis order of the pass that produced the mask.
    device, precision: what the network ran on ("cpu", "cuda:0"; "float32", "bfloat16", "float16").
    seconds: time spent on this prompt alone, without the share of the image encoder.
    """

    prompt: Prompt
    status: Status
    mask: np.ndarray
    offset_kji: tuple[int, int, int]
    voxels: int
    volume_ml: float
    mean_probability: float
    max_probability: float
    cut_by: tuple[str, ...]
    orientation: Orientation
    device: str
    precision: str
    seconds: float
