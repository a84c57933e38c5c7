"""Compare masks with a reference, structure by structure."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from SATSegmentLib import Segmenter, __version__
from SATSegmentLib.evaluation.datasets import Datasets
from SATSegmentLib.evaluation.run import evaluate
from SATSegmentLib.masks.cases import find_cases
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.storage import Algorithm, write_results

image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
segmenter = Segmenter.load("demo")
results = segmenter.segment(image, ["left putamen", "right putamen", "brainstem"], modality="mri")

with tempfile.TemporaryDirectory() as folder:
    masks, reference = Path(folder, "head.seg.nrrd"), Path(folder, "reference")
    write_results(masks, image, results, Algorithm(segmenter.description.name, __version__))
    # A label map and the names of its values. Masks may as well be .seg.nrrd, DICOM SEG, RTSTRUCT, or a file each.
    reference.mkdir()
    shutil.copy(resource_path("Demo/itk_t1_samseg.nii.gz"), reference / "head.nii.gz")
    values = {"left putamen": 12, "right putamen": 51, "brainstem": 16}
    present = np.unique(read_scan(reference / "head.nii.gz").array).astype(int).tolist()
    others = {f"other {value}": value for value in present if value and value not in values.values()}
    (reference / "labels.json").write_text(json.dumps(values | others))
    scores = evaluate(find_cases(reference), find_cases(masks), Datasets("mri"))

for row in scores.rows:
    print(f"{row.key.label}: Dice {row.metric('dsc'):.2f}, NSD {row.metric('nsd'):.2f}")
