"""The types that cross rooms. No heavy imports beyond NumPy.

Axis order is in the names: KJI is NumPy order as in Slicer (slice, row, column), IJK its reverse.
World coordinates are RAS, in millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from SATSegmentLib.errors import PromptError
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.cropped_probability import CroppedProbability
from SATSegmentLib.grid.orientation import ORIENTATIONS as ORIENTATIONS
from SATSegmentLib.grid.orientation import Orientation as Orientation

# "us" and "microscopy" are known to the models of the CVPR 2025 challenge only.
Modality = Literal["ct", "mri", "pet", "us", "microscopy"]
Status = Literal["found", "empty", "unknown"]
# How image features are kept: as they were computed, or in eight bits, which takes half the memory or a quarter.
FeatureStorage = Literal["native", "uint8"]
# Which of a scan's overlapping windows are looked at: all of them, or those where something was found or nearly found.
WindowRule = Literal["all", "adaptive"]

# What SAT itself was trained on.
MODALITIES: tuple[Modality, ...] = ("ct", "mri", "pet")
# The same for a sentence: "ct, mri or pet".
MODALITY_CHOICE = f"{', '.join(MODALITIES[:-1])} or {MODALITIES[-1]}"
# What DICOM calls them.
DICOM_MODALITIES: dict[str, Modality] = {"CT": "ct", "MR": "mri", "PT": "pet"}
# What the models of the CVPR 2025 challenge were trained on.
CHALLENGE_MODALITIES: tuple[Modality, ...] = ("ct", "mri", "us", "pet", "microscopy")
# What people read.
MODALITY_TITLES: dict[str, str] = {
    "ct": "CT",
    "mri": "MRI",
    "pet": "PET",
    "us": "ultrasound",
    "microscopy": "microscopy",
}
# Window (voxels) and spacing (millimetres) of the released models, along their axes.
RELEASED_WINDOW = (288, 288, 96)
RELEASED_SPACING = (1.0, 1.0, 3.0)
# A voxel belongs to a structure where its probability exceeds this, unless a run says otherwise.
DEFAULT_THRESHOLD = 0.5
# Share of a window's side that it shares with the next one, as in SAT's own inference; and the most that is allowed.
DEFAULT_OVERLAP = 0.5
MOST_OVERLAP = 0.75


def modality_named(text: str) -> Modality | None:
    """What SAT was trained on, by its name here or in DICOM ("MRI", "mr"); None for everything else."""
    name = text.strip()
    return DICOM_MODALITIES.get(name.upper()) or next((one for one in MODALITIES if one == name.lower()), None)


def check_threshold(threshold: float) -> None:
    """Refuse what no probability can meaningfully exceed: a mask would be empty, or the whole scan, in silence.

    Raises
    ------
    PromptError
        Not a number from 0 to 1.
    """
    if not isinstance(threshold, (int, float, np.number)) or not 0 <= threshold <= 1:  # also what is not a number
        raise PromptError(
            f"A threshold of {threshold!r} is no probability.", f"Use 0 to 1, such as {DEFAULT_THRESHOLD}."
        )


class DoubtKind(StrEnum):
    """What about a scan had to be guessed, or looks wrong although it can be read."""

    SIDES = "sides"  # the file does not say which side of the patient is which
    SIZES = "sizes"  # the file gives no voxel size or no unit of length, or voxels or scan are of an unlikely size
    GRID = "grid"  # the file says two different things about where its voxels are
    VALUES = "values"  # the voxel values may not be in the unit their modality has
    MARKS = "marks"  # many voxels share one value far above all others: a border, or burnt-in marks
    FILES = "files"  # files of the series were dropped or passed over
    MODALITY = "modality"  # the file is of a kind SAT was not trained on


@dataclass(frozen=True)
class Doubt:
    """A reason to look twice at what a scan gives.

    Attributes
    ----------
    kind : DoubtKind
        What the doubt is about.
    text : str
        One or two sentences for people: what is not certain, and what was assumed.
    """

    kind: DoubtKind
    text: str

    def as_dict(self) -> dict[str, str]:
        """The doubt as plain data, for reports and records."""
        return {"kind": self.kind.value, "text": self.text}


@dataclass(frozen=True, eq=False)
class Image:
    """A scan: voxels and where they are.

    Attributes
    ----------
    array : np.ndarray
        Voxels in KJI order, any real dtype. CT in Hounsfield units.
    ijk_to_ras : np.ndarray
        4x4 affine from voxel index (i, j, k) to RAS millimetres, voxel centres at integers.
    doubts : tuple[Doubt, ...]
        What the scan's file left open or contradicts itself about; empty where nothing had to be guessed.
    unit : str
        Of the voxel values where the file says it ("HU", "Bq/mL", "SUVbw g/mL"); otherwise empty.
    digest : str
        Its name by content (`grid.digest.digest_of`) where it was sent under one: checked before it is looked at.
        Otherwise empty.
    """

    array: np.ndarray
    ijk_to_ras: np.ndarray
    doubts: tuple[Doubt, ...] = ()
    unit: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Prompt:
    """One structure to segment, in the words the network was trained on.

    Attributes
    ----------
    text : str
        The exact trained string ("left kidney"), or free text where `trained` is False.
    modality : Modality
        The modality whose embedding is used.
    orientation : Orientation
        The axis order the label was trained in; "native" keeps the scan's own axes.
    concept : str
        Id of the anatomy concept behind the text; empty where there is none.
    trained : bool
        Whether (text, modality) is one of the trained labels. In a result: whether the model is known to have been
        trained on it. A label of SAT that a model is not known to have been trained on keeps its concept.
    """

    text: str
    modality: Modality
    orientation: Orientation = "RAS"
    concept: str = ""
    trained: bool = True


@dataclass(frozen=True, eq=False)
class Example:
    """A scan and the structure in it, to teach a word from.

    Attributes
    ----------
    image : Image
        The scan.
    mask : np.ndarray
        The structure: bool, KJI, of the scan's shape.
    """

    image: Image
    mask: np.ndarray


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    fraction : float
        0..1, never decreasing within a run.
    stage : str
        What is going on, for people ("window 3 of 8").
    seconds_left : float | None
        Estimate, or None while there is nothing to base one on.
    """

    fraction: float
    stage: str
    seconds_left: float | None = None


