"""Turn released checkpoints into a model folder, once.

A released file is three times the size of its weights (it carries the optimizer's state), is a pickle, and
names no window or spacing. The folder written here loads in seconds, cannot run code, and says what it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from SATSegmentLib.errors import CheckpointError, PairMismatch
from SATSegmentLib.files import atomic_path
from SATSegmentLib.models.folder import (
    BANK_FILE,
    DESCRIPTION_FILE,
    NETWORK_FILE,
    TEXT_FOLDER,
    ModelDescription,
)
from SATSegmentLib.sat.backbones.registry import kind_of_spec
from SATSegmentLib.sat.checkpoint.file import file_sha256
from SATSegmentLib.sat.checkpoint.released import NetworkWeights, read_network
from SATSegmentLib.sat.text.bank import EmbeddingBank, Label
from SATSegmentLib.sat.text.checkpoint import read_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import write_text_folder
from SATSegmentLib.types import RELEASED_WINDOW, Progress

# Names under which the authors publish checkpoints, and the model each belongs to.
_RELEASED = {
    "nano.pth": "SAT-Nano",
    "nano_text_encoder.pth": "SAT-Nano",
    "sat_pro.pth": "SAT-Pro",
    "text_encoder.pth": "SAT-Pro",
}


def convert(
    network: Path,
    out: Path,
    description: ModelDescription,
    text_encoder: Path | None = None,
    language_model: Path | None = None,
    labels: Sequence[Label] = (),
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ModelDescription:
    """Write a model folder from a network and, for words as prompts, its own text encoder.

    The sources are only read. The folder appears whole or not at all.

    Parameters
    ----------
    network: checkpoint of the segmentation network.
    out: the folder to make.
    description: name, window and spacing; the SHA-256 sums are filled in here.
    text_encoder: checkpoint of the text encoder that was trained with the network.
    language_model: folder with the config and tokenizer files of the text encoder's language model.
    labels: (text, modality) of the prompts whose query vectors are computed now.
    overwrite: whether an existing folder may be replaced.

    Returns
    -------
    The description that was written.

    Raises
    ------
    CheckpointError: a file is not what it should be; PairMismatch where the two do not belong together.
    OutputError: the folder cannot be written.
    Cancelled: `cancel` said so.
    """
    _check_names(network, text_encoder)
    with atomic_path(out, overwrite=overwrite, folder=True) as folder:
        weights = read_network(network)
        # A position code is built for the window, so a window the network cannot take is refused now.
        _check_window(description.window, weights.architecture.downsampling)
        _save_half(weights, folder / NETWORK_FILE, network.name)
        description = dataclasses.replace(
            description, network_sha256=weights.sha256, network_file_sha256=file_sha256(folder / NETWORK_FILE)
        )
        if text_encoder is not None and language_model is not None:
            text_weights = read_text_weights(text_encoder)
            encoder = TextEncoder.from_weights(text_weights, language_model)
            if encoder.query_dim != weights.architecture.query_dim:
                raise PairMismatch(
                    f"{text_encoder.name} makes queries of {encoder.query_dim} numbers, "
                    f"{network.name} takes {weights.architecture.query_dim}.",
                    "Use the text encoder that was released with the network.",
                )
            EmbeddingBank.build(encoder, labels, progress, cancel).save(folder / BANK_FILE)
            (folder / TEXT_FOLDER).mkdir()
            write_text_folder(text_weights, language_model, folder / TEXT_FOLDER)
            description = dataclasses.replace(description, text_sha256=text_weights.sha256)
        (folder / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    return description


def _check_names(network: Path, text_encoder: Path | None) -> None:
    # Both models' text encoders have the same shapes: their names are all that tells a wrong pair.
    if text_encoder is None:
        return
    ours, theirs = (_RELEASED.get(path.name.lower()) for path in (network, text_encoder))
    if ours and theirs and ours != theirs:
        raise PairMismatch(
            f"{network.name} is {ours}, but {text_encoder.name} is the text encoder of {theirs}.",
            "Use the text encoder that was released with the network; another one gives plausible but wrong masks.",
        )


def _check_window(window: tuple[int, int, int], step: tuple[int, int, int]) -> None:
    if any(side < unit or side % unit for side, unit in zip(window, step, strict=True)):
        raise CheckpointError(
            f"This network cannot have a window of {window} voxels.",
            f"Each side must be a multiple of {step}; the released models have {RELEASED_WINDOW}.",
        )


def _save_half(weights: NetworkWeights, path: Path, source: str) -> None:
    exempt = kind_of_spec(weights.architecture).full_precision
    half = {
        key: tensor.to(torch.float32 if exempt and exempt.match(key) else torch.float16).contiguous()
        for key, tensor in weights.tensors.items()
    }
    too_large = [key for key, tensor in half.items() if not tensor.isfinite().all()]
    if too_large:
        raise CheckpointError(f"In {source}, {too_large[0]} holds values too large for half precision.")
    save_file(half, path)
