"""A training on disk: the layout of released checkpoints, and in it what a training needs to go on.

`{'step', 'model_state_dict', 'optimizer_state_dict', 'training'}`: the first three as in released files, `training`
beside them. `sat.checkpoint.released` knows the layout; `read_network` reads it as it reads a released file.
"""

from __future__ import annotations

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
from SATSegmentLib.sat.checkpoint.released import HEADS, NetworkWeights, check_network, released_state


@dataclass(frozen=True, eq=False)
class Start:
    """A network to start from.

    Attributes
    ----------
    weights : NetworkWeights
        The checked network.
    heads : dict[str, Tensor]
        `mid_mask_embed_proj.*` without that prefix; empty where the file has none.
    """

    weights: NetworkWeights
    heads: dict[str, Tensor]


def read_start(path: Path) -> Start:
    """Read a released or trained checkpoint, or a model folder's network.

    Raises
    ------
    CheckpointError
        As `sat.checkpoint.released.read_network`.
    """
    tensors, sha256 = read_checkpoint_file(path)
    heads = {key.removeprefix(HEADS): value.float() for key, value in tensors.items() if key.startswith(HEADS)}
    return Start(check_network(tensors, Path(path).name, sha256), heads)


@dataclass(frozen=True)
class Position:
    """Where a training stands.

    Attributes
    ----------
    step : int
        Optimizer steps that were taken.
    best : float | None
        Highest validation Dice so far; None before the first.
    recipe : dict[str, Any]
        What must be the same in a continuation.
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
    OutputError
        It cannot be written, for example because the disk is full.
    """
    training = {
        "best": position.best,
        "recipe": position.recipe,
        "queries": model.queries.state_dict(),
        "scaler": scaler.state_dict(),
    }
    content = {
        "step": position.step,
        "model_state_dict": released_state(model.network, model.mid_mask_embed_proj.state_dict()),
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
    CheckpointError
        The file is damaged, or no checkpoint of a training.
    TrainingError
        It is of another network, other queries or other trained parts.
    """
    start = read_start(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    training = content.get("training")
    if training is None:
        raise WrongCheckpointKind(
            f"{path.name} holds a network, but no training that can be resumed.",
            "Start from it with `satsegment finetune`.",
        )
    try:
        model.network.load_state_dict(start.weights.tensors)
        model.mid_mask_embed_proj.load_state_dict(start.heads)
        model.queries.load_state_dict(training["queries"])
        optimizer.load_state_dict(content["optimizer_state_dict"])
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{path.name} belongs to another training: its tensors do not fit.",
            "Resume with the configuration it was started with, or train into another folder.",
        ) from error
    scaler.load_state_dict(training["scaler"])
    return Position(content["step"], training["best"], training["recipe"])
