"""The vectors of words that users taught a model; see `anatomy.personal.user_words` for what else is in their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SATSegmentLib.anatomy.personal.user_words import WordError, WordRecord, find_words, read_record, word_path
from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.types import Prompt

_QUERY, _SHIFT = "query", "shift"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """What a network is asked with.

    Attributes
    ----------
    query: (query_dim,) float32, in place of a text's query.
    shift: (C,) float32, added to the mask embedding that the network makes of the query; C as the network's finest
        feature map has channels.
    """

    query: np.ndarray
    shift: np.ndarray


class TaughtWords:
    """The taught words of one model. Files are looked for anew each time, so that a new word is known at once.

    Parameters
    ----------
    model: its name, for errors.
    model_sha256: of its checkpoint.
    """

    def __init__(self, model: str, model_sha256: str) -> None:
        self.model = model
        self.model_sha256 = model_sha256

    def lookup(self, prompt: Prompt) -> WordVectors:
        """The vectors of a taught word.

        Raises
        ------
        PromptError: there is none of this name, or it is to be asked for with other axes.
        PairMismatch: it was taught to another model.
        WordError: its file is damaged.
        """
        files = find_words(prompt.text, prompt.modality)
        if not files:
            raise PromptError(
                f"There is no taught word {prompt.text!r} in {prompt.modality}.",
                "Teach it again, or import its file; `satsegment teach --list` shows what there is.",
            )
        mine = next((one for one in files if one.record.model_sha256 == self.model_sha256), None)
        if mine is None:
            raise _another_model(files[0].record, self.model)
        if mine.record.orientation != prompt.orientation:
            raise PromptError(f"{prompt.text!r} was taught anew with other axes.", "Choose it again.")
        return read_word(mine.path)[1]


def write_word(folder: Path, record: WordRecord, vectors: WordVectors) -> Path:
    """Write a word into a folder, whole or not at all, over an older one of its name, modality and model.

    Raises
    ------
    OutputError: the file cannot be written.
    """
    from safetensors.numpy import save

    path = word_path(record, folder)
    tensors = {_QUERY: np.ascontiguousarray(vectors.query), _SHIFT: np.ascontiguousarray(vectors.shift)}
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(save(tensors, record.to_header()))
    return path


def read_word(path: Path) -> tuple[WordRecord, WordVectors]:
    """A word with its vectors.

    Raises
    ------
    WordError: missing, damaged, or something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    record = read_record(path)
    try:
        tensors = load(path.read_bytes())
        vectors = WordVectors(tensors[_QUERY], tensors[_SHIFT])
        both = (vectors.query, vectors.shift)
        if not all(one.dtype == np.float32 and one.ndim == 1 and np.isfinite(one).all() for one in both):
            raise ValueError("not finite vectors")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WordError(f"{path.name} is damaged.", "Get the file again from whoever taught it.") from error
    return record, vectors


def _another_model(record: WordRecord, model: str) -> PairMismatch:
    return PairMismatch(
        f"The word {record.name!r} was taught to {record.model} ({record.model_sha256[:12]}), not to {model}.",
        f"Choose {record.model}, or teach the word to this model as well.",
    )
