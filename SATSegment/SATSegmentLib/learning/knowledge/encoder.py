"""The encoder that learns: any Hugging Face language model, with SAT's projection behind it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from SATSegmentLib.errors import ModelNotFound, PairMismatch, SATSegmentError
from SATSegmentLib.learning.saving import save_atomically
from SATSegmentLib.sat.text.checkpoint import check_complete, read_text_weights, tower_prefix
from SATSegmentLib.sat.text.encoder import QueryModule
from SATSegmentLib.sat.text.tokenizer import TextTokenizer
from SATSegmentLib.sat.text.transformer import drop_pooler

_FILES = ("config.json", "tokenizer.json", "vocab.txt")
CHECKPOINT_FILE = "text_encoder.pth"


class LearningEncoder:
    """A text encoder of the kind `ours` in training.

    Attributes
    ----------
    module : QueryModule
        The torch module, in float32.
    tokenizer : TextTokenizer
        Of the language model.
    folder : Path
        The language model's files.
    max_tokens : int
        Longer texts are cut.
    device
        Where the module is.
    """

    def __init__(self, module: QueryModule, tokenizer: TextTokenizer, folder: Path, max_tokens: int) -> None:
        self.module, self.tokenizer, self.folder, self.max_tokens = module, tokenizer, folder, max_tokens
        self.device = torch.device("cpu")

    @classmethod
    def start(
        cls, folder: Path, query_dim: int, projection_dim: int, max_tokens: int, seed: int = 0
    ) -> LearningEncoder:
        """The language model in `folder` (config.json, weights, tokenizer files), with a projection from nothing.

        Raises
        ------
        ModelNotFound
            The folder has no language model that transformers reads.
        WrongCheckpointKind
            Its tokenizer is of a kind that text encoders cannot use.
        """
        folder = Path(folder).expanduser()
        transformer = _read_transformer(folder)
        tokenizer = TextTokenizer.from_folder(folder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = transformer.config.hidden_size
            module = QueryModule(transformer, "ours", width, (projection_dim, query_dim))
            # A modality that was never trained adds nothing.
            modality: nn.Embedding = module.head["modality_embed"]  # type: ignore[assignment]
            nn.init.zeros_(modality.weight)
        return cls(module, tokenizer, folder, max_tokens)

    def to(self, device: torch.device) -> LearningEncoder:
        """Move the module; returns the encoder."""
        self.module.to(device)
        self.device = device
        return self

    def continue_from(self, checkpoint: Path) -> None:
        """Take the weights of a checkpoint that `write` made around the same language model.

        Raises
        ------
        CheckpointError
            The file is no text encoder, or one of another language model or other widths.
        """
        weights = read_text_weights(checkpoint)
        if weights.transformer != self.module.transformer.config.model_type:
            raise PairMismatch(
                f"{checkpoint.name} was not made around the language model in {self.folder.name}.",
                "Give the folder of the language model that it was made around.",
            )
        check_complete(weights.backbone, self.module.transformer.state_dict(), weights.name)
        check_complete(weights.head, self.module.head.state_dict(), weights.name)
        self.module.transformer.load_state_dict(weights.backbone)
        self.module.head.load_state_dict(weights.head)

    def train_upper_layers(self, layers: int) -> None:
        """Let only the last `layers` layers and the projection learn; 0 is everything."""
        transformer = self.module.transformer
        transformer.requires_grad_(layers == 0)
        blocks = _blocks(transformer)
        for block in blocks[len(blocks) - layers :] if layers else ():
            block.requires_grad_(True)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Features of the texts, shape (texts, query_dim), with gradients where these are on."""
        found: list[Tensor | None] = [None] * len(texts)
        for chosen in self._alike(texts):
            rows = self.module(*self._tokens([texts[number] for number in chosen]))
            for number, row in zip(chosen, rows.unbind(), strict=True):
                found[number] = row
        return torch.stack([row for row in found if row is not None])

    def features(self, texts: Sequence[str]) -> np.ndarray:
        """The same without gradients, for many texts, float32."""
        return self._many(texts, self.module)

    def language_features(self, texts: Sequence[str]) -> np.ndarray:
        """What the language model alone says: the mean over the tokens, before the projection."""

        def mean(ids: Tensor, mask: Tensor) -> Tensor:
            states = self.module.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).to(states.dtype)
            return (states * weight).sum(1) / weight.sum(1)

        return self._many(texts, mean)

    def write(self, path: Path, step: int, half: bool = False) -> Path:
        """Write a text checkpoint in the released layout, whole or not at all; `TextEncoder.load` reads it."""
        prefix = tower_prefix(self.module.transformer.config.model_type)
        tensors = {prefix + key: tensor for key, tensor in self.module.transformer.state_dict().items()}
        tensors |= self.module.head.state_dict()
        kind = torch.float16 if half else torch.float32
        state = {f"module.{key}": tensor.detach().to("cpu", kind).contiguous() for key, tensor in tensors.items()}
        save_atomically({"step": step, "model_state_dict": state}, path)
        return path

    def write_language_files(self, folder: Path) -> None:
        """Copy config.json and the tokenizer files that `TextEncoder.load` needs beside the checkpoint."""
        for name in _FILES:
            if (self.folder / name).is_file() and self.folder.resolve() != folder.resolve():
                shutil.copyfile(self.folder / name, folder / name)

    def _alike(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of the texts in groups of like length: names padded to a definition's length double the work."""
        lengths = [len(self.tokenizer.token_ids(text, self.max_tokens)) for text in texts]
        groups: list[list[int]] = []
        for number in sorted(range(len(texts)), key=lambda number: lengths[number]):
            if groups and lengths[number] <= 1.5 * lengths[groups[-1][0]]:
                groups[-1].append(number)
            else:
                groups.append([number])
        return groups

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        batch = self.tokenizer.batch(texts, self.max_tokens)
        return torch.from_numpy(batch.input_ids).to(self.device), torch.from_numpy(batch.attention_mask).to(self.device)

    def _many(self, texts: Sequence[str], function: Any, size: int = 128) -> np.ndarray:
        training = self.module.training
        self.module.eval()
        rows: list[np.ndarray | None] = [None] * len(texts)
        # Texts of one length together: padding costs time and changes nothing.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        with torch.inference_mode():
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                found = function(*self._tokens([texts[number] for number in chosen])).cpu().numpy()
                for number, row in zip(chosen, found, strict=True):
                    rows[number] = row
        self.module.train(training)
        return np.array(rows, np.float32)


def _blocks(transformer: Any) -> Sequence[Any]:
    """The layers of a language model, lowest first, whatever its family calls them."""
    depth = transformer.config.num_hidden_layers
    for module in transformer.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return list(module)
    raise SATSegmentError("The language model's layers cannot be told apart.", "Train all of it (trained_layers = 0).")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Without its bars and its report on the pooler, which is not used."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _read_transformer(folder: Path) -> Any:
    try:
        from transformers import AutoModel
    except ImportError as error:
        raise SATSegmentError(
            "Pretraining needs the package transformers, which is not installed.", "pip install transformers"
        ) from error
    if not (folder / "config.json").is_file():
        raise ModelNotFound(
            f"There is no language model in {folder.name}: it has no config.json.",
            "Give the folder of a Hugging Face encoder: config.json, model.safetensors and its tokenizer files.",
        )
    try:
        with _quiet_transformers():
            transformer = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFound(
            f"The language model in {folder.name} cannot be read: {error}", "Check the folder's files."
        ) from error
    drop_pooler(transformer)
    return transformer