class FlagKind(StrEnum):
    """Why a result may not be what it says it is."""

    OUTSIDE_PARENT = "outside parent"  # part of it lies outside of the structure that holds it
    SIDE = "side"  # left and right are exchanged, or it lies on the other side of the body
    POSITION = "position"  # in front of, behind, above or below another structure that it never lies there from
    OVERLAP = "overlap"  # it shares voxels with a structure that cannot be in the same place
    PIECES = "pieces"  # pieces lie far apart that belong together
    VOLUME = "volume"  # larger or smaller than in adults
    INTENSITY = "intensity"  # voxel values that its tissue cannot have
    REGION = "region"  # the scan does not show the part of the body it belongs to
    SAME_MASK = "same mask"  # another prompt gave the very same mask


@dataclass(frozen=True)
class Flag:
    """A reason not to believe a result without looking at it. The result itself is never changed.

    Attributes
    ----------
    kind : FlagKind
        What is wrong, for programs.
    text : str
        One sentence for people.
    reason : str
        The measured numbers behind it.
    others : tuple of str
        Prompts' texts of the other results that are involved.
    """

    kind: FlagKind
    text: str
    reason: str
    others: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The flag as plain data, for reports and records."""
        return {"kind": self.kind.value, "text": self.text, "reason": self.reason, "others": list(self.others)}


@dataclass(frozen=True)
class Statistics:
    """What is measured of a mask and the voxels under it.

    Attributes
    ----------
    unit : str
        Of the intensities: "HU" for CT, "SUVbw g/mL" or another for PET; empty where the values have none.
    mean, sd, minimum, maximum : float
        Of the intensities; `sd` is the standard deviation over the mask's voxels.
    p05, median, p95 : float
        Percentiles of the intensities.
    centroid_ras : tuple of float
        Centre of mass of the mask, RAS, millimetres.
    low_ras, high_ras : tuple of float
        Corners of the box around the mask's voxels along R, A and S, millimetres.
    surface_cm2 : float
        Area of the mask's surface (SimpleITK's perimeter, by Crofton's formula), square centimetres.
    pieces : int
        Connected pieces; voxels that touch by a corner are connected.
    largest_share : float
        Share of the mask's voxels in its largest piece, 0..1.
    """

    unit: str
    mean: float
    sd: float
    minimum: float
    p05: float
    median: float
    p95: float
    maximum: float
    centroid_ras: tuple[float, float, float]
    low_ras: tuple[float, float, float]
    high_ras: tuple[float, float, float]
    surface_cm2: float
    pieces: int
    largest_share: float

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edges of the box around the mask along R, A and S, millimetres."""
        r, a, s = (high - low for low, high in zip(self.low_ras, self.high_ras, strict=True))
        return (r, a, s)


