"""A labelled head, as the augmentation wants it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from structures import mirrored

# SAMSEG's labels outside the brain: air, skull, other soft tissue, and what lies outside the head's own tissues.
OUTSIDE_BRAIN = (0, 165, 258, 259)


@dataclass(frozen=True, eq=False)
class Head:
    """A T1 head with SAMSEG's labels, axes R-L, P-A, I-S (RAS).

    Attributes
    ----------
    name: where it comes from.
    image: (X, Y, Z) float32, scaled so that the 99.5th percentile is 1.
    codes: (X, Y, Z) uint8, index into `labels`.
    labels: SAMSEG's label numbers, ascending; the same for all heads.
    spacing_mm: edge lengths of a voxel.
    """

    name: str
    image: np.ndarray
    codes: np.ndarray
    labels: np.ndarray
    spacing_mm: np.ndarray


def load_heads(files: dict[str, tuple[Path, Path]]) -> list[Head]:
    """Heads from (image file, label file) pairs, with one common list of labels."""
    loaded = {name: (_canonical(image), _canonical(labels)) for name, (image, labels) in files.items()}
    present = {int(label) for _, (labels, _) in loaded.values() for label in np.unique(labels)}
    present |= {mirrored(label) for label in present}
    labels = np.array(sorted(present))
    heads = []
    for name, ((image, spacing), (segmentation, _)) in loaded.items():
        image = np.clip(image, 0, None) / np.percentile(image[image > 0], 99.5)
        codes = np.searchsorted(labels, segmentation.astype(int)).astype(np.uint8)
        heads.append(Head(name, image.astype(np.float32), codes, labels, spacing))
    return heads


def _canonical(file: Path) -> tuple[np.ndarray, np.ndarray]:
    picture = nib.as_closest_canonical(nib.squeeze_image(nib.load(file)))
    return np.asarray(picture.dataobj, dtype=np.float32), np.sqrt((picture.affine[:3, :3] ** 2).sum(0))
