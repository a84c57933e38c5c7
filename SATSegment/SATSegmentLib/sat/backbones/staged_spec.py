"""What the hyper-parameters of backbones in stages of convolutions have in common: widths and steps of the stages."""

from __future__ import annotations

import math
from dataclasses import dataclass

from SATSegmentLib.sat.backbone import Spec, Triple


@dataclass(frozen=True, kw_only=True)
class StagedSpec(Spec):
    """Widths and steps of an encoder's stages, which a decoder goes back.

    Parameters
    ----------
    features : tuple of int
        Channels of each stage, from full resolution to the bottleneck.
    strides : tuple of (int, int, int)
        Step of each stage's first convolution, per axis; the first is (1, 1, 1).
    """

    features: tuple[int, ...]
    strides: tuple[Triple, ...]

    @property
    def channels(self) -> int:
        """As in `Spec`."""
        return self.features[0]

    @property
    def token_channels(self) -> int:
        """As in `Spec`."""
        return sum(self.features)

    @property
    def downsampling(self) -> Triple:
        """As in `Spec`."""
        x, y, z = (math.prod(stride[axis] for stride in self.strides) for axis in range(3))
        return (x, y, z)

    @property
    def supervised_levels(self) -> tuple[tuple[int, Triple], ...]:
        """As in `Spec`."""
        return tuple(zip(self.features[1:-1], self.strides[1:-1], strict=True))
