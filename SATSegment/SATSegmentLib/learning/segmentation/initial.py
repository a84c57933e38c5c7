"""A network before its first step."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from SATSegmentLib.errors import IncompleteCheckpoint
from SATSegmentLib.learning.segmentation.errors import ConfigError
from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.network import SATNetwork

_CHANGE = "Change these widths, depths or strides."


def new_network(architecture: Spec, window: Triple, seed: int = 0) -> SATNetwork:
    """A network with random weights: the backbone's own, and Xavier's in the query decoder (as DETR).

    Raises
    ------
    ConfigError
        A network of these widths and depths could be trained, but not be read again from the file it is written to.
    """
    _check_readable(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SATNetwork(architecture, window)
        network.backbone.init_weights()
        for parameter in network.transformer_decoder.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
    nn.init.constant_(network.mask_embed_proj[2].bias, -0.3)  # type: ignore[arg-type]
    return network


def _check_readable(architecture: Spec) -> None:
    """A file holds tensors alone: the widths and depths must follow from their shapes."""
    try:
        with torch.device("meta"):
            state = SATNetwork(architecture, architecture.downsampling).state_dict()
    except (ArithmeticError, AssertionError, IndexError, RuntimeError, ValueError) as error:
        raise ConfigError(f"The architecture cannot be built: {error}", _CHANGE) from error
    if empty := [key for key, tensor in state.items() if not tensor.numel()]:
        raise ConfigError(f"The architecture cannot be trained: {empty[0]} would be empty.", _CHANGE)
    try:
        told = type(architecture).from_shapes({key: tuple(tensor.shape) for key, tensor in state.items()})
    except IncompleteCheckpoint as error:
        raise ConfigError(f"The architecture cannot be saved: {error.message}", _CHANGE) from error
    differing = [
        f"{one.name} {getattr(architecture, one.name)} would be read as {getattr(told, one.name)}"
        for one in dataclasses.fields(architecture)
        if getattr(architecture, one.name) != getattr(told, one.name)
    ]
    if differing:
        raise ConfigError(f"The architecture cannot be saved: {'; '.join(differing)}.", _CHANGE)
