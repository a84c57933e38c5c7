"""The text encoder of a converted model: a folder with its weights, its configuration and its tokenizer.

encoder.safetensors                the tensors inference needs, at full precision
config.json                        of the language model
tokenizer.json and/or vocab.txt    of the language model
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.errors import ModelNotFound

if TYPE_CHECKING:
    from SATSegmentLib.sat.text.checkpoint import TextWeights

ENCODER_FILE = "encoder.safetensors"

_LANGUAGE_MODEL_FILES = ("config.json", "tokenizer.json", "vocab.txt")


def write_text_folder(weights: TextWeights, language_model: Path, target: Path) -> None:
    """Write a text encoder into the existing folder `target`; `TextEncoder.load` reads it from there.

    The weights keep their precision: halved, they would shift free text against the bank by about 0.01.
    The SHA-256 of the source checkpoint and of the vocabulary go along: both BERTs have 30,522 words, so another
    vocabulary would fit and give other embeddings. Not atomic: call it inside `atomic_path(..., folder=True)`.

    Parameters
    ----------
    weights : TextWeights
        A checked text checkpoint.
    language_model : Path
        Folder with config.json and tokenizer.json or vocab.txt.
    target : Path
        An existing folder.

    Raises
    ------
    ModelNotFound
        The language model's folder has none of its files.
    OSError
        A file cannot be read or written.
    """
    # Here and not on top: who only asks for the file's name needs no torch.
    from safetensors.torch import save_file

    from SATSegmentLib.sat.text.checkpoint import SOURCE_KEY, VOCABULARY_KEY
    from SATSegmentLib.sat.text.tokenizer import TextTokenizer

    sources = [Path(language_model).expanduser() / name for name in _LANGUAGE_MODEL_FILES]
    found = [source for source in sources if source.is_file()]
    if not found:
        raise ModelNotFound(
            f"The folder {Path(language_model).name} has no language model's files.",
            f"Put {', '.join(_LANGUAGE_MODEL_FILES)} of the text encoder's language model into it.",
        )
    for source in found:
        shutil.copyfile(source, target / source.name)
    tensors = {name: tensor.contiguous() for name, tensor in weights.tensors().items()}
    vocabulary = TextTokenizer.from_folder(target).vocabulary_sha256()
    save_file(tensors, target / ENCODER_FILE, {SOURCE_KEY: weights.sha256, VOCABULARY_KEY: vocabulary})
