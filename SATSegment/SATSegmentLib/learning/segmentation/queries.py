"""Where a training's queries come from: a frozen text encoder, or one free vector per label."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from SATSegmentLib.errors import PromptError
from SATSegmentLib.learning.sample import TrainingPrompt
from SATSegmentLib.sat.text.bank import EmbeddingBank, Label
from SATSegmentLib.sat.text.checkpoint import MODALITY_ROWS
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.tokenizer import query_text


class Queries(nn.Module, ABC):
    """Prompts in, query vectors out. Its parameters, if any, are trained with the network and kept in checkpoints."""

    query_dim: int

    @abstractmethod
    def forward(self, prompts: Sequence[TrainingPrompt]) -> Tensor:
        """(N, query_dim) queries of N prompts.

        Raises
        ------
        PromptError
            A prompt that there can be no query for.
        """


class TextQueries(Queries):
    """Queries from a text encoder. The encoder is frozen; each text goes through it once.

    The modality embedding, which is added to the text's features, is trained with the network as SAT does it.

    Parameters
    ----------
    encoder : TextEncoder
        The text encoder.
    checkpoint : Path
        The file it was read from.
    language_model : Path
        Folder with the language model's config.json and tokenizer files.
    train_modality : bool, optional
        Whether the modality embedding is trained.
    """

    def __init__(
        self, encoder: TextEncoder, checkpoint: Path, language_model: Path, train_modality: bool = True
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.checkpoint = checkpoint
        self.language_model = language_model
        self.query_dim = encoder.query_dim
        rows = encoder.module.head["modality_embed"].weight.detach().clone()  # type: ignore[operator]
        self.modality_embed = nn.Embedding.from_pretrained(rows, freeze=not train_modality)
        self._features: dict[str, Tensor] = {}

    @classmethod
    def load(cls, checkpoint: Path, language_model: Path, train_modality: bool = True) -> TextQueries:
        """Queries of the text encoder in `checkpoint` (released layout or safetensors).

        Raises
        ------
        CheckpointError, ModelNotFound, PairMismatch
            As `TextEncoder.load`.
        """
        return cls(TextEncoder.load(checkpoint, language_model), checkpoint, language_model, train_modality)

    def forward(self, prompts: Sequence[TrainingPrompt]) -> Tensor:
        device = self.modality_embed.weight.device
        features = torch.stack([self._feature(query_text(prompt.text)) for prompt in prompts])
        for prompt in prompts:
            if prompt.modality not in MODALITY_ROWS:
                raise PromptError(f"SAT knows no modality '{prompt.modality}'.")
        rows = torch.tensor([MODALITY_ROWS[prompt.modality] for prompt in prompts], device=device)
        return features.to(device) + self.modality_embed(rows)

    def _feature(self, text: str) -> Tensor:
        known = self._features.get(text)
        if known is None:
            # One text at a time: in company it would be rounded otherwise, and a resumed training would differ.
            known = self._features[text] = torch.from_numpy(self.encoder.features([text])[0])
        return known


class LabelQueries(Queries):
    """One vector per (text, modality): a bank's, or free ones that are trained with the network.

    Parameters
    ----------
    labels : tuple[Label, ...]
        Text and modality of each vector.
    vectors : Tensor
        (labels, query_dim) start values.
    trained : bool
        Whether they are trained.
    """

    def __init__(self, labels: Sequence[Label], vectors: Tensor, trained: bool) -> None:
        super().__init__()
        if len(labels) != len(vectors):
            raise ValueError(f"{len(labels)} labels, but {len(vectors)} vectors")
        self.labels: tuple[Label, ...] = tuple((query_text(text), modality) for text, modality in labels)
        self.query_dim = vectors.shape[1]
        self.vectors = nn.Parameter(vectors.detach().clone().float(), requires_grad=trained)
        self._rows = {label: row for row, label in enumerate(self.labels)}

    @classmethod
    def free(cls, labels: Sequence[Label], query_dim: int, seed: int = 0) -> LabelQueries:
        """Random vectors, to be trained with the network."""
        random = torch.Generator().manual_seed(seed)
        return cls(labels, torch.randn(len(labels), query_dim, generator=random), trained=True)

    @classmethod
    def of_bank(cls, bank: EmbeddingBank, trained: bool = False) -> LabelQueries:
        """The vectors of an embedding bank."""
        vectors = [torch.from_numpy(bank.lookup(*label).copy()) for label in bank.labels]
        return cls(bank.labels, torch.stack(vectors), trained)

    def forward(self, prompts: Sequence[TrainingPrompt]) -> Tensor:
        rows = [self._row(prompt) for prompt in prompts]
        return self.vectors[torch.tensor(rows, device=self.vectors.device)]

    def bank(self, labels: Sequence[Label]) -> EmbeddingBank:
        """The vectors of these labels as they are now. No text checkpoint made them: their own digest names them.

        Raises
        ------
        PromptError
            There is no vector for a label.
        """
        with torch.no_grad():
            vectors = self([TrainingPrompt(*label) for label in labels]).cpu().numpy()
        digest = hashlib.sha256(vectors.tobytes()).hexdigest()
        return EmbeddingBank(labels, vectors, digest, "trained with the network")

    def _row(self, prompt: TrainingPrompt) -> int:
        row = self._rows.get((query_text(prompt.text), prompt.modality))
        if row is None:
            raise PromptError(
                f"There is no query for '{prompt.text}' in {prompt.modality}.",
                "Name it among the labels, or train with a text encoder.",
            )
        return row
