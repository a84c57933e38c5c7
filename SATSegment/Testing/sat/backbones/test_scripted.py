"""Functions in TorchScript do what they do in Python, also where they cannot be compiled."""

from __future__ import annotations

import warnings

import pytest
import torch
from sat.backbones.test_strips import channels_last, unet

from SATSegmentLib.inference.memory import is_out_of_memory
from SATSegmentLib.sat.backbones.streaming import norm, sources, winograd
from SATSegmentLib.sat.backbones.streaming.scripted import scripted


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_a_network_has_the_same_bits_where_its_functions_are_not_compiled(monkeypatch, stored):
    made, x = unet(32, 32, 48).to(stored), channels_last(1, 32, 48, 16).to(stored)
    calls = []
    with torch.inference_mode():
        expected = made(x)
        for module, name in ((winograd, "_multiply"), (sources, "_join"), (norm, "_activate")):
            plain = getattr(module, name).__wrapped__
            monkeypatch.setattr(module, name, lambda *args, name=name, plain=plain: calls.append(name) or plain(*args))
        seen = made(x)
    assert set(calls) == {"_multiply", "_join", "_activate"}
    assert all(torch.equal(one, two) for one, two in zip(seen, expected, strict=True))


def test_a_function_is_compiled_once_and_without_a_warning():
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x + x

    made = scripted(twice)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(torch.ones(3)).tolist() == [2, 2, 2]


def test_a_function_without_its_source_is_called_as_it_is():
    names: dict[str, object] = {"Tensor": torch.Tensor}
    exec("def twice(x: Tensor) -> Tensor:\n    return x + x", names)
    assert scripted(names["twice"])(torch.ones(3)).tolist() == [2, 2, 2]


def test_what_a_function_runs_out_of_is_told_apart():
    def spread(x: torch.Tensor, times: int) -> torch.Tensor:
        return x.expand(times, times).contiguous()

    made = scripted(spread)
    with pytest.raises(RuntimeError) as memory:
        made(torch.ones(1), 1 << 22)
    with pytest.raises(RuntimeError) as shape:
        made(torch.ones(3), 2)
    assert is_out_of_memory(memory.value)
    assert not is_out_of_memory(shape.value)
