"""The demonstration model's pipeline, a few minutes of it, with each backbone: from labels to words to masks."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.learning.segmentation.export import export_model
from SATSegmentLib.learning.segmentation.queries import TextQueries
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Prompt

TOOLS = Path(__file__).parents[4] / "tools/demo_model"
# Tens of millilitres and more.
LARGE = ("brain", "white matter", "grey matter", "cerebellum")
# Coarser than the embedded model's grid of 3 mm: a step costs a third, and these structures do not need more.
SPACING_MM, WINDOW = (4.5, 4.5, 4.5), (32, 48, 32)
# All structures: on so small a window they cost little, and each is seen in every step.
PROMPTS_PER_WINDOW = 34


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("nibabel")
    before = set(sys.modules)
    sys.path.insert(0, str(TOOLS))
    import recipe

    recipe.SPACING_MM, recipe.WINDOW, recipe.PROMPTS_PER_WINDOW = SPACING_MM, WINDOW, PROMPTS_PER_WINDOW
    yield
    sys.path.remove(str(TOOLS))
    for name in set(sys.modules) - before:
        if str(TOOLS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.long
@pytest.mark.parametrize("backbone", ["unet", "umamba", "swinunetr"])
def test_a_few_minutes_of_training_find_the_large_structures(pipeline, backbone, tmp_path):
    from heads import load_heads
    from prompts import fit_prompts
    from recipe import ARCHITECTURES, DECODER_SETTINGS, SETTINGS, TISSUE_SCHEDULE
    from structures import structures
    from tissue import fit_tissue

    image_file, label_file = resource_path("Demo/itk_t1.nii.gz"), resource_path("Demo/itk_t1_samseg.nii.gz")
    heads = load_heads({"itk": (image_file, label_file)})
    short = {"steps": 200, "warmup_steps": 20, "decay_steps": 100, "validate_every": 200, "learning_rate": 3e-3}
    fit_tissue(heads, dataclasses.replace(TISSUE_SCHEDULE, **short), tmp_path, ARCHITECTURES[backbone])
    short = {"warmup_steps": 10, "validate_every": 1000, "checkpoint_every": 1000}
    schedules = (
        dataclasses.replace(DECODER_SETTINGS, steps=100, **short),
        dataclasses.replace(SETTINGS, steps=140, learning_rate=1e-3, **short),
    )
    text = resource_path("Models/demo/text")
    fit_prompts(heads, tmp_path / "tissue.pt", text, tmp_path, ARCHITECTURES[backbone], schedules)

    queries = TextQueries.load(text / "encoder.safetensors", text)
    description = ModelDescription(backbone, WINDOW, SPACING_MM, ("RAS",))
    labels = [(name, "mri") for name in LARGE]
    export_model(tmp_path / "whole/last.pth", queries, tmp_path / "model", description, labels)
    image, codes = read_scan(image_file), read_scan(label_file).array
    results = Segmenter.load(tmp_path / "model", device="cpu").segment(image, [Prompt(name, "mri") for name in LARGE])
    parts = {structure.name: structure.labels for structure in structures()}
    found = {}
    for name, result in zip(LARGE, results, strict=True):
        target = np.isin(codes, parts[name])
        shared = np.count_nonzero(target & result.whole_mask(target.shape))
        found[name] = 2 * shared / (np.count_nonzero(target) + result.voxels)
    print(f"{backbone}:", ", ".join(f"{name} {score:.2f}" for name, score in found.items()))  # shown by pytest -rP
    assert min(found.values()) > 0.5
