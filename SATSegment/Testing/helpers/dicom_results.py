"""Results on a phantom series, for the writers of DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from SATSegmentLib.anatomy.vocabulary.labels import find_label
from SATSegmentLib.grid.affine import lps_to_ras
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.storage.dicom_series import SourceFrame
from SATSegmentLib.storage.written import Algorithm
from SATSegmentLib.types import Prompt, SegmentResult

SHAPE = (7, 18, 23)  # slices, rows, columns: no two alike
ALGORITHM = Algorithm("SAT-Nano", "0.1.0", "ab" * 32)

OBLIQUE = [0.9362933636, -0.2750958473, 0.2183506631, 0.2896294776, 0.9564250859, -0.0369570135]
ORIENTATIONS = {
    "axial": [1, 0, 0, 0, 1, 0],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "coronal": [1, 0, 0, 0, 0, -1],
    "oblique": OBLIQUE,
}


def source_frames(path: Path) -> list[SourceFrame]:
    """The frames of all files of a folder, in the files' order."""
    frames = []
    for file in sorted(path.glob("*.dcm")):
        data = pydicom.dcmread(file, stop_before_pixels=True)
        groups = data.get("PerFrameFunctionalGroupsSequence")
        if not groups:
            frames.append(_frame(data, 0, data, data, data))
            continue
        shared = data.SharedFunctionalGroupsSequence[0]
        for number, group in enumerate(groups):
            places = (
                group.PlanePositionSequence[0],
                shared.PlaneOrientationSequence[0],
                shared.PixelMeasuresSequence[0],
            )
            frames.append(_frame(data, number, *places))
    return frames


def _frame(data, number, position, orientation, measures) -> SourceFrame:
    rows_mm, columns_mm = (float(v) for v in measures.PixelSpacing)
    return SourceFrame(
        data,
        number,
        np.array(position.ImagePositionPatient, float),
        np.array(orientation.ImageOrientationPatient, float),
        (rows_mm, columns_mm),
    )


def masks() -> dict[str, np.ndarray]:
    """A kidney with a hole and an island in it, a tumour that overlaps it, and single voxels."""
    kidney = np.zeros(SHAPE, bool)
    kidney[1:5, 3:14, 4:19] = True
    kidney[2:4, 5:11, 7:14] = False
    kidney[2:4, 7:9, 9:11] = True
    kidney[4, 3, 4] = False
    tumor = np.zeros(SHAPE, bool)
    tumor[3:7, 10:17, 15:23] = True
    spots = np.random.default_rng(5).random(SHAPE) > 0.9
    return {"left kidney": kidney, "liver tumor": tumor, "spleen": spots}


def result_of(mask_kji: np.ndarray, text: str, modality: str = "ct") -> SegmentResult:
    """A result with this mask, as the engine would make it."""
    label = find_label(modality, text)
    prompt = label.prompt() if label else Prompt(text, modality, trained=False)
    places = np.argwhere(mask_kji)
    low, high = (places.min(axis=0), places.max(axis=0) + 1) if len(places) else (np.zeros(3, int),) * 2
    crop = mask_kji[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return SegmentResult(
        prompt=prompt,
        status="found" if len(places) else "empty",
        cropped=CroppedMask.from_array(crop, low),
        voxels=len(places),
        volume_ml=len(places) * 0.0022,
        mean_probability=0.9,
        max_probability=0.99,
        cut_by=(),
        orientation="RAS",
        device="cpu",
        precision="float32",
        seconds=0.0,
    )


def to_ras(lps: np.ndarray) -> np.ndarray:
    return lps_to_ras(lps)