@dataclass(frozen=True)
class WindowUse:
    """Which windows a result was made from.

    Attributes
    ----------
    rule : {"all", "adaptive"}
        How they were chosen.
    overlap : float
        Share of a window's side that it shares with the next one.
    total : int
        Windows that cover the scan.
    looked_at : int
        Those of them that were looked at for this prompt.
    margin : float
        With "adaptive": the probability that counts as nearly found; the windows around it are looked at. 0 with "all".
    """

    rule: WindowRule
    overlap: float
    total: int
    looked_at: int
    margin: float = 0.0


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """One structure's mask in the scan's own grid, cropped to where it is non-empty.

    Attributes
    ----------
    prompt : Prompt
        What was asked for.
    status : Status
        "found", "empty" where no voxel passed the threshold, or "unknown" where the model has no answer to the
        prompt and did not look for it.
    cropped : CroppedMask
        The mask on the scan's own grid, KJI, cropped and packed. `mask` is the same as an array.
    voxels : int
        Number of voxels in the mask.
    volume_ml : float
        Their volume in millilitres, from the scan's own spacing.
    mean_probability : float
        Mean of the network's probability over the mask's voxels; 0 where empty. With adaptive windows it is the mean of
        what the windows said that were looked at; the mask is that of all windows.
    max_probability : float
        Highest probability that any window gave where it counts, also where the result is empty; of those windows
        that were looked at.
    cut_by : tuple[str, ...]
        Sides of the scan that the mask touches, of R L A P S I (the side of the patient that
        the scan's border faces); a structure that touches a border may go on beyond it.
    orientation : Orientation
        Axis order of the pass that produced the mask.
    device, precision : str
        What the network ran on ("cpu", "cuda:0"; "float32", "bfloat16", "float16").
    feature_storage : FeatureStorage
        How the image features behind it were kept ("native", "uint8").
    seconds : float
        Time spent on this prompt alone, without the share of the image encoder.
    probability : CroppedProbability | None
        The network's probability on the scan's own grid, where a run was asked to keep it; otherwise None.
    statistics : Statistics or None
        Measured of the mask; None where there is none.
    flags : tuple of Flag
        Reasons not to believe it without looking; found by comparing it with the scan, the run's other results and
        anatomy. Empty where there is none.
    windows : WindowUse or None
        Which windows of the scan were looked at for it; None where none were.
    """

    prompt: Prompt
    status: Status
    cropped: CroppedMask
    voxels: int
    volume_ml: float
    mean_probability: float
    max_probability: float
    cut_by: tuple[str, ...]
    orientation: Orientation
    device: str
    precision: str
    seconds: float
    feature_storage: FeatureStorage = "native"
    probability: CroppedProbability | None = None
    statistics: Statistics | None = None
    flags: tuple[Flag, ...] = ()
    windows: WindowUse | None = None

    @property
    def mask(self) -> np.ndarray:
        """The mask on its bounding box (`cropped.box`) as a bool array, KJI; made anew each time it is asked for."""
        return self.cropped.to_array()

    def whole_mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """The mask on the whole scan's grid of this shape, KJI."""
        return self.cropped.on_grid(shape)
