"""U-Mamba and SwinUNETR give what a plain float64 implementation gives, at other widths, windows and seeds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers.live_bytes import LiveBytes
from helpers.plain_backbones import plain_encoding, plain_mamba
from SATSegmentLib.sat import workers
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.streaming import residual
from SATSegmentLib.sat.backbones.swinunetr import transformer
from SATSegmentLib.sat.backbones.swinunetr.cost import transformer_bytes
from SATSegmentLib.sat.backbones.swinunetr.spec import SwinUNETRSpec
from SATSegmentLib.sat.backbones.umamba import mamba, scan
from SATSegmentLib.sat.backbones.umamba.mamba import Mamba, MambaLayer, layer_bytes
from SATSegmentLib.sat.backbones.umamba.spec import UMambaSpec
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.released import build_network, check_network, released_state
from SATSegmentLib.sat.network import SATNetwork

# As for the golden numbers: 1e-3 of the standard deviation. (Found: below 1e-4.)
RELATIVE = 1e-3
HEAD = {"query_dim": 24, "projection_dim": 20, "decoder_layers": 1, "feedforward_dim": 16, "mask_dim": 12}
TWO = (2, 2, 2)
# Widths, window and seed; windows of unequal sides, so that no axis can stand for another.
CASES: dict[str, tuple[Spec, tuple[int, int, int], int]] = {
    "umamba": (
        UMambaSpec(features=(4, 4, 6, 8), strides=((1, 1, 1), TWO, TWO, TWO), mamba_layers=3, **HEAD),
        (24, 16, 32),
        1,
    ),
    "umamba, wide and shallow": (
        UMambaSpec(features=(8, 12, 20), strides=((1, 1, 1), TWO, TWO), mamba_layers=1, **HEAD),
        (12, 20, 8),
        2,
    ),
    "umamba, uneven strides": (
        UMambaSpec(features=(4, 6, 8), strides=((1, 1, 1), (2, 2, 1), (2, 1, 2)), mamba_layers=2, **HEAD),
        (16, 12, 10),
        3,
    ),
    # Grids of 18 x 8 x 9 and 9 x 4 x ...: padded windows, shifts on some axes only, windows smaller than 7.
    "swinunetr": (SwinUNETRSpec(feature_size=6, depths=(2, 2), heads=(3, 2), **HEAD), (40, 16, 24), 4),
    "swinunetr, one stage": (SwinUNETRSpec(feature_size=4, depths=(2,), heads=(1,), **HEAD), (12, 36, 20), 5),
    "swinunetr, three blocks": (SwinUNETRSpec(feature_size=4, depths=(3, 1), heads=(2, 4), **HEAD), (24, 24, 8), 6),
}


def random_network(spec: Spec, window: tuple[int, int, int], seed: int) -> tuple[SATNetwork, dict[str, torch.Tensor]]:
    """A network with weights that no training would start from, and its tensors as a released file holds them."""
    random = torch.Generator().manual_seed(seed)
    network = SATNetwork(spec, window)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            drawn = torch.randn(tensor.shape, generator=random)
            if name.endswith("A_log"):
                tensor.copy_(torch.rand(tensor.shape, generator=random) * 3)
            elif name.endswith("x_proj.weight"):
                tensor.copy_(0.3 * drawn / tensor.shape[1] ** 0.5)
            elif tensor.ndim > 1:
                tensor.copy_(drawn * (2 / tensor[0].numel()) ** 0.5)
            else:
                tensor.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * drawn)
    state = {key.removeprefix("module."): tensor for key, tensor in released_state(network, {}).items()}
    return build_network(check_network(dict(state), "made", sha256=""), window), state


@pytest.mark.parametrize("name", list(CASES))
def test_tokens_and_features_are_those_of_a_plain_implementation(name):
    spec, window, seed = CASES[name]
    network, state = random_network(spec, window, seed)
    seen = torch.randn(2, 1, *window, generator=torch.Generator().manual_seed(seed + 100))
    _, finest, tokens = plain_encoding(state, seen)
    for gradients in (True, False):  # layer by layer, and slab by slab
        with torch.set_grad_enabled(gradients):
            ours = network.encode(seen)
        assert_close(ours.tokens, tokens)
        assert_close(ours.voxels, finest)


@pytest.mark.parametrize("name", ["umamba, uneven strides", "swinunetr, one stage"])
def test_any_number_of_threads_gives_the_same_bits(name, monkeypatch):
    # As many pieces as possible.
    monkeypatch.setattr(residual, "_PIECE_BYTES", 1)
    monkeypatch.setattr(mamba, "_PIECE", 64)
    monkeypatch.setattr(scan, "_AT_ONCE", 1)
    monkeypatch.setattr(transformer, "SCORES", 1 << 14)
    monkeypatch.setattr(workers, "cores", lambda: 4)
    spec, window, seed = CASES[name]
    network, _ = random_network(spec, window, seed)
    seen = torch.randn(1, 1, *window, generator=torch.Generator().manual_seed(seed))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            with torch.inference_mode():
                found.append(network.backbone(seen))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


@settings(deadline=None, max_examples=12)
@given(
    kind=st.sampled_from(["unet", "umamba", "swinunetr"]),
    width=st.integers(3, 14),
    cells=st.tuples(*[st.integers(2, 5)] * 3),
    stored=st.sampled_from([torch.float32, torch.bfloat16]),
)
@example("swinunetr", 5, (3, 5, 4), torch.float32)
@example("swinunetr", 10, (3, 5, 4), torch.bfloat16)
@example("umamba", 7, (3, 5, 4), torch.float32)
@example("unet", 6, (3, 5, 4), torch.float32)
def test_tokens_features_and_mask_embeddings_of_any_width_do_not_depend_on_threads(kind, width, cells, stored):
    """PyTorch's own convolutions and products of most widths do, in their last bits."""
    widths, strides = (width, width + 2, width + 3), ((1, 1, 1), TWO, TWO)
    spec = {
        "unet": UNetSpec(features=widths, strides=strides, encoder_convs=(1,) * 3, decoder_convs=(1, 1), **HEAD),
        "umamba": UMambaSpec(features=widths, strides=strides, mamba_layers=1, **HEAD),
        "swinunetr": SwinUNETRSpec(feature_size=width, depths=(2,), heads=(1,), **HEAD),
    }[kind]
    window = tuple(step * count for step, count in zip(spec.downsampling, cells, strict=True))
    network = SATNetwork(spec, window).settle(torch.device("cpu"), stored)
    random = torch.Generator().manual_seed(width)
    seen, queries = torch.randn(1, 1, *window, generator=random), torch.randn(19, 24, generator=random)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
                patch.setattr(workers, "cores", lambda: 4)
                patch.setattr(transformer, "SCORES", 1 << 12)
                features = network.encode(seen)
                found.append((features.tokens, features.voxels, network.embed_masks(features.tokens, queries)))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


