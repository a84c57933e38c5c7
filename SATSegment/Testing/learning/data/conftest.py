"""Real scans as training records, preprocessed once for all tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.learning.data import CaseCache, read_records
from SATSegmentLib.resources import resource_path

# Coarser than SAT's, to be quick.
SPACING = (2.0, 2.0, 3.0)


@pytest.fixture
def write_jsonl(tmp_path):
    """Write records, one a line, and get the file's path."""

    def write(*records, name="train.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_volume(tmp_path):
    """Write a KJI array as an image file (4-D: NKJI), and get its name."""

    def write(name, array, spacing=(1.0, 1.0, 2.0), direction=None, origin=(0.0, 0.0, 0.0)) -> str:
        array = np.asarray(array)
        array = array.astype(np.uint8) if array.dtype == bool else array
        if array.ndim == 4:
            image = sitk.JoinSeries([sitk.GetImageFromArray(each) for each in array])
            image.SetSpacing([*spacing, 1.0])
        else:
            image = sitk.GetImageFromArray(array)
            image.SetSpacing(list(spacing))
            image.SetDirection(list(direction or np.eye(3).ravel()))
            image.SetOrigin(list(origin))
        sitk.WriteImage(image, str(tmp_path / name))
        return name

    return write


@pytest.fixture(scope="session")
def head_record():
    """The T1 head with the silver labels of its table: sides and wholes."""
    with resource_path("Demo/structures.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {
        "image": str(resource_path("Demo/itk_t1.nii.gz")),
        "mask": str(resource_path("Demo/itk_t1_samseg.nii.gz")),
        "label": {row["name"]: [int(value) for value in row["samseg_labels"].split(",")] for row in rows},
        "modality": "MRI T1",
        "dataset": "heads",
        "patient_id": "itk",
    }


@pytest.fixture(scope="session")
def chest_record():
    """The chest CT with the lungs that were drawn in Slicer."""
    return {
        "image": str(resource_path("Demo/CTChest4.nrrd")),
        "mask": str(resource_path("Demo/CTChest4.seg.nrrd")),
        "label": ["left lung", "right lung"],
        "modality": "CT",
        "dataset": "chests",
        "patient_id": "slicer",
    }


@pytest.fixture(scope="session")
def real_cases(tmp_path_factory, head_record, chest_record):
    """Both scans, preprocessed: (record, case) of the head, then of the chest."""
    folder = tmp_path_factory.mktemp("real")
    path = folder / "real.jsonl"
    path.write_text(json.dumps(head_record) + "\n" + json.dumps(chest_record), encoding="utf-8")
    return CaseCache(folder / "cache", SPACING).prepare(read_records([path]).records).cases
