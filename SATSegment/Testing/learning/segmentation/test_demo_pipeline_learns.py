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
# Tens of millilitres and more, on both sides or in the middle.
LARGE = ("brain", "white matter", "grey matter", "cerebellum", "left cerebellum", "right cerebellum")


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("nibabel")
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@pytest.mark.long
@pytest.mark.parametrize("backbone", ["unet", "umamba", "swinunetr"])
def test_a_few_minutes_of_training_find_the_large_structures(pipeline, backbone, tmp_path, capsys):
    from heads import load_heads
    from prompts import fit_prompts
    from recipe import ARCHITECTURES, DECODER_SETTINGS, SETTINGS, SPACING_MM, TISSUE_SCHEDULE, WINDOW
    from structures import structures
    from tissue import fit_tissue

    image_file, label_file = resource_path("Demo/itk_t1.nii.gz"), resource_path("Demo/itk_t1_samseg.nii.gz")
    heads = load_heads({"itk": (image_file, label_file)})
    schedule = dataclasses.replace(TISSUE_SCHEDULE, steps=240, warmup_steps=20, decay_steps=120, validate_every=120)
    fit_tissue(heads, schedule, tmp_path, ARCHITECTURES[backbone])
    short = {"warmup_steps": 10, "validate_every": 1000, "checkpoint_every": 1000}
    schedules = (
        dataclasses.replace(DECODER_SETTINGS, steps=120, **short),
        dataclasses.replace(SETTINGS, steps=80, **short),
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
    with capsys.disabled():
        print(f"\n{backbone}:", ", ".join(f"{name} {score:.2f}" for name, score in found.items()))
    assert min(found.values()) > 0.5
