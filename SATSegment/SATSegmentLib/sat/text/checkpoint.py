"""From a weight file to the tensors of a text encoder: what kind of file it is, and whether it is all there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from SATSegmentLib.errors import WrongCheckpointKind
from SATSegmentLib.sat.checkpoint.family import Family
from SATSegmentLib.sat.checkpoint.file import read_checkpoint_file, require_complete
from SATSegmentLib.sat.shapes import incomplete
from SATSegmentLib.types import Modality

# Metadata of a converted text encoder: SHA-256 of the checkpoint it was converted from, and of the vocabulary it reads.
SOURCE_KEY = "source_sha256"
VOCABULARY_KEY = "vocabulary_sha256"

# Row of each modality in the modality embedding. Row 2 is ultrasound, which the released weights never saw.
MODALITY_ROWS: dict[Modality, int] = {"ct": 0, "mri": 1, "pet": 3}
MODALITY_COUNT = 4

# The CVPR 2025 challenge's text encoder knows five, in rows of its own.
CHALLENGE_ROWS: dict[str, int] = {"ct": 0, "mri": 1, "us": 2, "pet": 3, "microscopy": 4}

# Where the language model's tensors are. A projected encoder has them in a tower: the released one (an MPNet) is named
# after BioLORD, those of our own pretraining after their model type, as config.json states it ("bert", "roberta").
_TOWER = "text_tower."
_RELEASED_TOWERS = {"biolord": "mpnet"}
_BARE_BERT = "model."

# In released files, but no part of the result: a table of 0, 1, 2, ... that old versions of transformers stored,
# and the pooler, whose output SAT does not use.
_NOT_NEEDED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")

_GET_AN_ENCODER = "Use the text encoder that was released with the network, such as nano_text_encoder.pth."


@dataclass(frozen=True, eq=False)
class TextWeights:
    """A state dict that has the outline of a SAT text encoder; `check_complete` tells whether it is all there.

    Attributes
    ----------
    transformer : str
        Model type of the language model: "mpnet" or "bert" in released files.
    prefix : str
        What the names of its tensors begin with in the file.
    backbone : dict[str, Tensor]
        Its tensors, under its own names.
    head : dict[str, Tensor]
        The other tensors: `modality_embed.weight`, and for `ours` the projection.
    name : str
        Of the file, for messages.
    sha256 : str
        Of the released file; a converted one names the file it came from.
    vocabulary_sha256 : str
        Of the vocabulary that a converted file was converted with; empty where the file does not say.
    """

    transformer: str
    prefix: str
    backbone: dict[str, Tensor]
    head: dict[str, Tensor]
    name: str
    sha256: str
    vocabulary_sha256: str = ""

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that inference needs, under the released names (without `module.`)."""
        return {**{self.prefix + key: tensor for key, tensor in self.backbone.items()}, **self.head}

    @property
    def family(self) -> Family:
        """Told by the rows of the modality embedding."""
        return "cvpr25" if len(self.head["modality_embed.weight"]) == len(CHALLENGE_ROWS) else "sat"

    @property
    def projected(self) -> bool:
        """Whether it is of the kind `ours`, with a projection behind the language model."""
        return self.prefix != _BARE_BERT


@dataclass(frozen=True)
class TransformerShape:
    """Widths and depths of the transformer, read off its tensors.

    Attributes
    ----------
    vocabulary, positions : int
        Rows of the word and position embeddings.
    width, feedforward : int
        Hidden widths.
    layers : int
        Number of layers.
    heads : int | None
        Number of attention heads, where a tensor tells (MPNet's relative attention bias), else None.
    """

    vocabulary: int
    positions: int
    width: int
    feedforward: int
    layers: int
    heads: int | None


def read_text_weights(path: Path, family: Family | None = "sat") -> TextWeights:
    """Read a SAT text encoder of a family, or of any (None), in the released `.pth` layout or as safetensors.

    Raises
    ------
    CheckpointError
        One of its kinds, with the file's real nature and what to get instead.
    """
    path = Path(path).expanduser()
    tensors, sha256 = read_checkpoint_file(path)
    said: dict[str, str] = {}
    if path.suffix == ".safetensors":
        with safe_open(path, framework="np") as file:
            said = file.metadata() or {}
    weights = check_text_weights(tensors, path.name, said.get(SOURCE_KEY, sha256), family)
    return dataclasses.replace(weights, vocabulary_sha256=said.get(VOCABULARY_KEY, ""))


