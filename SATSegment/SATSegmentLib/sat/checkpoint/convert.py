"""Turn released checkpoints into a model folder, once.

A released file is three times the size of its weights (it carries the optimizer's state), is a pickle, and
names no window or spacing. The folder written here loads in seconds, cannot run code, and says what it is.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from SATSegmentLib.errors import CheckpointError, PairMismatch, SATSegmentError, SATSegmentWarning
from SATSegmentLib.files import atomic_path
from SATSegmentLib.models.folder import (
    BANK_FILE,
    DESCRIPTION_FILE,
    FAMILY,
    NETWORK_FILE,
    TEXT_FOLDER,
    ModelDescription,
)
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.registry import kind_of_spec
from SATSegmentLib.sat.checkpoint.file import file_sha256
from SATSegmentLib.sat.checkpoint.pairs import Release, TextSide, check_names, doubt_of_pair, told_release
from SATSegmentLib.sat.checkpoint.released import NetworkWeights, read_network
from SATSegmentLib.sat.text.bank import EmbeddingBank, Label
from SATSegmentLib.sat.text.checkpoint import TextWeights, read_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import write_text_folder
from SATSegmentLib.types import RELEASED_WINDOW, Progress


def convert(
    network: Path,
    out: Path,
    description: ModelDescription,
    text_encoder: Path | None = None,
    language_model: Path | None = None,
    labels: Sequence[Label] = (),
    overwrite: bool = False,
    released: bool = True,
    release: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ModelDescription:
    """Write a model folder from a network and, for words as prompts, its own text encoder.

    The sources are only read. The folder appears whole or not at all.

    Parameters
    ----------
    network : Path
        Checkpoint of the segmentation network.
    out : Path
        The folder to make.
    description : ModelDescription
        Name, window and spacing; the SHA-256 sums are filled in here.
    text_encoder : Path | None, optional
        Checkpoint of the text encoder that was trained with the network.
    language_model : Path | None, optional
        Folder with the config and tokenizer files of the text encoder's language model.
    labels : Sequence[Label], optional
        (text, modality) of the prompts whose query vectors are computed now.
    overwrite : bool, optional
        Whether an existing folder may be replaced.
    released : bool, optional
        Whether the two are files of SAT's authors, which must fit each other; a training of one's own may pair
        any network with any text encoder.
    release : str | None, optional
        Which released model it is (a name of `pairs.RELEASES`), where a person knows; otherwise it is told or asked.

    Returns
    -------
    ModelDescription
        The description that was written.

    Raises
    ------
    SATSegmentError
        A text encoder without its language model's files, or the other way round.
    CheckpointError
        A file is not what it should be; PairMismatch where the two do not belong together; ReleaseQuestion where only a
        person can tell which released model it is.
    OutputError
        The folder cannot be written.
    Cancelled
        `cancel` said so.
    """
    if (text_encoder is None) != (language_model is None):
        raise SATSegmentError(
            "A text encoder needs its language model's files, and the other way round.",
            "Give both (--text and --language-model), or neither.",
        )
    if text_encoder is not None and released:
        check_names(network.name, text_encoder.name)
    with atomic_path(out, overwrite=overwrite, folder=True) as folder:
        weights = read_network(network, family=None)
        # A position code is built for the window, so a window the network cannot take is refused now.
        _check_window(description.window, weights.architecture.downsampling)
        words = _read_words(text_encoder, language_model, weights.architecture.query_dim, network.name)
        known = _told(weights.architecture, network.name, words, release) if released else None
        description = _described(description, known, released)
        _save_half(weights, folder / NETWORK_FILE, network.name)
        description = dataclasses.replace(
            description, network_sha256=weights.sha256, network_file_sha256=file_sha256(folder / NETWORK_FILE)
        )
        if words is not None:
            # Of the networks of the other two text encoders no list of labels was published, and the challenge's models
            # were trained on phrases: without a bank every prompt is free text to them.
            if (words.encoder.kind == "ours" and words.weights.family == FAMILY) or not released:
                EmbeddingBank.build(words.encoder, labels, progress, cancel).save(folder / BANK_FILE)
            (folder / TEXT_FOLDER).mkdir()
            write_text_folder(words.weights, words.language_model, folder / TEXT_FOLDER)
            description = dataclasses.replace(description, text_sha256=words.weights.sha256)
        (folder / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    return description


@dataclass(frozen=True, eq=False)
class _Words:
    weights: TextWeights
    encoder: TextEncoder
    language_model: Path

    @property
    def side(self) -> TextSide:
        return TextSide(self.encoder.kind, self.weights.family, self.weights.name)


def _read_words(text_encoder: Path | None, language_model: Path | None, query_dim: int, network: str) -> _Words | None:
    if text_encoder is None or language_model is None:
        return None
    weights = read_text_weights(text_encoder, family=None)
    encoder = TextEncoder.from_weights(weights, language_model, family=weights.family)
    if encoder.query_dim != query_dim:
        raise PairMismatch(
            f"{text_encoder.name} makes queries of {encoder.query_dim} numbers, {network} takes {query_dim}.",
            "Use the text encoder that was released with the network.",
        )
    return _Words(weights, encoder, language_model)


def _told(spec: Spec, network: str, words: _Words | None, said: str | None) -> Release | None:
    release = told_release(spec, network, words.side if words else None, said)
    doubts = [doubt_of_pair(release, network, words.side if words else None, said)]
    doubts += [words.encoder.vocabulary_doubt] if words is not None else []
    for doubt in filter(None, doubts):
        warnings.warn(doubt, SATSegmentWarning, stacklevel=3)
    return release


def _described(description: ModelDescription, release: Release | None, released: bool) -> ModelDescription:
    """What is known of a release; nothing is known of other networks that are given for released ones."""
    if not released:
        return description
    return dataclasses.replace(
        description,
        family=release.family if release else FAMILY,
        knows_labels=release is not None and release.knows_labels,
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
