"""The text side of a model folder: its embedding bank, and its text encoder where there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from SATSegmentLib.sat.embedding_bank import EmbeddingBank
from SATSegmentLib.sat.model_folder import BANK_FILE, TEXT_FOLDER, ModelDescription
from SATSegmentLib.sat.queries import QueryEncoder

if TYPE_CHECKING:
    from SATSegmentLib.sat.text_encoder import TextEncoder


def load_query_encoder(folder: Path, description: ModelDescription, query_dim: int) -> QueryEncoder:
    """What turns a model's prompts into queries; the text encoder itself is loaded only for free text.

    Raises
    ------
    PairMismatch: the bank was made by another text encoder than model.json names.
    CheckpointError: the bank is damaged.
    """
    bank = None
    if (folder / BANK_FILE).is_file():
        bank = EmbeddingBank.load(folder / BANK_FILE)
        bank.require_source(description.text_sha256)
    return QueryEncoder(query_dim, bank, _loader(folder / TEXT_FOLDER, description.text_sha256))


def _loader(folder: Path, source_sha256: str) -> Callable[[], TextEncoder] | None:
    if not folder.is_dir():
        return None

    def load() -> TextEncoder:
        # Here, because transformers takes seconds to import and trained labels never need it.
        from SATSegmentLib.sat.text_folder import read_text_folder

        return read_text_folder(folder, source_sha256)

    return load
