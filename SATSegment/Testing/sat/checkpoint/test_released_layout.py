"""A network that is written in the released layout and read again is the same, whatever its backbone."""

from __future__ import annotations

import pytest
import torch

from helpers.seeded import manifest, seeded_state
from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.sat.backbones.registry import BACKBONES, NAMED_SPECS, kind_of_file, kind_of_spec
from SATSegmentLib.sat.checkpoint.released import build_network, check_network, released_state

# A narrow network of each backbone, in the released layout.
NARROW = {"unet": "tiny", "umamba": "umamba", "swinunetr": "swinunetr"}


def without_prefix(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}


def test_every_backbone_has_a_narrow_network_here():
    assert {kind.name for kind in BACKBONES} == set(NARROW)


@pytest.mark.parametrize("kind", BACKBONES, ids=lambda kind: kind.name)
def test_written_and_read_again_a_network_is_the_same_to_the_last_bit(kind):
    state = without_prefix(seeded_state(manifest(NARROW[kind.name])["keys"]))
    assert kind_of_file(state.keys()) is kind
    weights = check_network(dict(state), "released", sha256="")
    assert isinstance(weights.architecture, kind.spec)
    network = build_network(weights, weights.architecture.downsampling)

    written = released_state(network, {})
    needed = {key for key in state if not key.startswith("mid_mask_embed_proj.")}
    assert set(without_prefix(written)) == needed
    assert {key: tensor.shape for key, tensor in without_prefix(written).items()} == {
        key: state[key].shape for key in needed
    }
    again = check_network(without_prefix(written), "written", sha256="")
    assert again.architecture == weights.architecture
    assert set(again.tensors) == set(weights.tensors)
    assert all(torch.equal(again.tensors[key], tensor) for key, tensor in weights.tensors.items())


@pytest.mark.parametrize("kind", BACKBONES, ids=lambda kind: kind.name)
def test_what_a_network_holds_itself_is_read_too(kind):
    # Converted model folders hold that: no duplicates, first convolutions for one channel.
    state = without_prefix(seeded_state(manifest(NARROW[kind.name])["keys"]))
    weights = check_network(state, "released", sha256="")
    again = check_network(dict(weights.tensors), "converted", sha256="")
    assert again.architecture == weights.architecture
    assert all(torch.equal(again.tensors[key], tensor) for key, tensor in weights.tensors.items())


@pytest.mark.parametrize("kind", ["unet", "umamba"])
def test_a_file_that_lacks_some_second_copies_is_refused(kind):
    state = without_prefix(seeded_state(manifest(NARROW[kind])["keys"]))
    lacking = next(key for key in state if ".decoder.stages." in key and ".all_modules.1." in key)
    del state[lacking]
    with pytest.raises(IncompleteCheckpoint, match=f"{lacking} is missing"):
        check_network(state, "damaged", sha256="")


@pytest.mark.parametrize("kind", BACKBONES, ids=lambda kind: kind.name)
def test_all_that_a_file_lacks_is_told_at_once(kind):
    state = without_prefix(seeded_state(manifest(NARROW[kind.name])["keys"]))
    told_by_shape = ["projection_layer.0.weight", "mask_embed_proj.0.weight", "projection_layer.2.weight"]
    for lacking in (told_by_shape, ["mask_embed_proj.0.bias", "query_proj.bias", "projection_layer.0.bias"]):
        left = {key: tensor for key, tensor in state.items() if key not in lacking}
        told = [f"{key} is missing" for key in lacking if key in state]
        with pytest.raises(IncompleteCheckpoint) as refused:
            check_network(left, "damaged", sha256="")
        assert all(one in refused.value.message for one in told)


@pytest.mark.parametrize("name", list(NAMED_SPECS))
def test_names_of_released_widths_are_of_their_backbone(name):
    spec = NAMED_SPECS[name]
    assert kind_of_spec(spec).named[name] is spec
    with torch.device("meta"):
        backbone = spec.build()
        assert len(list(backbone.parameters())) > 0
    assert spec.encode_macs((288, 288, 96)) > 1e11
    assert spec.encode_bytes((288, 288, 96), torch.float32, torch.device("cpu")) > 1e9
    assert len(spec.supervised_levels) >= 3
