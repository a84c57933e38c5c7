"""What can be trained can be read again: a new network survives the released layout, or is refused before it starts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.learning.segmentation.errors import ConfigError
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.sat.backbone import COPIES, Spec
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.released import check_network, released_state

_HEAD = {"query_dim": 8, "projection_dim": 4, "decoder_layers": 1, "feedforward_dim": 4, "mask_dim": 4}
_HALVED = ((1, 1, 1), (2, 2, 2))


def unet(**changes) -> UNetSpec:
    usual = {"features": (3, 4), "strides": _HALVED, "encoder_convs": (1, 2), "decoder_convs": (1,)}
    return UNetSpec(**{**_HEAD, **usual, **changes})


def umamba(**changes) -> UMambaSpec:
    return UMambaSpec(**{**_HEAD, "features": (3, 4), "strides": _HALVED, "mamba_layers": 1, **changes})


def swinunetr(**changes) -> SwinUNETRSpec:
    return SwinUNETRSpec(**{**_HEAD, "feature_size": 2, "depths": (1,), "heads": (1,), **changes})


def check_round_trip(architecture: Spec) -> None:
    network = new_network(architecture, architecture.downsampling)
    written = {key.removeprefix("module."): tensor for key, tensor in released_state(network, {}).items()}
    again = check_network(written, "written.pth", sha256="")
    assert again.architecture == architecture
    state = network.state_dict()
    assert set(again.tensors) == set(state)
    assert all(torch.equal(again.tensors[key], tensor) for key, tensor in state.items())


_steps = st.tuples(*[st.integers(1, 3)] * 3)
_count = st.integers(1, 3)


@st.composite
def architectures(draw) -> Spec:
    head = {**_HEAD, "decoder_layers": draw(_count)}
    if draw(st.booleans()):
        stages = draw(st.integers(1, 2))
        size = draw(st.integers(1, 6))
        heads = [
            draw(st.sampled_from([one for one in range(1, 7) if (size << stage) % one == 0])) for stage in range(stages)
        ]
        depths = tuple(draw(_count) for _ in range(stages))
        return SwinUNETRSpec(**head, feature_size=size, depths=depths, heads=tuple(heads))
    stages = draw(st.integers(2, 3))
    common = {
        "features": tuple(draw(st.lists(st.integers(1, 20), min_size=stages, max_size=stages))),
        "strides": ((1, 1, 1), *(draw(_steps) for _ in range(stages - 1))),
    }
    if draw(st.booleans()):
        return UMambaSpec(**head, **common, mamba_layers=draw(st.integers(0, stages)))
    convs = {"encoder_convs": stages, "decoder_convs": stages - 1}
    return UNetSpec(**head, **common, **{key: tuple(draw(_count) for _ in range(n)) for key, n in convs.items()})


@settings(max_examples=12, deadline=None)
@given(architectures())
def test_networks_of_any_size_are_read_as_they_were_written(architecture):
    check_round_trip(architecture)


@pytest.mark.parametrize("size", [1, 2, COPIES])
def test_a_swinunetr_as_wide_as_its_input_is_written_and_gives_the_same_without_gradients(size):
    # A file's first block reads three copies of the image: its skip has a convolution unless three channels come out.
    architecture = swinunetr(feature_size=size)
    check_round_trip(architecture)
    network = new_network(architecture, (8, 8, 8), seed=1).eval()
    assert hasattr(network.backbone.encoder.blocks[0], "conv3") == (size != COPIES)
    window = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    layer_by_layer = network.encode(window)
    with torch.inference_mode():
        streamed = network.encode(window)
    torch.testing.assert_close(streamed.voxels, layer_by_layer.voxels.detach(), rtol=1e-4, atol=1e-4)


def test_three_copies_of_the_image_go_past_the_first_block_where_it_has_three_channels():
    network = new_network(swinunetr(feature_size=COPIES), (8, 8, 8), seed=1)
    block = network.backbone.encoder.blocks[0]
    window = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    y = block.conv2.normalised(block.conv1(window))
    copies = window.expand(1, COPIES, 8, 8, 8)
    torch.testing.assert_close(block(window), torch.nn.functional.leaky_relu(y + copies, 0.01))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    "architecture",
    [
        unet(strides=((2, 2, 2), (2, 2, 2))),
        unet(strides=((1, 1, 1), (0, 2, 2))),
        unet(features=(3, 4, 5)),
        unet(features=(3,), strides=((1, 1, 1),), encoder_convs=(1,), decoder_convs=()),
        unet(features=(3, 0)),
        unet(features=(3, -2)),
        unet(encoder_convs=(0, 2)),
        unet(decoder_convs=(0,)),
        unet(query_dim=12),
        unet(mask_dim=0),
        unet(decoder_layers=0),
        umamba(strides=((2, 2, 2), (2, 2, 2))),
        umamba(mamba_layers=3),
        umamba(mamba_layers=-1),
        swinunetr(depths=(), heads=()),
        swinunetr(depths=(1, 0), heads=(1, 1)),
        swinunetr(depths=(1, 1)),
        swinunetr(heads=(3,)),
        swinunetr(heads=(0,)),
    ],
    ids=str,
)
def test_what_could_not_be_read_again_is_refused_before_the_first_step(architecture):
    with pytest.raises(ConfigError):
        new_network(architecture, (8, 8, 8))


def test_a_refusal_names_what_would_be_read_otherwise():
    with pytest.raises(ConfigError, match=r"strides \(\(2, 2, 2\), \(2, 2, 2\)\) would be read as \(\(1, 1, 1\)"):
        new_network(unet(strides=((2, 2, 2), (2, 2, 2))), (8, 8, 8))
