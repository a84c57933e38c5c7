"""The selective scan gives what a loop in float64 gives, at any length and any size of its steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.sat.backbones.umamba.scan import selective_scan


def problem(length: int, channels: int, states: int, step: float, seed: int = 0) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    rates = torch.arange(1, states + 1, dtype=torch.float32) * (1 + 0.1 * normal(channels, states)).abs()
    steps = step * torch.rand(length, channels, generator=random)
    return normal(length, channels), steps, -rates, normal(length, states), normal(length, states)


def loop(x: torch.Tensor, steps: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    x, steps, a, b, c = (one.double() for one in (x, steps, a, b, c))
    state, outputs = torch.zeros_like(a), []
    for t in range(len(x)):
        state = torch.exp(steps[t, :, None] * a) * state + (steps[t] * x[t])[:, None] * b[t]
        outputs.append(state @ c[t])
    return torch.stack(outputs)


@pytest.mark.parametrize("step", [1e-5, 1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("length", [4096, 16_384])
def test_long_sequences_are_exact_whatever_their_steps(length, step):
    sequence = problem(length, 2, 16, step)
    expected = loop(*sequence)
    with torch.inference_mode():
        ours = selective_scan(*sequence)
    assert ours.isfinite().all()
    assert (ours - expected).abs().max() <= 1e-5 * expected.std()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 5), st.integers(1, 16), st.floats(1e-4, 5), st.integers(0, 99))
def test_sequences_of_any_length_are_exact(length, channels, states, step, seed):
    sequence = problem(length, channels, states, step, seed)
    with torch.inference_mode():
        ours = selective_scan(*sequence)
    torch.testing.assert_close(ours.double(), loop(*sequence), rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_the_loop():
    mine = [one.clone().requires_grad_() for one in problem(70, 3, 4, 0.5)]
    theirs = [one.clone().double().requires_grad_() for one in problem(70, 3, 4, 0.5)]
    weights = torch.randn(70, 3, generator=torch.Generator().manual_seed(9))
    (selective_scan(*mine) * weights).sum().backward()
    (loop(*theirs) * weights).sum().backward()
    for ours, expected in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours.grad.double(), expected.grad, rtol=1e-4, atol=1e-4)
