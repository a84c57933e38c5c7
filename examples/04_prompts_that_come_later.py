"""The network looks at a scan once: prompts that come later use the image features that were kept."""

import sys
import time

from SATSegmentLib import Segmenter
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan

image = read_scan(sys.argv[1] if len(sys.argv) > 1 else resource_path("Demo/itk_t1.nii.gz"))
segmenter = Segmenter.load("demo")

for words in ("brainstem", "left thalamus", "third ventricle"):
    started = time.perf_counter()
    (result,) = segmenter.segment(image, words, modality="mri")
    print(f"{result.prompt.text}: {result.status}, {time.perf_counter() - started:.1f} s")
