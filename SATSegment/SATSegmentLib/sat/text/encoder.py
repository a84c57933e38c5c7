"""SAT's text encoders: a text and a modality in, a query vector out.

Three were released. `ours` is BioLORD (an MPNet) with a projection, pretrained on anatomical knowledge; `medcpt` and
`basebert` are plain BERTs whose first token is taken. Each adds a vector for the modality. What our own pretraining
(`learning.knowledge`) makes is of the kind `ours` too, around any language model. All are built offline, from
the checkpoint and a folder with the language model's config.json and tokenizer files.

Sources: Zhao et al., "One Model to Rule them All: Towards Universal Segmentation for Medical Images with Text
Prompts", 2023; Remy et al., "BioLORD-2023", 2024; Jin et al., "MedCPT", 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from SATSegmentLib.errors import PairMismatch, PromptError, WrongCheckpointKind
from SATSegmentLib.sat.checkpoint.family import Family
from SATSegmentLib.sat.text.checkpoint import (
    CHALLENGE_ROWS,
    MODALITY_COUNT,
    MODALITY_ROWS,
    TextWeights,
    check_complete,
    read_text_weights,
)
from SATSegmentLib.sat.text.tokenizer import TextTokenizer
from SATSegmentLib.sat.text.transformer import build_transformer, fill_transformer

EncoderKind = Literal["ours", "medcpt", "basebert"]

# Longest text in tokens, with its frame; what is longer is cut, as in the reference.
_MAX_TOKENS: dict[EncoderKind, int] = {"ours": 256, "medcpt": 64, "basebert": 64}

# `medcpt` and `basebert` have equal tensor names and shapes; only the vocabulary tells them apart. This is the
# SHA-256 of the vocab.txt that Google published with BERT-base-uncased.
_BERT_UNCASED_VOCABULARY = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"

# What PubMedBERT's vocabulary, which MedCPT has, begins with.
_PUBMED_FRAME = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}

# Texts that go through the transformer together: enough to be fast, few enough for a small machine.
_BATCH = 32


class QueryModule(nn.Module):
    """Token ids to text features, and the modality's vector to add.

    Parameters
    ----------
    transformer : Any
        Gives `last_hidden_state`, shape (texts, tokens, width).
    kind : EncoderKind
        Decides the pooling: the mean over the tokens (`ours`), or the first token.
    width : int
        Of the transformer.
    projection : tuple[int, int]
        Hidden and output width of `ours`'s projection.
    modalities : int, optional
        Rows of the modality embedding.
    """

    def __init__(
        self,
        transformer: Any,
        kind: EncoderKind,
        width: int,
        projection: tuple[int, int],
        modalities: int = MODALITY_COUNT,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.kind = kind
        hidden, self.query_dim = projection if kind == "ours" else (width, width)
        self.head = nn.ModuleDict({"modality_embed": nn.Embedding(modalities, self.query_dim)})
        if kind == "ours":
            self.head["projection_layer"] = nn.Sequential(
                nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, self.query_dim)
            )

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Features of the texts without their modality, shape (texts, query_dim); not normalised.

        Parameters
        ----------
        input_ids, attention_mask : Tensor
            int64, shape (texts, tokens).
        """
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.kind != "ours":
            return states[:, 0]
        weight = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return self.head["projection_layer"](mean)

    def modality_vectors(self, rows: Tensor) -> Tensor:
        """Vectors of the modalities in these rows (see `MODALITY_ROWS`), shape (len(rows), query_dim)."""
        return self.head["modality_embed"](rows)


