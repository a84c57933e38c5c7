"""A released U-Mamba or SwinUNETR is converted, planned and run as any other model."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from helpers.models import queries
from helpers.seeded import manifest, write_released
from SATSegmentLib.inference import plan
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.sat.checkpoint.convert import convert
from SATSegmentLib.types import Image

WINDOW = (32, 32, 32)


@pytest.mark.parametrize("name", ["umamba", "swinunetr"])
def test_a_converted_network_segments(name, tmp_path):
    file = write_released(tmp_path / f"{name}.pth", manifest(name)["keys"])
    convert(file, tmp_path / "model", ModelDescription(name, WINDOW))
    tensors = load_file(tmp_path / "model" / "network.safetensors")
    whole = {key for key, tensor in tensors.items() if tensor.dtype == torch.float32}
    assert whole == {key for key in tensors if "mamba_layers" in key}
    assert not any(tensor.dtype == torch.int64 for tensor in tensors.values())

    array = np.random.default_rng(0).normal(80, 30, (16, 40, 40)).astype(np.float32)
    image = Image(array, np.diag((1.0, 1.0, 3.0, 1.0)))
    segmenter = Segmenter.load(tmp_path / "model", device="cpu")
    plans = []
    masks = segmenter.segment_queries(image, queries(2), "mri", on_plan=plans.append)
    assert len(masks) == 2
    assert plans[0].precision == "float32"
    assert plans[0].peak_bytes > 0
    assert "may differ" not in str(plans[0])


@pytest.mark.parametrize("chosen", ["bfloat16", "auto"])
@pytest.mark.parametrize("name", ["umamba", "swinunetr"])
def test_half_precision_is_warned_of_where_masks_may_change_by_it(name, chosen, tmp_path, monkeypatch):
    file = write_released(tmp_path / f"{name}.pth", manifest(name)["keys"])
    convert(file, tmp_path / "model", ModelDescription(name, WINDOW))
    image = Image(
        np.random.default_rng(0).normal(80, 30, (16, 40, 40)).astype(np.float32), np.diag((1.0, 1.0, 3.0, 1.0))
    )
    with monkeypatch.context() as patch:
        patch.setattr(plan, "_free_bytes", lambda _: 0)  # so that "auto" takes half precision for want of memory
        segmenter = Segmenter.load(tmp_path / "model", device="cpu", precision=chosen)
    assert segmenter.precision == "bfloat16"
    plans = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        segmenter.segment_queries(image, queries(1), "mri", on_plan=plans.append)
    told = [str(one.message) for one in caught if "bfloat16" in str(one.message)]
    assert len(told) == (name == "umamba")
    assert ("may differ from those in float32" in str(plans[0])) == (name == "umamba")
