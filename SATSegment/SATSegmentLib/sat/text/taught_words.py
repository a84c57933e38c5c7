"""The vectors of words that users taught a model; see `anatomy.personal.user_words` for what else is in their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from SATSegmentLib.anatomy.personal.user_words import (
    WordError,
    WordRecord,
    find_words,
    name_key,
    read_record,
    record_in,
)
from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.types import Prompt

# The names in the file are older than those of the fields.
_QUERY, _OFFSET = "query", "shift"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """What a network is asked with.

    Attributes
    ----------
    query : np.ndarray
        (query_dim,) float32, in place of a text's query.
    mask_embedding_offset : np.ndarray
        (C,) float32, added to the mask embedding that the network makes of the query; C as the network's finest
        feature map has channels.
    """

    query: np.ndarray
    mask_embedding_offset: np.ndarray


class TaughtWords:
    """The taught words of one model. Files are looked for anew each time, so that a new word is known at once.

    Parameters
    ----------
    model : str
        Its name, for errors.
    model_sha256 : str
        Of its checkpoint.
    """

    def __init__(self, model: str, model_sha256: str) -> None:
        self.model = model
        self.model_sha256 = model_sha256

    def lookup(self, prompt: Prompt, sent: Sequence[bytes] | None = None) -> WordVectors:
        """The vectors of a taught word.

        Parameters
        ----------
        prompt : Prompt
            That asks for it.
        sent : sequence of bytes, optional
            Contents of words' files that came with the request. These, and no folder, are looked at then.

        Raises
        ------
        PromptError
            There is none of this name, or it is to be asked for with other axes.
        PairMismatch
            It was taught to another model.
        WordError
            Its file is damaged.
        """
        words = _found(prompt) if sent is None else _among(sent, prompt)
        if not words:
            raise PromptError(
                f"There is no taught word {prompt.text!r} in {prompt.modality}.",
                "Teach it again, or import its file; `satsegment teach --list` shows what there is.",
            )
        mine = next((one for one in words if one[0].model_sha256 == self.model_sha256), None)
        if mine is None:
            raise _another_model(words[0][0], self.model)
        record, read = mine
        if record.orientation != prompt.orientation:
            raise PromptError(f"{prompt.text!r} was taught anew with other axes.", "Choose it again.")
        return read()


def word_content(record: WordRecord, vectors: WordVectors) -> bytes:
    """The content of a word's file."""
    from safetensors.numpy import save

    tensors = {
        _QUERY: np.ascontiguousarray(vectors.query),
        _OFFSET: np.ascontiguousarray(vectors.mask_embedding_offset),
    }
    return save(tensors, record.to_header())


def read_word(path: Path) -> tuple[WordRecord, WordVectors]:
    """A word with its vectors.

    Raises
    ------
    WordError
        Missing, damaged, or something else.
    """
    record = read_record(path)
    try:
        return record, _vectors(path.read_bytes(), path.name)
    except OSError as error:
        raise WordError(f"{path.name} cannot be read: {error.strerror or error}.", "Teach the word again.") from error


_Found = tuple[WordRecord, Callable[[], WordVectors]]


def _found(prompt: Prompt) -> list[_Found]:
    return [(one.record, partial(_read_vectors, one.path)) for one in find_words(prompt.text, prompt.modality)]


def _read_vectors(path: Path) -> WordVectors:
    return read_word(path)[1]


def _among(sent: Sequence[bytes], prompt: Prompt) -> list[_Found]:
    key = name_key(prompt.text)
    words = [(record_in(content), content) for content in sent]
    return [
        (record, partial(_vectors, content, f"The word {record.name!r}"))
        for record, content in words
        if name_key(record.name) == key and record.modality == prompt.modality
    ]


def _vectors(content: bytes, name: str) -> WordVectors:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        vectors = WordVectors(tensors[_QUERY], tensors[_OFFSET])
        both = (vectors.query, vectors.mask_embedding_offset)
        if not all(one.dtype == np.float32 and one.ndim == 1 and np.isfinite(one).all() for one in both):
            raise ValueError("not finite vectors")
    except (SafetensorError, KeyError, ValueError) as error:
        raise WordError(f"{name} is damaged.", "Get the file again from whoever taught it.") from error
    return vectors


def _another_model(record: WordRecord, model: str) -> PairMismatch:
    return PairMismatch(
        f"The word {record.name!r} was taught to {record.model} ({record.model_sha256[:12]}), not to {model}.",
        f"Choose {record.model}, or teach the word to this model as well.",
    )