def check_text_weights(
    tensors: dict[str, Tensor], name: str, sha256: str, family: Family | None = "sat"
) -> TextWeights:
    """Find out what the state dict (names without `module.`) is, and take it apart.

    Raises
    ------
    WrongCheckpointKind
        A network, a pretraining file, or a text encoder of another family.
    """
    _refuse_other_kinds(tensors, name, family)
    transformer, prefix = _language_model(tensors)
    backbone = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    head = {key: tensor for key, tensor in tensors.items() if not key.startswith(prefix)}
    if not backbone:
        raise WrongCheckpointKind(f"{name} is no SAT text encoder: it holds no language model.", _GET_AN_ENCODER)
    for key in _NOT_NEEDED:
        backbone.pop(key, None)
    return TextWeights(transformer, prefix, backbone, head, name, sha256)


def tower_prefix(transformer: str) -> str:
    """What the names of a language model's tensors begin with in a projected encoder (without `module.`)."""
    released = {model: tower for tower, model in _RELEASED_TOWERS.items()}
    return f"{_TOWER}{released.get(transformer, transformer)}."


def transformer_shape(weights: TextWeights) -> TransformerShape:
    """The hyper-parameters that the tensors' shapes tell.

    Raises
    ------
    IncompleteCheckpoint
        A tensor that tells one is missing, or has the wrong number of axes.
    """
    keys = [f"embeddings.{name}_embeddings.weight" for name in ("word", "position")]
    keys += ["encoder.layer.0.intermediate.dense.weight"]
    keys += ["encoder.relative_attention_bias.weight"] if weights.transformer == "mpnet" else []
    _check_matrices(weights, keys)
    words, positions, dense, *bias = (weights.backbone[key].shape for key in keys)
    return TransformerShape(
        vocabulary=words[0],
        positions=positions[0],
        width=words[1],
        feedforward=dense[0],
        layers=len({match[1] for key in weights.backbone if (match := re.match(r"encoder\.layer\.(\d+)\.", key))}),
        heads=bias[0][1] if bias else None,
    )


def check_complete(found: dict[str, Tensor], needed: dict[str, Tensor], name: str) -> None:
    """Compare the tensors of a text encoder's file with those its modules need.

    Raises
    ------
    IncompleteCheckpoint
        One is missing, unknown, of another shape, or holds values that are not finite.
    """
    require_complete(found, needed, name, _GET_AN_ENCODER)


def _language_model(tensors: dict[str, Tensor]) -> tuple[str, str]:
    """Model type and prefix of the language model in a state dict."""
    for key in tensors:
        if key.startswith(_TOWER):
            tower = key.split(".")[1]
            return _RELEASED_TOWERS.get(tower, tower), f"{_TOWER}{tower}."
    return "bert", _BARE_BERT


def _refuse_other_kinds(tensors: dict[str, Tensor], name: str, family: Family | None) -> None:
    rooms = {key.split(".")[0] for key in tensors}
    if "backbone" in rooms:
        raise WrongCheckpointKind(f"{name} is a segmentation network, not a text encoder.", _GET_AN_ENCODER)
    if rooms & {"atlas_tower", "temperature"}:
        raise WrongCheckpointKind(
            f"{name} is a knowledge-pretraining file: the text encoder before it was paired with a network.",
            _GET_AN_ENCODER,
        )
    embedding = tensors.get("modality_embed.weight")
    if embedding is None:
        raise WrongCheckpointKind(f"{name} is no SAT text encoder: it has no modality embedding.", _GET_AN_ENCODER)
    if family == "cvpr25":
        if embedding.shape[:1] != (len(CHALLENGE_ROWS),):
            raise WrongCheckpointKind(
                f"{name} is not the text encoder of the CVPR 2025 challenge: it knows {len(embedding)} modalities, not "
                f"{len(CHALLENGE_ROWS)}.",
                "Use text_encoder_cvpr25_v0.pth.",
            )
    elif family == "sat" and embedding.shape[:1] == (len(CHALLENGE_ROWS),):
        raise WrongCheckpointKind(
            f"{name} belongs to the CVPR 2025 challenge family (five modalities), whose prompts and images are "
            "prepared in another way.",
            f"{_GET_AN_ENCODER} With its own network it is converted for `satsegment challenge`.",
        )


def _check_matrices(weights: TextWeights, keys: Sequence[str]) -> None:
    problems = []
    for key in keys:
        tensor = weights.backbone.get(key)
        if tensor is None:
            problems.append(f"{key} is missing")
        elif tensor.ndim != 2:
            problems.append(f"{key} has {tensor.ndim} axes instead of 2")
    if problems:
        raise incomplete(weights.name, problems, _GET_AN_ENCODER)