class TextEncoder:
    """A SAT text encoder, ready to turn prompts into queries. Runs on the CPU, in float32.

        encoder = TextEncoder.load(Path("nano_text_encoder.pth"), Path("BioLORD-2023-C"))
        queries = encoder.embed(["left kidney", "liver"], ["ct", "ct"])    # (2, 768)

    Attributes
    ----------
    kind
        "ours", "medcpt" or "basebert".
    sha256 : str
        Of the checkpoint; embedding banks are keyed by it.
    query_dim
        Length of a query.
    max_tokens
        Longest text in tokens, with its frame; longer ones are cut.
    module : QueryModule
        The torch module.
    tokenizer : TextTokenizer
        The tokenizer.
    """

    def __init__(
        self, module: QueryModule, tokenizer: TextTokenizer, sha256: str, rows: Mapping[Any, int] = MODALITY_ROWS
    ) -> None:
        self.module = module.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.sha256 = sha256
        self._rows = rows
        self.kind = module.kind
        self.query_dim = module.query_dim
        config = module.transformer.config
        self.max_tokens = min(_MAX_TOKENS[self.kind], _positions(config))

    @classmethod
    def load(
        cls, checkpoint: Path, folder: Path, kind: EncoderKind | None = None, family: Family = "sat"
    ) -> TextEncoder:
        """Read a released text checkpoint.

        Parameters
        ----------
        checkpoint : Path
            `.pth` or `.safetensors`.
        folder : Path
            Has the language model's config.json and tokenizer.json (or vocab.txt).
        kind : EncoderKind | None, optional
            What the checkpoint is known to be. Without it the file decides between `ours` and the BERTs, and
            the vocabulary between these two.
        family : Family, optional
            "sat", or "cvpr25" for the text encoder of the CVPR 2025 challenge.

        Raises
        ------
        CheckpointError
            One of its kinds: not a text encoder, incomplete, damaged, hostile.
        ModelNotFound
            The folder lacks a file.
        PairMismatch
            Checkpoint and folder are of different language models.
        """
        return cls.from_weights(read_text_weights(checkpoint, family), folder, kind, family)

    @classmethod
    def from_weights(
        cls, weights: TextWeights, folder: Path, kind: EncoderKind | None = None, family: Family = "sat"
    ) -> TextEncoder:
        """As `load`, from a checkpoint that was read before."""
        folder = Path(folder).expanduser()
        tokenizer = TextTokenizer.from_folder(folder)
        if weights.vocabulary_sha256 not in ("", tokenizer.vocabulary_sha256()):
            raise PairMismatch(
                f"The vocabulary in {folder.name} is not the one that {weights.name} was converted with.",
                "Convert the model again, with the tokenizer files of the text encoder's own language model.",
            )
        found = _kind(weights, tokenizer)
        if kind is not None and kind != found:
            raise WrongCheckpointKind(
                f"{weights.name} with the vocabulary in {folder.name} is the text encoder '{found}', not '{kind}'.",
                "Use the checkpoint of that encoder, and the tokenizer files of its own language model.",
            )
        rows: Mapping[Any, int] = CHALLENGE_ROWS if family == "cvpr25" else MODALITY_ROWS
        return cls(_build(weights, tokenizer, folder, found, family), tokenizer, weights.sha256, rows)

    @property
    def vocabulary_doubt(self) -> str:
        """For people, what about the vocabulary could not be told; empty where nothing is left open."""
        if self.kind != "medcpt" or self.tokenizer.has_rows(_PUBMED_FRAME):
            return ""
        return (
            "The text encoder was taken for MedCPT, because its vocabulary is not BERT's; but it does not begin as "
            "MedCPT's does. With another vocabulary than its own a text encoder gives plausible but wrong masks."
        )

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """Features of texts without modality, float32, shape (texts, query_dim); not normalised.

        Raises
        ------
        PromptError
            A text holds no word that the vocabulary knows.
        """
        rows = [self.tokenizer.token_ids(text, self.max_tokens) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if not self.tokenizer.says_something(row):
                raise PromptError(f"The text encoder knows no word of the prompt '{text}'.", "Write it in English.")
        result = np.empty((len(rows), self.query_dim), np.float32)
        for chosen in _batches([len(row) for row in rows]):
            batch = self.tokenizer.padded([rows[index] for index in chosen])
            with torch.inference_mode():
                result[chosen] = self.module(
                    torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
                ).numpy()
        return result

    def modality_vectors(self, modalities: Sequence[str]) -> np.ndarray:
        """What each modality adds to a text's features, float32, shape (modalities, query_dim).

        Raises
        ------
        PromptError
            A modality that SAT was not trained on.
        """
        for modality in modalities:
            if modality not in self._rows:
                raise PromptError(f"SAT knows no modality '{modality}'.", f"Choose one of {', '.join(self._rows)}.")
        rows = torch.tensor([self._rows[modality] for modality in modalities], dtype=torch.long)
        with torch.inference_mode():
            return self.module.modality_vectors(rows).numpy()

    def embed(self, texts: Sequence[str], modalities: Sequence[str]) -> np.ndarray:
        """Queries for the network, float32, shape (texts, query_dim): features plus the modality's vector.

        Parameters
        ----------
        texts : Sequence[str]
            Prompts; they are lower-cased.
        modalities : Sequence[str]
            One for each text.

        Raises
        ------
        PromptError
            A text without a known word, or an unknown modality.
        """
        if len(texts) != len(modalities):
            raise ValueError(f"{len(texts)} texts, but {len(modalities)} modalities")
        return self.features(texts) + self.modality_vectors(modalities)


def _positions(config: Any) -> int:
    """How many tokens a language model has positions for."""
    rows = getattr(config, "max_position_embeddings", max(_MAX_TOKENS.values()))
    if config.model_type in ("bert", "distilbert", "electra"):
        return rows
    # MPNet and RoBERTa count positions from their padding row on.
    return rows - ((config.pad_token_id or 0) + 1)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of texts that go through the transformer together: padding costs time and changes nothing."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        last = batches[-1] if batches else []
        if last and len(last) < _BATCH and lengths[index] <= 2 * lengths[last[0]]:
            last.append(index)
        else:
            batches.append([index])
    return batches


def _kind(weights: TextWeights, tokenizer: TextTokenizer) -> EncoderKind:
    if weights.projected:
        return "ours"
    return "basebert" if tokenizer.vocabulary_sha256() == _BERT_UNCASED_VOCABULARY else "medcpt"


def _build(
    weights: TextWeights, tokenizer: TextTokenizer, folder: Path, kind: EncoderKind, family: Family
) -> QueryModule:
    with torch.device("meta"):
        transformer = build_transformer(weights, folder)
        width = transformer.config.hidden_size
        modalities = len(CHALLENGE_ROWS) if family == "cvpr25" else MODALITY_COUNT
        module = QueryModule(transformer, kind, width, _projection(weights, width), modalities)
    rows = transformer.config.vocab_size
    if tokenizer.vocabulary_size != rows:
        raise PairMismatch(
            f"{weights.name} has {rows} words, but the vocabulary in {folder.name} has {tokenizer.vocabulary_size}.",
            "Use the tokenizer files of the language model that the text encoder is based on.",
        )
    check_complete(weights.backbone, transformer.state_dict(), weights.name)
    check_complete(weights.head, module.head.state_dict(), weights.name)
    fill_transformer(transformer, weights.backbone)
    # Copied: where in memory a mapped file has its numbers decides the last bit of their products.
    head = {key: tensor.to(torch.float32, copy=True) for key, tensor in weights.head.items()}
    module.head.load_state_dict(head, assign=True)
    return module


def _projection(weights: TextWeights, width: int) -> tuple[int, int]:
    """Hidden and output width of the projection; the transformer's own where the file does not tell."""
    hidden, query_dim = (weights.head.get(f"projection_layer.{index}.weight") for index in (0, 2))
    if hidden is None or query_dim is None or not hidden.ndim == query_dim.ndim == 2:
        return width, width
    return len(hidden), len(query_dim)
