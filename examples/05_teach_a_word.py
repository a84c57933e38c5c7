"""Teach the model a word of your own from one example, and ask for it."""

import tempfile
from pathlib import Path

import numpy as np

from SATSegmentLib import RunOptions
from SATSegmentLib.anatomy.personal.user_words import save_word
from SATSegmentLib.engine.api import SegmentRequest, TeachRequest
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Example

RIGHT_PUTAMEN = 51  # its value in the label map; any mask of yours will do

image = read_scan(resource_path("Demo/itk_t1.nii.gz"))
labels = read_scan(resource_path("Demo/itk_t1_samseg.nii.gz"))
example = Example(image, np.asarray(labels.array == RIGHT_PUTAMEN))

engine, options = LocalEngine(), RunOptions("demo")
answer = engine.teach(TeachRequest((example,), "shell of the lens nucleus", "mri", options=options))

# Without a folder the word is kept in yours, and offered from then on in the panel and on the command line.
with tempfile.TemporaryDirectory() as folder:
    word = save_word(answer.word, Path(folder))
    print(f"{word.record.name}: {word.record.quality()}")
    request = SegmentRequest(image, (word.record.prompt(),), options, (answer.word,))
    (result,) = engine.segment(request).results
    print(f"Asked for: {result.status}, {result.volume_ml:.1f} mL")
