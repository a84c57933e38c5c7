"""Features belong to the very weights that made them: another network's, or older weights', are never used."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from helpers.models import queries, tiny_weights
from helpers.small_model import headLikeImage
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.identity import Weights
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.models.folder import ModelDescription
from SATSegmentLib.sat.checkpoint.released import build_network

WINDOW = (64, 64, 32)


def segmenter(cache: FeatureCache | None = None, change: float = 0.0, sha256: str = "") -> Segmenter:
    network = build_network(tiny_weights(), WINDOW)
    with torch.no_grad():
        for parameter in network.backbone.parameters():
            parameter.add_(change)
    return Segmenter(network, ModelDescription("tiny", WINDOW, network_sha256=sha256), device="cpu", cache=cache)


def masks(one: Segmenter) -> list[np.ndarray]:
    return [result.mask for result in one.segment_queries(headLikeImage(), queries(2), "mri")]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("sha256", ["", "a" * 64])
def test_two_networks_share_a_cache_but_never_features(sha256: str) -> None:
    cache = FeatureCache(1 << 30, 0)
    expected = masks(segmenter(change=0.02))
    first = segmenter(cache, sha256=sha256)
    plain = masks(first)
    del first
    gc.collect()  # its place in memory, and so its id, may go to the next one
    assert same(masks(segmenter(cache, change=0.02, sha256=sha256)), expected)
    assert not same(plain, expected)


def test_the_same_weights_share_features() -> None:
    cache = FeatureCache(1 << 30, 0)
    masks(segmenter(cache))
    plans = []
    segmenter(cache).segment_queries(headLikeImage(), queries(2), "mri", on_plan=plans.append)
    assert plans[0].to_encode == 0


@pytest.mark.parametrize("how", ["no_grad", "data", "load_state_dict"])
def test_weights_that_were_changed_in_place_give_new_features(how: str) -> None:
    expected = masks(segmenter(change=0.02))
    one = segmenter()
    before = masks(one)
    backbone = one.network.backbone
    if how == "load_state_dict":
        backbone.load_state_dict({name: value + 0.02 for name, value in backbone.state_dict().items()})
    elif how == "data":
        for parameter in backbone.parameters():
            parameter.data += 0.02
    else:
        with torch.no_grad():
            for parameter in backbone.parameters():
                parameter.add_(0.02)
    assert same(masks(one), expected)
    assert not same(before, expected)


def test_a_digest_is_of_the_content() -> None:
    network = build_network(tiny_weights(), WINDOW)
    digest = Weights(network).digest
    assert Weights(build_network(tiny_weights(), WINDOW)).digest == digest
    with torch.inference_mode():
        made = build_network(tiny_weights(), WINDOW)  # its tensors have no count of changes
    assert Weights(made).digest == digest
    known = Weights(network, known="of the file")
    assert known.digest == "of the file"
    next(network.parameters()).data.add_(1)
    assert known.digest not in ("of the file", digest)


def test_a_model_that_was_replaced_under_a_warm_engine_is_loaded_anew(tmp_path) -> None:
    import dataclasses
    import shutil

    from helpers.small_model import makeModel
    from SATSegmentLib.engine.api import RunOptions, SegmentRequest
    from SATSegmentLib.engine.local import LocalEngine
    from SATSegmentLib.models.folder import DESCRIPTION_FILE, read_description

    model = makeModel(tmp_path)
    engine = LocalEngine()
    request = SegmentRequest.of(headLikeImage(), "brainstem", RunOptions(str(model), "cpu"), "mri")
    assert engine.segment(request).model.name == "Tiny"
    other = tmp_path / "other"
    shutil.copytree(model, other)
    description = dataclasses.replace(read_description(other), name="Another")
    (other / DESCRIPTION_FILE).write_text(description.to_json())
    shutil.rmtree(model)
    other.rename(model)
    assert engine.segment(request).model.name == "Another"
    engine.close()


@pytest.mark.parametrize("gone", [False, True])
def test_a_model_that_is_replaced_while_it_is_loaded_is_loaded_anew_and_one_that_goes_is_said_to_be_gone(
    tmp_path, monkeypatch, gone
) -> None:
    import dataclasses
    import shutil

    from helpers.small_model import makeModel
    from SATSegmentLib.engine.api import RunOptions, SegmentRequest
    from SATSegmentLib.engine.local import LocalEngine
    from SATSegmentLib.errors import ModelNotFound
    from SATSegmentLib.inference import segmenter
    from SATSegmentLib.models.folder import DESCRIPTION_FILE, read_description

    model = makeModel(tmp_path)
    new = tmp_path / "new"
    shutil.copytree(model, new)
    # The old folder's description belongs to another network than the new folder's.
    old = dataclasses.replace(read_description(model), name="Old", network_file_sha256="1" * 64)
    (model / DESCRIPTION_FILE).write_text(old.to_json())
    load = segmenter.load_network

    def replaced(folder, description):
        if description.name == "Old":
            shutil.rmtree(model)
            if not gone:
                new.rename(model)
        return load(folder, description)

    monkeypatch.setattr(segmenter, "load_network", replaced)
    engine = LocalEngine()
    request = SegmentRequest.of(headLikeImage(), "brainstem", RunOptions(str(model), "cpu"), "mri")
    if gone:
        with pytest.raises(ModelNotFound, match="There is no model"):
            engine.segment(request)
    else:
        assert engine.segment(request).model.name == "Tiny"
    engine.close()
