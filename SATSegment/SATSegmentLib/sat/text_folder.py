"""The text encoder of a converted model: a folder with its weights, its configuration and its tokenizer.

encoder.safetensors                the tensors inference needs, at full precision
config.json                        of the language model
tokenizer.json and/or vocab.txt    of the language model
"""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.torch import save_file

from SATSegmentLib.errors import PairMismatch
from SATSegmentLib.sat.text_checkpoint import SOURCE_KEY, read_text_weights
from SATSegmentLib.sat.text_encoder import TextEncoder

_ENCODER_FILE = "encoder.safetensors"

_LANGUAGE_MODEL_FILES = ("config.json", "tokenizer.json", "vocab.txt")


def write_text_folder(checkpoint: Path, language_model: Path, target: Path) -> None:
    """Write a text encoder into the existing folder `target`, for `read_text_folder`.

    The weights keep their precision: halved, they would shift free text against the bank by about 0.01.
    The SHA-256 of the checkpoint goes along. Not atomic: call it inside `atomic_path(..., folder=True)`.

    Parameters
    ----------
    checkpoint: a released text checkpoint.
    language_model: folder with config.json and tokenizer.json or vocab.txt.
    target: an existing folder.

    Raises
    ------
    CheckpointError: the checkpoint is not what it should be.
    OSError: a file cannot be read or written.
    """
    weights = read_text_weights(checkpoint)
    for name in _LANGUAGE_MODEL_FILES:
        if (language_model / name).is_file():
            shutil.copyfile(language_model / name, target / name)
    tensors = {name: tensor.contiguous() for name, tensor in weights.tensors().items()}
    save_file(tensors, target / _ENCODER_FILE, {SOURCE_KEY: weights.sha256})


def read_text_folder(folder: Path, source_sha256: str) -> TextEncoder:
    """The text encoder of a folder that `write_text_folder` wrote.

    Parameters
    ----------
    source_sha256: of the text checkpoint that the network was trained with.

    Raises
    ------
    PairMismatch: it was converted from another checkpoint.
    CheckpointError, ModelNotFound: a file is missing or damaged.
    """
    encoder = TextEncoder.load(folder / _ENCODER_FILE, folder)
    if encoder.sha256 != source_sha256:
        raise PairMismatch(
            "The text encoder of this model is not the one that its network was trained with.",
            "Convert the model again, with the text encoder that was released with the network.",
        )
    return encoder
