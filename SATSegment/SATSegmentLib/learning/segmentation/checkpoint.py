"""A training on disk: the layout of released checkpoints, and in it what a training needs to go on.

`{'step', 'model_state_dict', 'optimizer_state_dict', 'training'}`: the first three as in released files, `training`
beside them. Names carry `module.`; each convolution block is there twice; the stem takes the image three times over;
each layer of the query decoder has the norm that nobody uses. `read_network` reads it as it reads a released file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from SATSegmentLib.errors import WrongCheckpointKind
from SATSegmentLib.learning.saving import save_atomically
from SATSegmentLib.learning.segmentation.errors import TrainingError
from SATSegmentLib.learning.segmentation.supervised import SupervisedNetwork
from SATSegmentLib.sat.checkpoint.file import read_checkpoint_file
from SATSegmentLib.sat.checkpoint.released import NetworkWeights, check_network

_STEM = "backbone.encoder.stages.0.0.convs.0.conv.weight"
_BLOCK = re.compile(r"(backbone\..*\.convs\.\d+)\.(conv|norm)\.(weight|bias)$")
_HEADS = "mid_mask_embed_proj."
_NORM = re.compile(r"(transformer_decoder\.layers\.\d+)\.norm2\.(weight|bias)$")


@dataclass(frozen=True, eq=False)
class Start:
    """A network to start from.

    Attributes
    ----------
    weights: the checked network.
    heads: `mid_mask_embed_proj.*` without that prefix; empty where the file has none.
    """

    weights: NetworkWeights
    heads: dict[str, Tensor]


def read_start(path: Path) -> Start:
    """Read a released or trained checkpoint, or a model folder's network.

    Raises
    ------
    CheckpointError: as `sat.checkpoint.released.read_network`.
    """
    tensors, sha256 = read_checkpoint_file(path)
    heads = {key.removeprefix(_HEADS): value.float() for key, value in tensors.items() if key.startswith(_HEADS)}
    return Start(check_network(tensors, Path(path).name, sha256), heads)


def released_state(model: SupervisedNetwork) -> dict[str, Tensor]:
    """The network's tensors under the names and in the shapes of released files."""
    state: dict[str, Tensor] = {}
    for key, value in model.network.state_dict().items():
        tensor = _three_channels(value) if key == _STEM else value
        state[key] = tensor
        if block := _BLOCK.match(key):
            place = 0 if block[2] == "conv" else 1
            state[f"{block[1]}.all_modules.{place}.{block[3]}"] = tensor
        if norm := _NORM.match(key):
            # Made for a self-attention that the released decoder never runs: it changes nothing.
            unused = torch.ones_like(tensor) if norm[2] == "weight" else torch.zeros_like(tensor)
            state[f"{norm[1]}.norm1.{norm[2]}"] = unused
    state |= {_HEADS + key: value for key, value in model.mid_mask_embed_proj.state_dict().items()}
    return {f"module.{key}": tensor for key, tensor in state.items()}


def _three_channels(stem: Tensor) -> Tensor:
    """A stem for three copies of the image. In this order the three add up to the one to the last bit."""
    third = stem / 3
    return torch.cat((third, third, stem - 2 * third), dim=1)


@dataclass(frozen=True)
class Position:
    """Where a training stands.

    Attributes
    ----------
    step: optimizer steps that were taken.
    best: highest validation Dice so far; None before the first.
    recipe: what must be the same in a continuation.
    """

    step: int
    best: float | None
    recipe: dict[str, Any]


def write_checkpoint(
    path: Path,
    model: SupervisedNetwork,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    position: Position,
) -> None:
    """Write a checkpoint, whole or not at all: an older one stays until the new one is complete.

    Raises
    ------
    OutputError: it cannot be written, for example because the disk is full.
    """
    training = {
        "best": position.best,
        "recipe": position.recipe,
        "queries": model.queries.state_dict(),
        "scaler": scaler.state_dict(),
    }
    content = {
        "step": position.step,
        "model_state_dict": released_state(model),
        "optimizer_state_dict": optimizer.state_dict(),
        "training": training,
    }
    save_atomically(content, path)


def read_checkpoint(
    path: Path, model: SupervisedNetwork, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> Position:
    """Put model, optimizer and scaler into the state of a checkpoint; returns where it stands.

    Raises
    ------
    CheckpointError: the file is damaged, or no checkpoint of a training.
    TrainingError: it is of another network, other queries or other trained parts.
    """
    start = read_start(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    training = content.get("training")
    if training is None:
        raise WrongCheckpointKind(
            f"{path.name} holds a network, but no training that could go on.",
            "Start from it with `satsegment finetune`.",
        )
    try:
        model.network.load_state_dict(start.weights.tensors)
        model.mid_mask_embed_proj.load_state_dict(start.heads)
        model.queries.load_state_dict(training["queries"])
        optimizer.load_state_dict(content["optimizer_state_dict"])
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{path.name} is of another training: its tensors do not fit.",
            "Resume with the configuration it was started with, or train into another folder.",
        ) from error
    scaler.load_state_dict(training["scaler"])
    return Position(content["step"], training["best"], training["recipe"])
