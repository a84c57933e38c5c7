"""Reference labels as results: the demonstration head, the chest CT, and other heads with SAMSEG's labels."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.masks.open import open_masks
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image, Modality, Prompt, SegmentResult

_CHEST = {
    "ribs": "rib",
    "cervical vertebral column": "cervical vertebrae",
    "thoracic vertebral column": "thoracic vertebrae",
    "lumbar vertebral column": "lumbar vertebrae",
    "right lung": "right lung",
    "left lung": "left lung",
}
_CHEST_UNIONS = {
    "lung": ("right lung", "left lung"),
    "vertebrae": ("cervical vertebrae", "thoracic vertebrae", "lumbar vertebrae"),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A scan and results of it."""

    name: str
    image: Image
    results: tuple[SegmentResult, ...]

    @property
    def modality(self) -> Modality:
        return self.results[0].prompt.modality


def as_result(image: Image, text: str, modality: Modality, mask: np.ndarray) -> SegmentResult:
    """A mask of the whole scan as a result of a prompt."""
    cropped, grid = CroppedMask.from_array(mask), Grid.of(image)
    voxels = cropped.voxels
    return SegmentResult(
        prompt=Prompt(text, modality),
        status="found" if voxels else "empty",
        cropped=cropped,
        voxels=voxels,
        volume_ml=voxels * grid.voxel_ml,
        mean_probability=0.9,
        max_probability=1.0,
        cut_by=grid.touched_sides(cropped.box) if voxels else (),
        orientation="RAS",
        device="cpu",
        precision="float32",
        seconds=0.0,
    )


def head(scan: Path, labels: Path, name: str) -> Case:
    """A head with SAMSEG's labels, as the structures of the demonstration model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image, numbers = read_scan(scan), np.rint(read_scan(labels).array).astype(np.int32)
    lines = resource_path("Demo/structures.tsv").read_text().splitlines()
    rows = csv.DictReader(lines, delimiter="\t")
    results = [
        as_result(image, row["name"], "mri", np.isin(numbers, [int(n) for n in row["samseg_labels"].split(",")]))
        for row in rows
    ]
    return Case(name, image, tuple(results))


@cache
def demo_head() -> Case:
    """The head that comes with the demonstration model."""
    return head(resource_path("Demo/itk_t1.nii.gz"), resource_path("Demo/itk_t1_samseg.nii.gz"), "demo head")


@cache
def chest() -> Case:
    """The chest CT that comes along, with what was drawn in it by hand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = read_scan(resource_path("Demo/CTChest4.nrrd"))
    masks = open_masks(resource_path("Demo/CTChest4.seg.nrrd"))
    named = {label: masks.read(name, Grid.of(image)).array > 0 for name, label in _CHEST.items()}
    named |= {label: np.logical_or.reduce([named[one] for one in parts]) for label, parts in _CHEST_UNIONS.items()}
    return Case("chest CT", image, tuple(as_result(image, label, "ct", mask) for label, mask in named.items()))
