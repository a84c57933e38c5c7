"""Prompts to query vectors: known ones from the bank, free text from the text encoder, taught words from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SATSegmentLib.anatomy.personal.user_words import is_taught
from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.models.folder import BANK_FILE, TEXT_FOLDER, ModelDescription
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.sat.text.folder import ENCODER_FILE
from SATSegmentLib.sat.text.taught_words import TaughtWords, WordVectors
from SATSegmentLib.types import Prompt

if TYPE_CHECKING:
    from SATSegmentLib.sat.text.encoder import TextEncoder


class QuerySource:
    """The text side of one model.

    Parameters
    ----------
    query_dim : int
        Length of the queries that the network takes.
    bank : EmbeddingBank | None, optional
        Queries of known prompts; None where there is none yet.
    load_text_encoder : Callable[[], TextEncoder] | None, optional
        Called at the first prompt that the bank does not know, and not before; None where the model
        has no text encoder beside it.
    words : TaughtWords | None, optional
        What users taught the model; None where the model cannot be told from others.
    name : str, optional
        Of the model, for messages.

    Raises
    ------
    PairMismatch
        The bank's queries have another length.
    """

    def __init__(
        self,
        query_dim: int,
        bank: EmbeddingBank | None = None,
        load_text_encoder: Callable[[], TextEncoder] | None = None,
        words: TaughtWords | None = None,
        name: str = "",
    ) -> None:
        if bank is not None:
            _check_length(bank.query_dim, query_dim, "embedding bank")
        self.query_dim = query_dim
        self.bank = bank
        self.words = words
        self._name = name or "This model"
        self._load_text_encoder = load_text_encoder
        self._text_encoder: TextEncoder | None = None

    @classmethod
    def of_model(cls, folder: Path, description: ModelDescription, query_dim: int) -> QuerySource | None:
        """What a model folder has of bank and text encoder; None where it has neither.

        Raises
        ------
        PairMismatch
            The bank was made by another text encoder than the model was trained with.
        CheckpointError
            The bank is damaged.
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
            from SATSegmentLib.sat.text.encoder import TextEncoder

            encoder = TextEncoder.load(text / ENCODER_FILE, text)
            if encoder.sha256 != description.text_sha256:
                raise PairMismatch(
                    f"The text encoder in the model {folder.name} is not the one that the network was trained with.",
                    "Convert the model again, with the text encoder that was released with the network.",
                )
            return encoder

        words = TaughtWords(description.name, description.network_sha256) if description.network_sha256 else None
        return cls(query_dim, bank, load if has_encoder else None, words, description.name)

    @property
    def has_text_encoder(self) -> bool:
        """Whether free text can be embedded."""
        return self._load_text_encoder is not None

    def knows(self, prompt: Prompt) -> bool:
        """Whether the prompt needs no text encoder."""
        if is_taught(prompt):
            return True
        return self.bank is not None and self.bank.has(prompt.text, prompt.modality)

    def answers(self, prompt: Prompt) -> bool:
        """Whether `embed` takes the prompt: it is known, or free text for a model that reads some.

        What claims to be a trained label and is not in the bank is none: see `_refuse_untrained`.
        """
        if self.knows(prompt):
            return True
        return self.has_text_encoder and not (prompt.trained and self.bank is not None)

    def embed(self, prompts: Sequence[Prompt], words: Sequence[bytes] | None = None) -> np.ndarray:
        """Queries of the prompts, float32, shape (prompts, query_dim).

        Parameters
        ----------
        prompts : sequence of Prompt
            What to embed.
        words : sequence of bytes, optional
            Contents of the files of taught words; by default they are looked for in this computer's folders.

        Raises
        ------
        PromptError
            A prompt is empty, says nothing the text encoder knows, claims to be a trained label that the
            bank does not hold, or is free text for a model without a text encoder.
        PairMismatch
            Bank, text encoder and network do not belong together, or a word was taught to another model.
        WordError
            The file of a taught word is damaged.
        CheckpointError, ModelNotFound
            The text encoder is needed, and cannot be loaded.
        """
        for prompt in prompts:
            if not prompt.text.strip():
                raise PromptError("A prompt is empty.", "Write what to segment, for example 'liver'.")
        queries = np.empty((len(prompts), self.query_dim), np.float32)
        unknown = [row for row, prompt in enumerate(prompts) if not self.knows(prompt)]
        self._refuse_untrained([prompts[row] for row in unknown])
        for row in set(range(len(prompts))).difference(unknown):
            queries[row] = self._known(prompts[row], words)
        if unknown:
            encoder = self._encoder_for([prompts[row] for row in unknown])
            queries[unknown] = encoder.embed(
                [prompts[row].text for row in unknown], [prompts[row].modality for row in unknown]
            )
        return queries

    def mask_embedding_offsets(
        self, prompts: Sequence[Prompt], words: Sequence[bytes] | None = None
    ) -> list[np.ndarray | None]:
        """What is added to the mask embedding of each prompt: (C,) float32 for a taught word, None for all others.

        Raises
        ------
        PromptError, PairMismatch, WordError
            As `embed`.
        """
        return [self._taught(prompt, words).mask_embedding_offset if is_taught(prompt) else None for prompt in prompts]

    def _refuse_untrained(self, unknown: Sequence[Prompt]) -> None:
        """A bank holds all labels a model was trained on. What claims to be one and is not in it would get a mask
        that looks like any other: the text encoder has an answer to every word.
        """
        claimed = [prompt for prompt in unknown if prompt.trained]
        if self.bank is not None and self.has_text_encoder and claimed:
            raise PromptError(
                f"{self._name} was not trained on {_listed(claimed)}.",
                "Choose one of its labels, or another model (`satsegment models` lists them). In Python, "
                "Prompt(..., trained=False) asks for it as free text, which is marked as a guess.",
            )

    def _known(self, prompt: Prompt, words: Sequence[bytes] | None) -> np.ndarray:
        if is_taught(prompt):
            query = self._taught(prompt, words).query
            _check_length(len(query), self.query_dim, f"taught word {prompt.text!r}")
            return query
        assert self.bank is not None  # nothing else is known without it
        return self.bank.lookup(prompt.text, prompt.modality)

    def _taught(self, prompt: Prompt, words: Sequence[bytes] | None) -> WordVectors:
        if self.words is None:
            raise PromptError(
                f"The model does not say which checkpoint it was made from, so the taught word {prompt.text!r} cannot "
                "be tied to it.",
                "Convert the checkpoint again.",
            )
        return self.words.lookup(prompt, words)

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
    return PromptError(
        f"The model does not know {_listed(unknown)}, and has no text encoder for free text.",
        "Choose one of its labels, or add its text encoder: the checkpoint released with the network, and the "
        "language model's config.json and tokenizer files.",
    )


def _listed(prompts: Sequence[Prompt]) -> str:
    names = ", ".join(f"'{prompt.text}' ({prompt.modality})" for prompt in prompts[:3])
    return names + (f" and {len(prompts) - 3} more" if len(prompts) > 3 else "")


def _check_length(found: int, needed: int, what: str) -> None:
    if found != needed:
        raise PairMismatch(
            f"The {what} gives queries of length {found}, but the network takes {needed}.",
            "Use the text encoder that was released with the network.",
        )
