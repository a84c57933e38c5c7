"""The queries of known prompts, computed once per text checkpoint and kept in one small file.

A query is constant for a text and a modality, so all 498 trained labels fit in 1.5 MB; reading them needs neither
the text encoder nor transformers nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from SATSegmentLib.errors import (
    Cancelled,
    CheckpointError,
    IncompleteCheckpoint,
    ModelNotFound,
    PairMismatch,
    PromptError,
    TruncatedCheckpoint,
    WrongCheckpointKind,
)
from SATSegmentLib.files import atomic_path, check_readable
from SATSegmentLib.sat.text.tokenizer import query_text
from SATSegmentLib.types import MODALITIES, Modality, Progress

if TYPE_CHECKING:
    from SATSegmentLib.sat.text.encoder import TextEncoder

Label = tuple[str, Modality]

_FORMAT = "satsegment-embedding-bank-1"
_TENSOR = "queries"
_REMEDY = "Convert the model again; that writes a new embedding bank."

# Texts between two looks at the cancel button while a bank is built.
_CHUNK = 64


class EmbeddingBank:
    """Query vectors of (text, modality) labels, all from one text encoder.

        bank = EmbeddingBank.load(folder / "bank.safetensors")
        bank.require_source(text_sha256)
        bank.lookup("left kidney", "ct")    # (768,) float32

    Parameters
    ----------
    labels : tuple[Label, ...]
        Text and modality of each query; texts are kept lower-cased, as they are embedded.
    queries : np.ndarray
        Float array of shape (labels, query_dim).
    source_sha256 : str
        SHA-256 of the text checkpoint (or of what else made the queries).
    encoder : str
        What made them ("ours", "medcpt", "basebert", or another name).

    Raises
    ------
    IncompleteCheckpoint
        Labels and queries do not fit together, a label is there twice, its modality is unknown,
        or a query is not finite.
    """

    def __init__(self, labels: Sequence[Label], queries: np.ndarray, source_sha256: str, encoder: str) -> None:
        self.labels: tuple[Label, ...] = tuple((query_text(text), modality) for text, modality in labels)
        # A copy, read-only: what `lookup` hands out must not change the bank.
        self._queries = np.array(queries, np.float32)
        self._queries.flags.writeable = False
        self.source_sha256 = source_sha256
        self.encoder = encoder
        self._rows = {label: row for row, label in enumerate(self.labels)}
        if problem := self._problem():
            raise IncompleteCheckpoint(f"This embedding bank is not valid: {problem}.", _REMEDY)

    @classmethod
    def build(
        cls,
        text_encoder: TextEncoder,
        labels: Iterable[Label],
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> EmbeddingBank:
        """Compute the queries of `labels`; each text goes through the encoder once, whatever its modalities.

        Raises
        ------
        PromptError
            A text without a known word, or an unknown modality.
        Cancelled
            `cancel` said so.
        """
        labels = tuple(dict.fromkeys((query_text(text), modality) for text, modality in labels))
        texts = sorted({text for text, _ in labels}, key=lambda text: (len(text), text))
        features: dict[str, np.ndarray] = {}
        for start in range(0, len(texts), _CHUNK):
            if cancel is not None and cancel():
                raise Cancelled
            chunk = texts[start : start + _CHUNK]
            features.update(zip(chunk, text_encoder.features(chunk), strict=True))
            if progress is not None:
                progress(Progress(len(features) / len(texts), f"label {len(features)} of {len(texts)}"))
        modalities = text_encoder.modality_vectors([modality for _, modality in labels])
        queries = np.array([features[text] for text, _ in labels]).reshape(modalities.shape) + modalities
        return cls(labels, queries, text_encoder.sha256, text_encoder.kind)

    @classmethod
    def load(cls, path: Path) -> EmbeddingBank:
        """Read a bank.

        Raises
        ------
        ModelNotFound
            No such file.
        CheckpointError
            It cannot be opened.
        TruncatedCheckpoint
            The file ends too early or is damaged.
        WrongCheckpointKind
            A safetensors file, but no embedding bank.
        IncompleteCheckpoint
            Its parts do not fit together.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path).expanduser()
        if not path.is_file():
            raise ModelNotFound(f"There is no embedding bank {path.name}.", _REMEDY)
        check_readable(CheckpointError, path)
        try:
            with safe_open(path, framework="np") as file:
                about = file.metadata() or {}
                if about.get("format") != _FORMAT or list(file.keys()) != [_TENSOR]:
                    raise WrongCheckpointKind(f"{path.name} is no embedding bank.", _REMEDY)
                queries = file.get_tensor(_TENSOR)
            labels = cast("list[Label]", [(str(text), modality) for text, modality in json.loads(about["labels"])])
            return cls(labels, queries, about["source_sha256"], about["encoder"])
        except (SafetensorError, OSError) as error:
            raise TruncatedCheckpoint(f"{path.name} is damaged or ends too early.", _REMEDY) from error
        except (KeyError, TypeError, ValueError) as error:
            raise IncompleteCheckpoint(f"{path.name} does not say what its queries belong to.", _REMEDY) from error

    def save(self, path: Path) -> Path:
        """Write the bank, whole or not at all, over an older one of that name; returns the path.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        from safetensors.numpy import save

        about = {
            "format": _FORMAT,
            "source_sha256": self.source_sha256,
            "encoder": self.encoder,
            "modalities": json.dumps(sorted({modality for _, modality in self.labels})),
            "labels": json.dumps(self.labels, ensure_ascii=False),
        }
        path = Path(path).expanduser()
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_bytes(save({_TENSOR: self._queries}, about))
        return path

    @property
    def query_dim(self) -> int:
        """Length of a query."""
        return self._queries.shape[1]

    def __len__(self) -> int:
        return len(self.labels)

    def has(self, text: str, modality: Modality) -> bool:
        """Whether the bank knows this label."""
        return (query_text(text), modality) in self._rows

    def lookup(self, text: str, modality: Modality) -> np.ndarray:
        """The query of a label: float32, shape (query_dim,), read-only.

        Raises
        ------
        PromptError
            The bank does not know the label.
        """
        row = self._rows.get((query_text(text), modality))
        if row is None:
            known = [other for other in MODALITIES if self.has(text, other)]
            remedy = f"It is known for {' and '.join(known)}." if known else "Choose one of the model's labels."
            raise PromptError(f"The model does not know '{text}' in {modality}.", remedy)
        return self._queries[row]

    def require_source(self, source_sha256: str) -> None:
        """Refuse to serve another text checkpoint than the one that made the queries.

        Raises
        ------
        PairMismatch
            The SHA-256 differs.
        """
        if source_sha256 != self.source_sha256:
            raise PairMismatch(
                "The embedding bank was made by another text encoder than the one given.",
                "Use the text encoder that was released with the network, or convert the model again.",
            )

    def _problem(self) -> str:
        if self._queries.ndim != 2 or len(self._queries) != len(self.labels):
            return f"{len(self.labels)} labels, but queries of the shape {self._queries.shape}"
        if len(self._rows) != len(self.labels):
            return "a label is there twice"
        if unknown := {modality for _, modality in self.labels} - set(MODALITIES):
            return f"unknown modality {sorted(map(str, unknown))}"
        if not np.isfinite(self._queries).all():
            return "a query holds values that are not finite"
        return ""
