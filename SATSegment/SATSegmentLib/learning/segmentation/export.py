"""A trained checkpoint and its queries as a model folder that `Segmenter.load` takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from SATSegmentLib.files import atomic_path
from SATSegmentLib.learning.saving import save_atomically
from SATSegmentLib.learning.segmentation.queries import LabelQueries, Queries, TextQueries
from SATSegmentLib.models.folder import BANK_FILE, DESCRIPTION_FILE, ModelDescription
from SATSegmentLib.sat.checkpoint.convert import convert
from SATSegmentLib.sat.text.bank import Label
from SATSegmentLib.sat.text.checkpoint import read_text_weights

TEXT_FILE = "text_encoder.pth"


def export_model(
    checkpoint: Path, queries: Queries, out: Path, description: ModelDescription, labels: Sequence[Label]
) -> ModelDescription:
    """Write a model folder, over an older one; it appears whole or not at all.

    A text encoder whose modality embedding was trained is written beside the checkpoint too, in the released layout.

    Parameters
    ----------
    checkpoint : Path
        Of a training with these `queries`, which are set to their state in it.
    out : Path
        The folder to make.
    description : ModelDescription
        Name, window, spacing and orientations; the SHA-256 sums are filled in here.
    labels : Sequence[Label]
        What the embedding bank is to offer.

    Returns
    -------
    ModelDescription
        The description that was written.

    Raises
    ------
    CheckpointError
        The checkpoint is damaged. OutputError: the folder cannot be written.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    queries.load_state_dict(content["training"]["queries"])
    if isinstance(queries, TextQueries):
        text = _text_checkpoint(queries, checkpoint.with_name(TEXT_FILE), content["step"])
        return convert(
            checkpoint, out, description, text, queries.language_model, labels, overwrite=True, released=False
        )
    if not isinstance(queries, LabelQueries):
        raise TypeError(f"There is no model folder for {type(queries).__name__}.")
    bank = queries.bank(labels)
    with atomic_path(out, overwrite=True, folder=True) as folder:
        description = convert(checkpoint, folder, description, overwrite=True, released=False)
        description = dataclasses.replace(description, text_sha256=bank.source_sha256)
        bank.save(folder / BANK_FILE)
        (folder / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    return description


def _text_checkpoint(queries: TextQueries, path: Path, step: int) -> Path:
    """The text encoder with the trained modality embedding; the original file where that was not trained."""
    embedding = queries.modality_embed.weight
    if not embedding.requires_grad:
        return queries.checkpoint
    tensors = read_text_weights(queries.checkpoint).tensors()
    tensors["modality_embed.weight"] = embedding.detach().cpu().clone()
    state: dict[str, Any] = {f"module.{key}": tensor for key, tensor in tensors.items()}
    save_atomically({"step": step, "model_state_dict": state}, path)
    return path
