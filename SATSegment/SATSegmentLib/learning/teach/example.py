"""An example as the network sees it: which voxels of which windows belong to the structure, and a fair sample of them.

A window of SAT-Nano has eight million voxels. A fit needs a few thousand of them: those of the structure, those around
it, those that are mistaken for it at present, and some of all others. Each sampled voxel stands for as many as there
were of its kind, so that a Dice over the sample estimates the Dice over the scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.resample import on_network_grid
from SATSegmentLib.inference.scan_pass import ScanPass
from SATSegmentLib.sat.network import mask_logits

# Voxels of each kind (structure, its surroundings, mistaken for it, all others) in one window's sample.
_PER_KIND = 4096
KINDS = 4
_INSIDE, _AROUND, _CONFUSED, _OTHER = range(KINDS)
# Network voxels around the structure that are its surroundings.
_SURROUNDINGS = 2
# A voxel outside is mistaken for the structure from this logit on (a probability of 0.12).
_MISTAKEN = -2.0


@dataclass(frozen=True, eq=False)
class Sample:
    """Voxels of some windows of one scan: B windows, S voxels each.

    Attributes
    ----------
    tokens : Tensor
        (B, T, query_dim).
    voxels : Tensor
        (B, S, C) features.
    target : Tensor
        (B, S) share of the voxel that belongs to the structure, 0..1.
    weight : Tensor
        (B, S) for how many voxels of the scan each stands; 0 where a window had fewer than S.
    kind : Tensor
        (B, S) 0 structure, 1 surroundings, 2 mistaken for it, 3 all others.
    """

    tokens: Tensor
    voxels: Tensor
    target: Tensor
    weight: Tensor
    kind: Tensor


class ExampleView:
    """An example on the network's grid.

    Parameters
    ----------
    windows : ScanPass
        The scan's windows and features.
    mask : np.ndarray
        Bool, KJI, in the scan's grid.

    Attributes
    ----------
    inside, outside
        Numbers of the windows that hold some of the structure, those with most of it first, and of the
        windows that hold none.

    Raises
    ------
    ScanError
        Nothing of the structure is left on the network's grid.
    """

    def __init__(self, windows: ScanPass, mask: np.ndarray) -> None:
        self.windows = windows
        self._target = torch.from_numpy(on_network_grid(mask, windows.grid))
        if not (self._target > 0.5).any():
            raise ScanError(
                "The example is too small: nothing of it is left on the network's grid of voxels.",
                "Teach a larger structure, or use a model with smaller voxels.",
            )
        held = [float((self._target[box] * windows.weights(n).cpu()).sum()) for n, box in enumerate(windows.boxes)]
        self.inside = sorted((n for n, amount in enumerate(held) if amount > 0), key=lambda n: -held[n])
        self.outside = [n for n, amount in enumerate(held) if not amount > 0]
        self._places: dict[int, Tensor] = {}

    def tokens(self, numbers: Sequence[int]) -> Tensor:
        """(B, T, query_dim) tokens of these windows."""
        with torch.inference_mode():
            tokens = torch.stack([self.windows.features(number).tokens[0] for number in numbers])
        # A copy, because what was made in inference mode takes part in no gradient.
        return tokens.clone()

    def sample(self, numbers: Sequence[int], embeddings: Tensor | None, generator: torch.Generator) -> Sample:
        """A fresh sample of these windows.

        Parameters
        ----------
        embeddings : Tensor | None
            (B, C) mask embeddings of the word as it is now, by which mistaken voxels are found; None at first.
        """
        with torch.inference_mode():
            rows = [None] * len(numbers) if embeddings is None else list(embeddings)
            parts = [self._sample(number, row, generator) for number, row in zip(numbers, rows, strict=True)]
            stacked = [torch.stack(one) for one in zip(*parts, strict=True)]
        voxels, target, weight, kind = (one.clone() for one in stacked)
        return Sample(self.tokens(numbers), voxels, target, weight, kind)

    def _sample(self, number: int, embedding: Tensor | None, generator: torch.Generator) -> tuple[Tensor, ...]:
        features = self.windows.features(number).dequantize()
        device = features.device
        target = self._target[self.windows.boxes[number]]
        kinds = self._place(number).to(device)
        if embedding is not None:
            logits = mask_logits(features, embedding[None, None].to(device))[0, 0]
            kinds = torch.where((kinds == _OTHER) & (logits > _MISTAKEN), _CONFUSED, kinds)
        picked, scale = _pick(kinds.flatten(), generator)
        x, y, z = torch.unravel_index(picked, kinds.shape)
        missing = KINDS * _PER_KIND - len(picked)
        weight = scale * self.windows.weights(number)[x, y, z]
        return (
            F.pad(features[0][:, x, y, z].T.float(), (0, 0, 0, missing)),
            F.pad(target.to(device)[x, y, z], (0, missing)),
            F.pad(weight, (0, missing)),
            F.pad(kinds[x, y, z], (0, missing), value=_OTHER),
        )

    def _place(self, number: int) -> Tensor:
        """The kind of each voxel of a window, as far as the example alone tells it."""
        if number not in self._places:
            inside = self._target[self.windows.boxes[number]] > 0
            places = torch.full(inside.shape, _OTHER, dtype=torch.uint8)
            places[_dilated(inside)] = _AROUND
            places[inside] = _INSIDE
            self._places[number] = places
        return self._places[number]


def _pick(kinds: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places of some voxels of each kind, and for how many of their kind each stands."""
    places, scale = [], []
    for kind in range(KINDS):
        members = (kinds == kind).nonzero()[:, 0]
        chosen = members
        if len(members) > _PER_KIND:
            # Drawn with replacement: a permutation of eight million numbers would cost more than the rest.
            chosen = members[torch.randint(len(members), (_PER_KIND,), generator=generator).to(members.device)]
        places.append(chosen)
        scale.append(torch.full((len(chosen),), len(members) / max(len(chosen), 1), device=kinds.device))
    return torch.cat(places), torch.cat(scale)


def _dilated(mask: Tensor) -> Tensor:
    """With all that is at most `_SURROUNDINGS` voxels away along each axis."""
    side = 2 * _SURROUNDINGS + 1
    grown = mask[None, None].float()
    for axis in range(3):
        kernel = [1, 1, 1]
        padding = [0, 0, 0]
        kernel[axis], padding[axis] = side, _SURROUNDINGS
        grown = F.max_pool3d(grown, kernel, stride=1, padding=padding)
    return grown[0, 0] > 0
