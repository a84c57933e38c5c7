"""What a training writes is a released checkpoint; what it starts from may be one."""

from __future__ import annotations

import pytest
import torch
from learning.segmentation.toy_training import ARCHITECTURE, WINDOW, Cubes, settings, toy_network, toy_queries

from helpers.models import TINY_WINDOW, tiny_weights
from helpers.seeded import manifest, write_released
from SATSegmentLib.learning.saving import save_atomically
from SATSegmentLib.learning.segmentation.checkpoint import read_start
from SATSegmentLib.learning.segmentation.loss import prompt_losses
from SATSegmentLib.learning.segmentation.queries import LabelQueries
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec
from SATSegmentLib.sat.checkpoint.released import build_network, read_network, released_state
from SATSegmentLib.sat.network import SATNetwork


def written(model: SupervisedNetwork) -> dict[str, torch.Tensor]:
    return released_state(model.network, model.mid_mask_embed_proj.state_dict())


@pytest.mark.parametrize(
    ("name", "preset", "deep"), [("sat_nano", "nano", True), ("sat_pro", "pro", True), ("tiny", "", False)]
)
def test_written_names_and_shapes_are_the_released_ones(name, preset, deep):
    keys = {key: tuple(shape) for key, shape in manifest(name)["keys"].items()}
    read_off = UNetSpec.from_shapes({key.removeprefix("module."): shape for key, shape in keys.items()})
    assert read_off == NAMED_SPECS.get(preset, read_off)
    with torch.device("meta"):
        queries = LabelQueries([("liver", "ct")], torch.zeros(1, read_off.query_dim), trained=False)
        network = SATNetwork(read_off, read_off.downsampling)
        state = written(SupervisedNetwork(network, queries, settings(deep_supervision=deep)))
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == keys


def test_written_network_is_read_back_to_the_last_bit(tmp_path):
    model = SupervisedNetwork(toy_network(), toy_queries(), settings())
    content = {"step": 1, "model_state_dict": written(model), "optimizer_state_dict": {}}
    save_atomically(content, tmp_path / "last.pth")

    weights = read_network(tmp_path / "last.pth")
    assert weights.architecture == ARCHITECTURE
    own = model.network.state_dict()
    assert all(torch.equal(own[key], tensor) for key, tensor in weights.tensors.items())
    network = build_network(weights, WINDOW)
    window = torch.randn(1, 1, *WINDOW)
    queries = model.queries.vectors.detach()
    with torch.no_grad():
        model.eval()
        expected = model.network.decode(model.network.encode(window), queries)
        assert torch.equal(network.decode(network.encode(window), queries), expected)


def test_stem_of_the_written_file_gives_the_same_for_three_copies_of_the_image():
    model = SupervisedNetwork(toy_network(), toy_queries(), settings())
    stem = written(model)["module.backbone.encoder.stages.0.0.convs.0.conv.weight"]
    assert stem.shape[1] == 3
    image = torch.randn(1, 1, *WINDOW)
    ours = model.network.backbone.encoder.stages[0][0].convs[0].conv
    threefold = torch.conv3d(image.expand(-1, 3, -1, -1, -1), stem, ours.bias, padding=1)
    torch.testing.assert_close(threefold, ours(image))


def test_training_heads_of_a_released_file_are_taken_up(tmp_path):
    keys = dict(manifest("tiny")["keys"])
    architecture = tiny_weights().architecture
    queries = LabelQueries([("liver", "ct")], torch.zeros(1, 48), trained=False)
    network = SATNetwork(architecture, TINY_WINDOW)
    fresh = SupervisedNetwork(network, queries, settings())
    keys |= {
        f"module.mid_mask_embed_proj.{key}": list(tensor.shape)
        for key, tensor in fresh.mid_mask_embed_proj.state_dict().items()
    }
    start = read_start(write_released(tmp_path / "tiny.pth", keys))
    model = SupervisedNetwork(build_network(start.weights, TINY_WINDOW), queries, settings(), start.heads)
    state = written(model)
    again = read_start(write_released(tmp_path / "again.pth", keys))
    for key, tensor in again.heads.items():
        assert torch.equal(state[f"module.mid_mask_embed_proj.{key}"], tensor)
    assert model.network.mask_embed_proj[0].weight.requires_grad


def test_loss_of_all_levels_is_the_weighted_mean_of_each():
    model = SupervisedNetwork(toy_network(), toy_queries(), settings()).eval()
    flat = SupervisedNetwork(model.network, model.queries, settings(deep_supervision=False)).eval()
    sample = Cubes().sample(0)
    arguments = (sample.image[None], [sample.masks], [sample.prompts])
    whole, finest = model(*arguments)
    alone, same = flat(*arguments)
    # One coarser level: weights 1 and 1/2, normalised.
    torch.testing.assert_close(finest, same)
    torch.testing.assert_close(alone.detach(), same)
    coarser = (whole - finest * 2 / 3) * 3
    assert 0 < coarser.item() < 5
    head = model.mid_mask_embed_proj[0]
    with torch.no_grad():
        head[2].bias.fill_(-50.0)  # the GELU of which is nothing: logits of zero
        head[2].weight.zero_()
        changed, _ = model(*arguments)
    target = torch.nn.functional.avg_pool3d(sample.masks.float(), 2).flatten(1)
    expected = prompt_losses(torch.zeros_like(target), target, model._smoothing).mean()
    torch.testing.assert_close((changed - finest * 2 / 3) * 3, expected[None])
