"""How windows, prompts and augmentations are drawn: SAT's recipe, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from SATSegmentLib.learning.data.errors import RecipeError
from SATSegmentLib.types import RELEASED_WINDOW


@dataclass(frozen=True)
class Augmentation:
    """Chances (0..1) and ranges of the random changes to a window.

    The defaults are SAT's. It neither rotates nor mirrors: sides are learnt from the fixed orientation.

    Attributes
    ----------
    zoom : float
        Chance; zoom_range: factors, above 1 enlarges.
    noise : float
        Chance; noise_std: largest standard deviation, in the scan's own.
    sharpen : float
        Chance.
    scale : float
        Chance; scale_range: intensities are multiplied by 1 plus or minus up to this.
    contrast, contrast_inverted : float
        Chances; gamma: range of the exponent on the intensities' range 0..1.
    rotation : float
        Chance; rotation_degrees: largest angle about each axis.
    mirror : float
        Chance of a mirror image left to right, with all sides in the prompts exchanged. A window is left as it is
        where an annotated label has no known partner.
    """

    zoom: float = 0.2
    zoom_range: tuple[float, float] = (0.7, 1.4)
    noise: float = 0.1
    noise_std: float = 0.1
    sharpen: float = 0.2
    scale: float = 0.15
    scale_range: float = 0.25
    contrast: float = 0.3
    contrast_inverted: float = 0.1
    gamma: tuple[float, float] = (0.7, 1.5)
    rotation: float = 0.0
    rotation_degrees: float = 15.0
    mirror: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no chance and no range."""
        for name in ("zoom", "noise", "sharpen", "scale", "contrast", "contrast_inverted", "rotation", "mirror"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; it is a chance, from 0 to 1.")
        for name in ("zoom_range", "gamma"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise RecipeError(f"{name} is {low} to {high}; it must be above 0 and not fall.")
        for name in ("noise_std", "scale_range", "rotation_degrees"):
            if not getattr(self, name) >= 0:
                raise RecipeError(f"{name} is {getattr(self, name)}; it must not be below 0.")


NO_AUGMENTATION = Augmentation(zoom=0, noise=0, sharpen=0, scale=0, contrast=0, contrast_inverted=0)


@dataclass(frozen=True)
class Recipe:
    """What a sample is.

    Attributes
    ----------
    window : tuple[int, int, int]
        Voxels along the network's axes.
    max_prompts : int
        At most so many prompts a sample.
    negative_ratio : float
        At most this share of a sample's prompts asks for what is not in the window.
    label_crop : float
        Chance that a window is centred on a voxel of a random label, each label alike however small; else it
        is a random window on the annotated region.
    dataset_weights : Mapping[str, float]
        How much more often a data set is drawn; 1 where it is not named.
    augmentation : Augmentation
        `NO_AUGMENTATION` for validation.
    """

    window: tuple[int, int, int] = RELEASED_WINDOW
    max_prompts: int = 32
    negative_ratio: float = 0.5
    label_crop: float = 0.5
    dataset_weights: Mapping[str, float] = field(default_factory=dict)
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if len(self.window) != 3 or min(self.window) < 1:
            raise RecipeError(f"window is {self.window}; it needs three sizes of at least 1.")
        if self.max_prompts < 1:
            raise RecipeError(f"max_prompts is {self.max_prompts}; it must be at least 1.")
        if not 0 <= self.negative_ratio < 1:
            raise RecipeError(f"negative_ratio is {self.negative_ratio}; it must be from 0 to below 1.")
        if not 0 <= self.label_crop <= 1:
            raise RecipeError(f"label_crop is {self.label_crop}; it is a chance, from 0 to 1.")
        for name, weight in self.dataset_weights.items():
            if not 0 < weight < float("inf"):
                raise RecipeError(f'The weight of data set "{name}" is {weight}; it must be above 0.')
