"""A number of a mask embedding that fell below the GELU's minimum can be learned again."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as looked_for
from hypothesis import strategies as st
from learning.segmentation.test_backbones_learn import SPECS
from learning.segmentation.toy_training import WINDOW, Cubes, settings, toy_queries

from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork
from SATSegmentLib.learning.segmentation.way_back import LEAST_AT, gelu_with_way_back

NUMBERS = st.lists(st.floats(-6, 4, width=32), min_size=1, max_size=20)


def gradient(function, values, wanted):
    values = values.clone().requires_grad_()
    (function(values) * wanted).sum().backward()
    return values.grad


def test_the_minimum_is_the_gelus():
    around = torch.linspace(-1, -0.5, 5001, dtype=torch.float64)
    assert abs(around[F.gelu(around).argmin()].item() - LEAST_AT) < 2e-4


@looked_for(deadline=None)  # PyTorch's first call takes its time
@given(NUMBERS)
def test_its_values_are_the_gelus(numbers):
    values = torch.tensor(numbers)
    assert torch.equal(gelu_with_way_back(values), F.gelu(values))


@looked_for(deadline=None)
@given(NUMBERS, st.sampled_from([-1.0, 0.0, 0.5]))
def test_its_gradient_is_the_gelus_but_for_what_lies_below_and_is_wanted_larger(numbers, wanted):
    values = torch.tensor(numbers)
    ours, true = (gradient(one, values, wanted) for one in (gelu_with_way_back, F.gelu))
    lost = (values < LEAST_AT) & (torch.tensor(wanted) < 0)
    torch.testing.assert_close(ours[~lost], true[~lost])
    assert (ours[lost] < 0).all()


def test_a_descent_finds_a_large_weight_from_below():
    def reached(function):
        value = torch.tensor([-2.0], requires_grad=True)
        for _ in range(200):
            value.grad = None
            (function(value) - 1).square().sum().backward()
            value.data -= 0.1 * value.grad
        return function(value).item()

    assert reached(F.gelu) < 0
    assert abs(reached(gelu_with_way_back) - 1) < 0.01


def test_a_swinunetr_is_trained_with_it_and_other_networks_as_they_were():
    for name, lost_ones_learn in (("swinunetr", True), ("umamba", False)):
        network = new_network(SPECS[name], WINDOW, seed=1)
        last = network.mask_embed_proj[2]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.fill_(-9.0)  # the GELU is flat to the last bit there
        sample = Cubes().sample(0)
        model = SupervisedNetwork(network, toy_queries(), settings(deep_supervision=False))
        loss, _ = model(sample.image[None], [sample.masks], [sample.prompts])
        loss.sum().backward()
        assert bool((last.bias.grad.abs() > 1e-12).any()) == lost_ones_learn, name
