"""Fitting a word to examples: gradient descent on its vectors, with the network and the scans' features as they are.

What is fitted is the query that stands in place of a text's, and an offset of the mask embedding that the network makes
of it. The query alone can only reach what the mask projection was trained to reach; with the offset, any direction in
the finest feature map can be asked for (`Query.mask_embedding_offset`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.learning.teach.example import KINDS, ExampleView, Sample
from SATSegmentLib.sat.network import SATNetwork

_SMALL = 1e-6


@dataclass(frozen=True)
class Recipe:
    """How a word is fitted.

    Attributes
    ----------
    rounds : int
        At most so many; each draws a fresh sample of voxels.
    steps : int
        Of gradient descent (Adam) in a round.
    learning_rate : float
        Of Adam. The query goes in units of the start's root mean square, the offset in units of logits.
    l2 : float
        Weight of the mean square of how far the vectors have gone, in these units.
    patience : int
        Rounds without a better Dice after which the fit stops.
    min_delta : float
        What counts as better.
    inside, outside : int
        At most so many windows of a scan that hold the structure, and that do not.
    seed : int
        Of the samples.
    """

    rounds: int = 16
    steps: int = 25
    learning_rate: float = 0.1
    l2: float = 0.05
    patience: int = 4
    min_delta: float = 0.002
    inside: int = 8
    outside: int = 4
    seed: int = 0

    def windows(self, view: ExampleView) -> list[int]:
        """The windows of an example that the fit looks at."""
        return [*view.inside[: self.inside], *view.outside[: self.outside]]


@dataclass(frozen=True, eq=False)
class Vectors:
    """A word.

    Attributes
    ----------
    query : Tensor
        (query_dim,).
    mask_embedding_offset : Tensor
        (C,).
    """

    query: Tensor
    mask_embedding_offset: Tensor

    def embedded(self, network: SATNetwork, tokens: Tensor) -> Tensor:
        """(B, C) mask embeddings in windows with these tokens (B, T, query_dim)."""
        return network.embed_masks(tokens, self.query[None])[:, 0] + self.mask_embedding_offset


def nearest(network: SATNetwork, views: Sequence[ExampleView], candidates: Tensor, recipe: Recipe) -> tuple[int, float]:
    """The row of the candidates (N, query_dim) whose mask overlaps most with the examples, and its Dice."""
    generator = torch.Generator().manual_seed(recipe.seed)
    total = torch.zeros(len(candidates))
    for view in views:
        numbers = recipe.windows(view)
        sample = view.sample(numbers, None, generator)
        with torch.no_grad():
            embeddings = network.embed_masks(sample.tokens, candidates)
            probability = (sample.voxels @ embeddings.transpose(1, 2)).sigmoid()
            total += _dice(probability, sample.target[..., None], sample.weight[..., None], (0, 1)).cpu() / len(views)
    best = int(total.argmax())
    return best, float(total[best])


def fit(
    network: SATNetwork,
    views: Sequence[ExampleView],
    start: Tensor,
    recipe: Recipe,
    on_step: Callable[[], None] = lambda: None,
) -> Vectors:
    """The word that finds the examples best.

    Parameters
    ----------
    start : Tensor
        (query_dim,) query to begin with.
    on_step : Callable[[], None], optional
        Called before each step; may raise to end the fit.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    fitted = _Fitted(network, views, start, recipe)
    best, best_dice, waited = fitted.vectors(), -1.0, 0
    for _ in range(recipe.rounds):
        now = fitted.vectors()
        samples = [_sample(network, view, now, recipe, generator) for view in views]
        # On voxels that were drawn anew, so it is not flattered by the steps before it.
        dice = sum(_sample_dice(network, sample, now) for sample in samples) / len(samples)
        waited = 0 if dice > best_dice + recipe.min_delta else waited + 1
        if dice > best_dice:
            best, best_dice = now, dice
        if waited >= recipe.patience:
            break
        for _ in range(recipe.steps):
            on_step()
            fitted.step(samples)
    return best


class _Fitted:
    """The vectors on their way, as distances from where they began."""

    def __init__(self, network: SATNetwork, views: Sequence[ExampleView], start: Tensor, recipe: Recipe) -> None:
        self._network = network
        self._start = start
        self._l2 = recipe.l2
        first = recipe.windows(views[0])[:1]
        channels = views[0].sample(first, None, torch.Generator().manual_seed(recipe.seed)).voxels[0]
        self._query_scale = float(start.square().mean().sqrt()) or 1.0
        # One unit of a channel's offset moves the logit by one, where the channel is one deviation off its mean.
        self._offset_scale = 1 / channels.std(dim=0).clamp(min=_SMALL)
        self._query = torch.zeros_like(start, requires_grad=True)
        self._offset = torch.zeros_like(self._offset_scale, requires_grad=True)
        self._optimizer = torch.optim.Adam([self._query, self._offset], lr=recipe.learning_rate)

    def vectors(self) -> Vectors:
        """As they are now, without a gradient."""
        now = self._now()
        return Vectors(now.query.detach(), now.mask_embedding_offset.detach())

    def step(self, samples: Sequence[Sample]) -> None:
        parameters = [self._query, self._offset]
        gradients = [torch.zeros_like(one) for one in parameters]
        for sample in samples:
            # One example after the other, so that memory does not grow with them.
            loss = _loss(sample, self._now().embedded(self._network, sample.tokens)) / len(samples)
            # Of these two alone: the network's own weights take no part.
            for total, one in zip(gradients, torch.autograd.grad(loss, parameters), strict=True):
                total += one
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient + 2 * self._l2 * parameter.detach() / parameter.numel()
        self._optimizer.step()

    def _now(self) -> Vectors:
        return Vectors(self._start + self._query_scale * self._query, self._offset_scale * self._offset)


def _sample(
    network: SATNetwork, view: ExampleView, vectors: Vectors, recipe: Recipe, generator: torch.Generator
) -> Sample:
    numbers = recipe.windows(view)
    with torch.no_grad():
        embeddings = vectors.embedded(network, view.tokens(numbers))
    return view.sample(numbers, embeddings, generator)


def _sample_dice(network: SATNetwork, sample: Sample, vectors: Vectors) -> float:
    with torch.no_grad():
        logits = _logits(sample, vectors.embedded(network, sample.tokens))
        return float(_dice(logits.sigmoid(), sample.target, sample.weight, (0, 1)))


def _loss(sample: Sample, embeddings: Tensor) -> Tensor:
    """Soft Dice, and binary cross-entropy as the mean over the kinds of voxels."""
    logits = _logits(sample, embeddings)
    entropy = F.binary_cross_entropy_with_logits(logits, sample.target, reduction="none")
    means = []
    for kind in range(KINDS):
        weight = sample.weight * (sample.kind == kind)
        if (amount := weight.sum()) > 0:
            means.append((weight * entropy).sum() / amount)
    return torch.stack(means).mean() + 1 - _dice(logits.sigmoid(), sample.target, sample.weight, (0, 1))


def _logits(sample: Sample, embeddings: Tensor) -> Tensor:
    return (sample.voxels @ embeddings[:, :, None])[..., 0]


def _dice(probability: Tensor, target: Tensor, weight: Tensor, over: tuple[int, ...]) -> Tensor:
    shared, both = (weight * probability * target).sum(over), (weight * (probability + target)).sum(over)
    return 2 * shared / both.clamp(min=_SMALL)
