"""The loss is what it says, and so is its gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.learning.segmentation.loss import prompt_losses


def plain(logits, target, smoothing):
    """The formula, left to automatic differentiation."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    probability = logits.sigmoid()
    overlap = (probability * target).sum(1)
    total = (probability**2).sum(1) + (target**2).sum(1)
    return entropy + 1 - (2 * overlap + smoothing) / (total + smoothing)


@settings(deadline=None)
@given(
    st.integers(0, 2**31), st.sampled_from([1e-7, 1.0]), st.sampled_from([0.1, 3.0, 30.0]), st.sampled_from([0, 1, 2])
)
def test_loss_and_gradient_equal_the_plain_formula(seed, smoothing, size, kind):
    random = torch.Generator().manual_seed(seed)
    logits = size * torch.randn(3, 40, generator=random, dtype=torch.float64)
    shares = torch.rand(3, 40, generator=random, dtype=torch.float64)
    target = (shares, (shares > 0.7).double(), torch.zeros_like(shares))[kind]
    weights = torch.rand(3, generator=random, dtype=torch.float64)
    results = []
    for compute in (prompt_losses, plain):
        x = logits.clone().requires_grad_()
        loss = compute(x, target, smoothing)
        (loss * weights).sum().backward()
        results.append((loss.detach(), x.grad))
    torch.testing.assert_close(*(loss for loss, _ in results), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(*(gradient for _, gradient in results), rtol=1e-7, atol=1e-9)


def test_absent_prompt_is_pushed_away():
    logits = torch.zeros(1, 10, requires_grad=True)
    prompt_losses(logits, torch.zeros(1, 10), 1e-7).sum().backward()
    assert (logits.grad > 0).all()


def test_extreme_logits_give_finite_losses_and_gradients():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 90.0]], requires_grad=True)
    losses = prompt_losses(logits, torch.tensor([[1.0, 0, 0], [1, 0, 1]]), 1e-7)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad.isfinite().all()
    assert losses[1].item() == pytest.approx(2e4 / 3 + 1 - 2 / 4, rel=0.01)
