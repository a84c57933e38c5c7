"""What an image backbone is to the rest of SAT: a spec that is read off a file, a module, a released layout."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

Triple = tuple[int, int, int]
Shapes = Mapping[str, tuple[int, ...]]

# Input channels of a released network: SAT feeds it three copies of the image.
COPIES = 3
# Of their convolutions; all backbones have 3 x 3 x 3.
KERNEL_VOXELS = 27


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """Widths and depths of one network: its head's here, its backbone's in the subclass.

    Parameters
    ----------
    query_dim : int
        Length of a text query, and of an image token.
    projection_dim : int
        Hidden width between the pooled features and the image tokens.
    decoder_layers, feedforward_dim : int
        Depth and hidden width of the query decoder.
    mask_dim : int
        Hidden width between a decoded query and its mask embedding.
    """

    query_dim: int
    projection_dim: int
    decoder_layers: int
    feedforward_dim: int
    mask_dim: int

    # Whether half precision suits it whatever its weights; where not, "auto" chooses it for want of memory only, and
    # every run in it warns.
    half_precision: ClassVar[bool] = True
    # Whether the finest map ends in a norm with weights, by which a training can enlarge its features.
    features_grow: ClassVar[bool] = True

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the finest map, and numbers of a mask embedding."""

    @property
    @abstractmethod
    def token_channels(self) -> int:
        """Channels of the pooled pyramid, from which the image tokens are projected."""

    @property
    @abstractmethod
    def downsampling(self) -> Triple:
        """Voxels per image token along each axis; a window's sides are multiples of it."""

    @property
    @abstractmethod
    def supervised_levels(self) -> tuple[tuple[int, Triple], ...]:
        """Channels of each coarser decoder map, finest first, and the step from the map before it."""

    @abstractmethod
    def build(self) -> Backbone:
        """The backbone, with weights that are not initialised for training."""

    @abstractmethod
    def encode_macs(self, window: Triple) -> int:
        """Multiply-accumulate operations of the backbone for one window."""

    @abstractmethod
    def encode_bytes(self, window: Triple, dtype: torch.dtype, device: torch.device) -> int:
        """Highest use of memory while a window is encoded, without weights."""

    @classmethod
    @abstractmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Infer the spec from tensor names (without `module.`) and shapes.

        Raises
        ------
        IncompleteCheckpoint
            A tensor that tells a width is missing, or widths contradict each other.
        """


class Backbone(nn.Module, ABC):
    """The image half of a network.

    Called with windows (B, 1, X, Y, Z), it returns the pooled features of all encoder levels, (B, token_channels,
    cells...) float32, and the finest decoder map (B, channels, X, Y, Z). Without gradients it may compute window by
    window, in less memory; the numbers are the same up to rounding.

    Attributes
    ----------
    whole_on_gpu : bool
        Whether a GPU computes maps whole, layer by layer.
    in_slabs : bool
        Whether it is to take slabs of them all the same, in half of the memory.
    """

    whole_on_gpu: ClassVar[bool] = False
    in_slabs = False

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The precision the maps are stored in."""

    def set_precision(self, dtype: torch.dtype) -> None:
        """Store weights and maps in `dtype`."""
        self.to(dtype)

    def arrange(self) -> None:
        """Lay the weights out as the device that they are on convolves fastest, where that is not as they are."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As the class describes."""

    @abstractmethod
    def supervised_maps(self, x: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
        """The pooled features, and the `count` finest decoder maps, finest first; with gradients."""

    @abstractmethod
    def init_weights(self) -> None:
        """Draw the weights a training starts from, from PyTorch's global random generator."""

    @abstractmethod
    def probe(self, window: Triple) -> float:
        """Measure the rate, in multiply-accumulate operations per second, on a piece too small to be felt."""


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone: how its files are recognised, read and written.

    Parameters
    ----------
    name : str
        Short name, for configuration files.
    title : str
        Name for people.
    spec : type of Spec
        Reads widths off tensors and builds the module.
    recognises : callable
        Whether tensor names (without `module.`) are those of a file of this kind.
    read : callable
        Tensors of a released file (without `module.`, without training-only ones) and the file's name to the tensors of
        `SATNetwork`. Raises IncompleteCheckpoint. Accepts what `SATNetwork` itself holds, too.
    write : callable
        The way back, for a spec: tensors of `SATNetwork` to those of a released file.
    named : mapping of str to Spec
        The released widths.
    integers : re.Pattern, optional
        Names of the tensors that hold integers in a released file.
    full_precision : re.Pattern, optional
        Names of the tensors that a model folder keeps in float32.
    """

    name: str
    title: str
    spec: type[Spec]
    recognises: Callable[[Collection[str]], bool]
    read: Callable[[dict[str, Tensor], str], dict[str, Tensor]]
    write: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    named: Mapping[str, Spec] = field(default_factory=dict)
    integers: re.Pattern[str] | None = None
    full_precision: re.Pattern[str] | None = None


def three_channels(stem: Tensor) -> Tensor:
    """A first convolution for three copies of the image. In this order the three add up to the one to the last bit."""
    third = stem / 3
    return torch.cat((third, third, stem - 2 * third), dim=1)