@pytest.mark.parametrize(("length", "width", "seed"), [(1, 8, 0), (2, 16, 1), (3, 33, 2), (700, 8, 3)])
def test_a_mamba_block_is_a_loop_over_its_sequence(length, width, seed):
    random = torch.Generator().manual_seed(seed)
    block = Mamba(width)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=random))
    sequence = torch.randn(length, width, generator=random)
    expected = plain_mamba({key: one.double() for key, one in block.state_dict().items()}, sequence.double())
    with torch.inference_mode():
        ours = block(sequence)
    assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("width", "window"), [(4, (8, 8, 16)), (32, (16, 16, 32)), (128, (8, 8, 16)), (256, (9, 9, 3))]
)
def test_a_mamba_layers_memory_is_what_is_planned(width, window):
    layer = MambaLayer(width).requires_grad_(False)
    voxels = torch.randn(1, width, *window)
    held = [voxels, *layer.state_dict().values()]
    with torch.inference_mode(), LiveBytes(held) as live:
        layer(voxels)
    taken = live.peak - sum(one.nbytes for one in held)
    assert 1 / 1.5 <= taken / layer_bytes(width, math.prod(window), 1) <= 1.05


def test_mamba_layers_on_the_finest_map_are_planned_for():
    spec, window = UMambaSpec(features=(8, 8), strides=((1, 1, 1), TWO), mamba_layers=2, **HEAD), (32, 32, 32)
    backbone = spec.build().requires_grad_(False)
    seen = torch.randn(1, 1, *window)
    with torch.inference_mode(), LiveBytes([seen, *backbone.state_dict().values()]) as live:
        backbone(seen)
    assert live.peak <= 1.05 * spec.encode_bytes(window, torch.float32, torch.device("cpu"))


def test_a_transformer_of_half_precision_is_planned_as_it_is_computed():
    spec, window = SwinUNETRSpec(feature_size=48, depths=(2, 1), heads=(3, 6), **HEAD), (48, 48, 32)
    backbone = spec.build().requires_grad_(False).bfloat16()
    held = [*backbone.state_dict().values(), seen := torch.randn(1, *window)]
    with torch.inference_mode(), LiveBytes(held) as live:
        backbone._transform(seen, torch.float32)
    taken = live.peak - sum(one.nbytes for one in held)
    assert 1 / 1.5 <= taken / transformer_bytes(spec, window, torch.bfloat16, 1) <= 1.05


def assert_close(ours: torch.Tensor, plain: torch.Tensor) -> None:
    assert ours.shape == plain.shape
    assert (ours.detach().double() - plain).abs().max() <= RELATIVE * plain.std()
