"""What the image encoder found in a window: as it was computed, or in eight bits a number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from SATSegmentLib.errors import DeviceError

_LEVELS = 255
# Planes along X that are turned into eight bits at a time: a whole window in float32 would be twice the features.
_PLANES = 8


@dataclass(frozen=True, eq=False)
class Features:
    """What the image encoder found in a batch of windows.

    Attributes
    ----------
    tokens : Tensor
        (B, T, query_dim) float32, one token per cell of the coarsest grid, x slowest, z fastest.
    voxels : Tensor
        (B, C, X, Y, Z) in the encoder's precision, one vector per voxel; or uint8.
    scale, offset : Tensor | None
        (C,) float32 where voxels are uint8, and a feature is voxel * scale + offset.
    """

    tokens: Tensor
    voxels: Tensor
    scale: Tensor | None = None
    offset: Tensor | None = None

    def refuse_overflow(self) -> None:
        """Raise where numbers grew beyond what float16 holds.

        One number that is not finite makes its whole channel so at the next norm, and at the next convolution all
        channels: the tokens and any one voxel tell.

        Raises
        ------
        DeviceError
            The features are not numbers.
        """
        if self.voxels.dtype == torch.float32 or (self.tokens.isfinite().all() & self._voxel().isfinite().all()):
            return
        raise DeviceError(
            "The network's numbers became too large for half precision.",
            "Choose the precision bfloat16, or float32 where the GPU has no bfloat16.",
        )

    def _voxel(self) -> Tensor:
        parts = [self.voxels[0, :, 0, 0, 0].float()]
        return torch.cat([*parts, *(one for one in (self.scale, self.offset) if one is not None)])

    def quantize(self) -> Features:
        """The same of one window in a quarter (of float32) or half the memory, each channel in 256 equal steps."""
        voxels = self.voxels[0]
        low, high = voxels.amin(dim=(1, 2, 3)).float(), voxels.amax(dim=(1, 2, 3)).float()
        scale = ((high - low) / _LEVELS).clamp_(min=torch.finfo(torch.float32).tiny)
        small = torch.empty_like(self.voxels, dtype=torch.uint8)  # in the same layout
        for first in range(0, voxels.shape[1], _PLANES):
            planes = slice(first, first + _PLANES)
            steps = (voxels[:, planes].float() - low.view(-1, 1, 1, 1)) / scale.view(-1, 1, 1, 1)
            small[0, :, planes] = steps.round_().clamp_(0, _LEVELS).to(torch.uint8)
        return replace(self, voxels=small, scale=scale, offset=low)

    def dequantize(self) -> Tensor:
        """(B, C, X, Y, Z) floating-point voxels."""
        if self.scale is None or self.offset is None:
            return self.voxels
        return self.voxels * self.scale.view(-1, 1, 1, 1) + self.offset.view(-1, 1, 1, 1)

    def folded(self, embeddings: Tensor) -> tuple[Tensor, Tensor | None]:
        """What to multiply `voxels` by, (N, C), and to add, (N,) or None, for the logits of embeddings (N, C)."""
        if self.scale is None or self.offset is None:
            return embeddings, None
        return embeddings * self.scale, embeddings @ self.offset
