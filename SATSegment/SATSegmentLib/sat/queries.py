"""Prompts to query vectors: known ones from the embedding bank, free text from the text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.sat.embedding_bank import EmbeddingBank
from SATSegmentLib.sat.model_folder import BANK_FILE, TEXT_FOLDER, ModelDescription
from SATSegmentLib.sat.text_folder import ENCODER_FILE
from SATSegmentLib.types import Prompt

if TYPE_CHECKING:
    from SATSegmentLib.sat.text_encoder import TextEncoder


class QuerySource:
    """The text side of one model.

    Parameters
    ----------
    query_dim: length of the queries that the network takes.
    bank: queries of known prompts; None where there is none yet.
    load_text_encoder: called at the first prompt that the bank does not know, and not before; None where the model
        has no text encoder beside it.

    Raises
    ------
    PairMismatch: the bank's queries have another length.
    """

    def __init__(
        self,
        query_dim: int,
        bank: EmbeddingBank | None = None,
        load_text_encoder: Callable[[], TextEncoder] | None = None,
    ) -> None:
        if bank is not None:
            _check_length(bank.query_dim, query_dim, "embedding bank")
        self.query_dim = query_dim
        self.bank = bank
        self._load_text_encoder = load_text_encoder
        self._text_encoder: TextEncoder | None = None

    @classmethod
    def of_model(cls, folder: Path, description: ModelDescription, query_dim: int) -> QuerySource | None:
        """What a model folder has of bank and text encoder; None where it has neither.

        Raises
        ------
        PairMismatch: the bank was made by another text encoder than the model was trained with.
        CheckpointError: the bank is damaged.
        """
        bank = EmbeddingBank.load(folder / BANK_FILE) if (folder / BANK_FILE).is_file() else None
        if bank is not None:
            bank.require_source(description.text_sha256)
        text = folder / TEXT_FOLDER
        has_encoder = (text / ENCODER_FILE).is_file()
        if bank is None and not has_encoder:
            return None

        def load() -> TextEncoder:
            # Here and not on top: known prompts need neither torch nor transformers.
            from SATSegmentLib.sat.text_encoder import TextEncoder

            encoder = TextEncoder.load(text / ENCODER_FILE, text)
            if encoder.sha256 != description.text_sha256:
                raise PairMismatch(
                    f"The text encoder in the model {folder.name} is not the one that the network was trained with.",
                    "Convert the model again, with the text encoder that was released with the network.",
                )
            return encoder

        return cls(query_dim, bank, load if has_encoder else None)

    def knows(self, prompt: Prompt) -> bool:
        """Whether the prompt needs no text encoder."""
        return self.bank is not None and self.bank.has(prompt.text, prompt.modality)

    def embed(self, prompts: Sequence[Prompt]) -> np.ndarray:
        """Queries of the prompts, float32, shape (prompts, query_dim).

        Raises
        ------
        PromptError: a prompt is empty, says nothing the text encoder knows, or is not in the bank of a model that
            has no text encoder.
        PairMismatch: bank, text encoder and network do not belong together.
        CheckpointError, ModelNotFound: the text encoder is needed, and cannot be loaded.
        """
        for prompt in prompts:
            if not prompt.text.strip():
                raise PromptError("A prompt is empty.", "Write what to segment, for example 'liver'.")
        queries = np.empty((len(prompts), self.query_dim), np.float32)
        unknown = [row for row, prompt in enumerate(prompts) if not self.knows(prompt)]
        for row in set(range(len(prompts))).difference(unknown):
            assert self.bank is not None  # nothing is known without it
            queries[row] = self.bank.lookup(prompts[row].text, prompts[row].modality)
        if unknown:
            encoder = self._encoder_for([prompts[row] for row in unknown])
            queries[unknown] = encoder.embed(
                [prompts[row].text for row in unknown], [prompts[row].modality for row in unknown]
            )
        return queries

    def _encoder_for(self, unknown: Sequence[Prompt]) -> TextEncoder:
        if self._text_encoder is None:
            if self._load_text_encoder is None:
                raise _not_known(unknown)
            encoder = self._load_text_encoder()
            _check_length(encoder.query_dim, self.query_dim, "text encoder")
            if self.bank is not None:
                self.bank.require_source(encoder.sha256)
            self._text_encoder = encoder
        return self._text_encoder


def _not_known(unknown: Sequence[Prompt]) -> PromptError:
    names = ", ".join(f"'{prompt.text}' ({prompt.modality})" for prompt in unknown[:3])
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return PromptError(
        f"The model does not know {names}{more}, and has no text encoder for free text.",
        "Choose one of its labels, or add its text encoder: the checkpoint released with the network, and the "
        "language model's config.json and tokenizer files.",
    )


def _check_length(found: int, needed: int, what: str) -> None:
    if found != needed:
        raise PairMismatch(
            f"The {what} gives queries of length {found}, but the network takes {needed}.",
            "Use the text encoder that was released with the network.",
        )
