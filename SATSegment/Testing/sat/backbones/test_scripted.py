"""Functions in TorchScript do what they do in Python, also where they cannot be compiled."""

from __future__ import annotations

import warnings

import pytest
import torch
from sat.backbones.test_strips import channels_last, unet

from SATSegmentLib.inference.memory import is_out_of_memory
from SATSegmentLib.sat.backbones.streaming import norm, slabs, sources, strips, winograd
from SATSegmentLib.sat.backbones.streaming.scripted import _compiled, scripted

FUNCTIONS = (
    (winograd, "_convolve"),
    (strips, "_read_strip"),
    (sources, "_read_pieces"),
    (norm, "_activate_pieces"),
    (slabs, "_add_lines"),
)


@pytest.mark.parametrize(("module", "name"), FUNCTIONS)
def test_what_a_window_takes_most_time_in_can_be_compiled(module, name):
    # Where it cannot, results are the same and nobody would see.
    assert isinstance(_compiled(getattr(module, name).__wrapped__), torch.jit.ScriptFunction)


@pytest.mark.parametrize(
    ("stored", "computed"),
    [(torch.float32, torch.float32), (torch.bfloat16, torch.float32), (torch.bfloat16, torch.bfloat16)],
)
def test_a_network_has_the_same_bits_where_its_functions_are_not_compiled(monkeypatch, stored, computed):
    monkeypatch.setattr(slabs, "compute_dtype", lambda *_: computed)
    # Where a CPU has no instructions for half precision, a convolution in it takes long.
    widths, sides = ((8, 8), (16, 24, 16)) if computed == torch.bfloat16 else ((32, 32, 48), (32, 48, 16))
    made, x = unet(*widths).to(stored), channels_last(1, *sides).to(stored)
    calls = []
    with torch.inference_mode():
        expected = made(x)
        for module, name in FUNCTIONS:
            plain = getattr(module, name).__wrapped__
            monkeypatch.setattr(module, name, lambda *args, name=name, plain=plain: calls.append(name) or plain(*args))
        seen = made(x)
    used = {"_read_strip", "_activate_pieces", "_add_lines"}
    assert set(calls) == (used if computed == torch.bfloat16 else used | {"_read_pieces", "_convolve"})
    assert all(torch.equal(one, two) for one, two in zip(seen, expected, strict=True))


@pytest.mark.parametrize("computed", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("firsts", [[0, 0], [1, 3]])
def test_a_concatenation_has_the_same_bits_where_it_is_not_compiled(firsts, computed):
    voxels = torch.Generator().manual_seed(0)
    sides = ((1, 16, 5, 7, 6), (4, 5, 3, 32), (2, 2, 32, 16), (16,))
    skip, *joined = (torch.randn(one, generator=voxels).to(computed) for one in sides)
    plain, *compiled = (torch.empty(1, 24, 5, 7, 6, dtype=computed) for _ in range(4))
    sources._read_pieces.__wrapped__([skip], [plain], [], joined, firsts, plain)
    for made in compiled:
        sources._read_pieces([skip], [made], [], joined, firsts, made)
    assert all(torch.equal(made, plain) for made in compiled)


@pytest.mark.parametrize("computed", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("firsts", [[0, 0], [1, 3]])
def test_a_projected_concatenation_has_the_same_bits_where_it_is_not_compiled(firsts, computed):
    voxels = torch.Generator().manual_seed(0)
    sides = ((5, 7, 6, 16), (16, 24), (4, 5, 3, 32), (2, 2, 32, 48))
    skip, kept, below, weight = (torch.randn(one, generator=voxels).to(computed) for one in sides)
    plain, *compiled = (torch.empty(5, 7, 6, 24, dtype=computed) for _ in range(4))
    sources._project.__wrapped__(skip, kept, below, weight, firsts, plain)
    for made in compiled:  # TorchScript optimises what it has seen called
        sources._project(skip, kept, below, weight, firsts, made)
    assert all(torch.equal(made, plain) for made in compiled)


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
