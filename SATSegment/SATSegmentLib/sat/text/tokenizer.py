"""Words to token ids, exactly as SAT was trained with them.

The reference frames every text with the vocabulary rows that are literally called `[CLS]` and `[SEP]`, also where
the vocabulary (MPNet's) has other special tokens of its own, pads with zeros, and masks by "id greater than 0".
A tokenizer's default call gives other ids, other embeddings, and quietly worse masks. Only a vocabulary without such
rows (RoBERTa's), which no released encoder has, is framed and padded with its own special tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib.errors import ModelNotFound, PairMismatch, SATSegmentError, WrongCheckpointKind

_START, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
_OTHER_FRAME = ("<s>", "</s>", "<unk>", "<pad>")

# Added tokens, which are found in a text before it is split into words, as the models' own tokenizer files have them.
_MPNET_ADDED = ("<s>", "<pad>", "</s>", "<unk>", _UNKNOWN, "<mask>")
_BERT_ADDED = ("[PAD]", _UNKNOWN, _START, _END, "[MASK]")

_REMEDY = "Put the text encoder's own tokenizer.json (or vocab.txt) and config.json into the folder."


def query_text(text: str) -> str:
    """The form of a prompt that is embedded: queries are lower-cased, before anything else is done to them."""
    return text.lower()


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Tokenised texts, padded to the longest of them.

    Attributes
    ----------
    input_ids : np.ndarray
        int64, shape (texts, tokens); zero where padded, or the padding row of a vocabulary of another kind.
    attention_mask : np.ndarray
        int64, same shape: 1 where the id is greater than 0, or within the text's own length.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray


class TextTokenizer:
    """A WordPiece tokenizer (BERT's, MPNet's) used the way SAT uses it; or another one, with its own special tokens.

    Parameters
    ----------
    tokenizer : Any
        A `tokenizers.Tokenizer`, without padding and truncation.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        frame = [tokenizer.token_to_id(token) for token in (_START, _END, _UNKNOWN)]
        other = [tokenizer.token_to_id(token) for token in _OTHER_FRAME]
        if None not in frame:
            self._padding = None
        elif None not in other:
            *frame, self._padding = other
        else:
            raise WrongCheckpointKind(
                f"The vocabulary has no row {_START}, {_END} or {_UNKNOWN}; it is no language model's vocabulary.",
                _REMEDY,
            )
        self._start, self._end, self._unknown = frame

    @classmethod
    def from_folder(cls, folder: Path) -> TextTokenizer:
        """Read `tokenizer.json`, or build the tokenizer from `vocab.txt` where there is none. Never goes online.

        Raises
        ------
        SATSegmentError
            The packages for free text are not installed.
        ModelNotFound
            The folder has neither file.
        WrongCheckpointKind
            The file is damaged, or of another kind of tokenizer.
        PairMismatch
            The folder has both, and they are of different language models.
        """
        _require_package()
        folder = Path(folder).expanduser()
        readers = (("tokenizer.json", _read_json), ("vocab.txt", _build_from_vocabulary))
        found = [read(folder / name) for name, read in readers if (folder / name).is_file()]
        if len(found) > 1:
            _compare(found[0], found[1], folder.name)
        if found:
            return cls(found[0])
        raise ModelNotFound(f"There is no tokenizer.json and no vocab.txt in {folder.name}.", _REMEDY)

    @property
    def vocabulary_size(self) -> int:
        """Number of rows of the vocabulary."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def vocabulary_sha256(self) -> str:
        """SHA-256 of the vocabulary written as a `vocab.txt`: one row a line, in the order of the ids."""
        rows = sorted(self._tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda row: row[1])
        return hashlib.sha256("".join(f"{token}\n" for token, _ in rows).encode()).hexdigest()

    def has_rows(self, rows: Mapping[str, int]) -> bool:
        """Whether these words have these ids."""
        return all(self._tokenizer.token_to_id(word) == row for word, row in rows.items())

    def token_ids(self, text: str, max_tokens: int) -> list[int]:
        """Token ids of one text in its frame; cut to `max_tokens`, with the last one forced to `[SEP]`."""
        # Half a surrogate pair is no character, and cannot be handed to the tokenizer.
        text = query_text(text).encode("utf-8", "ignore").decode("utf-8")
        ids = [self._start, *self._tokenizer.encode(text, add_special_tokens=False).ids, self._end]
        return ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], self._end]

    def says_something(self, ids: Sequence[int]) -> bool:
        """Whether there is a known word piece between `[CLS]` and `[SEP]`."""
        return any(token != self._unknown for token in ids[1:-1])

    def batch(self, texts: Sequence[str], max_tokens: int) -> TokenBatch:
        """Tokenise several texts and pad them to the longest."""
        return self.padded([self.token_ids(text, max_tokens) for text in texts])

    def padded(self, rows: Sequence[Sequence[int]]) -> TokenBatch:
        """Token ids of several texts as one batch, padded to the longest."""
        input_ids = np.full((len(rows), max(map(len, rows), default=0)), self._padding or 0, np.int64)
        for index, row in enumerate(rows):
            input_ids[index, : len(row)] = row
        if self._padding is None:
            return TokenBatch(input_ids, (input_ids > 0).astype(np.int64))
        lengths = np.array([len(row) for row in rows], np.int64).reshape(-1, 1)
        return TokenBatch(input_ids, (np.arange(input_ids.shape[1]) < lengths).astype(np.int64))


def _require_package() -> None:
    try:
        for package in ("tokenizers", "transformers"):
            import_module(package)
    except ImportError as error:
        raise SATSegmentError(
            "Free text needs the package transformers, which is not installed.",
            "Install it (pip install transformers), or use one of the model's labels.",
        ) from error


def _read_json(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception for whatever is wrong with the file
        raise WrongCheckpointKind(f"{path.name} is damaged or no tokenizer file.", _REMEDY) from error
    # Published files carry the settings of their last use, such as padding everything to 128 tokens.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _compare(tokenizer: Any, vocabulary: Any, folder: str) -> None:
    """Refuse two vocabularies that number a word differently; either may have words that the other lacks."""
    theirs = vocabulary.get_vocab(with_added_tokens=True)
    for word, row in tokenizer.get_vocab(with_added_tokens=True).items():
        if theirs.get(word, row) != row:
            raise PairMismatch(
                f"tokenizer.json and vocab.txt in {folder} are of different language models: {word!r} is word {row} of "
                f"one and {theirs[word]} of the other.",
                _REMEDY,
            )


def _build_from_vocabulary(path: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    try:
        # Not splitlines: some rows are characters that it takes for line ends.
        rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise WrongCheckpointKind(f"{path.name} is damaged or no vocabulary.", _REMEDY) from error
    vocabulary = {row: index for index, row in enumerate(rows)}
    if len(vocabulary) != len(rows) or _UNKNOWN not in vocabulary:
        raise WrongCheckpointKind(f"{path.name} is no WordPiece vocabulary.", _REMEDY)
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=_UNKNOWN, max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    added = _MPNET_ADDED if "<s>" in vocabulary else _BERT_ADDED
    tokenizer.add_special_tokens(
        # The mask token takes the blank before it along, and <unk> is looked for in the normalised text.
        [
            AddedToken(token, lstrip=token == "<mask>", normalized=token == "<unk>", special=True)
            for token in added
            if token in vocabulary
        ]
    )
    return tokenizer
