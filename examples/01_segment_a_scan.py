"""Segment structures by their names, and write a file that 3D Slicer opens."""

import sys
from pathlib import Path

from SATSegmentLib import Segmenter, __version__
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.storage import Algorithm, write_results

scan = sys.argv[1] if len(sys.argv) > 1 else resource_path("Demo/itk_t1.nii.gz")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "brain.seg.nrrd")

image = read_scan(scan)
segmenter = Segmenter.load("demo")  # or "sat-nano", "sat-pro", or the folder of a converted model
results = segmenter.segment(image, ["lt putamen", "right putamen", "brainstem"], modality="mri")
for result in results:
    print(f"{result.prompt.text}: {result.status}, {result.volume_ml:.1f} mL")

write_results(out, image, results, Algorithm(segmenter.description.name, __version__), overwrite=True)
print(f"Written: {out}. Look at every mask before you rely on it.")
