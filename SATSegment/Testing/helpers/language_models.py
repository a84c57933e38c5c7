"""Folders with a language model's files, and small text encoders to go with them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from helpers.seeded import GOLDEN, manifest, seeded_state

TEXT_PREFIX = "module.text_tower.biolord."
BERT_PREFIX = "module.model."


@cache
def bert_vocabulary() -> tuple[str, ...]:
    """The 30,522 rows of BERT-uncased's vocab.txt."""
    path = GOLDEN.parent / "bert_uncased" / "vocab.txt.gz"
    return tuple(gzip.decompress(path.read_bytes()).decode("utf-8").removesuffix("\n").split("\n"))


def medcpt_vocabulary() -> tuple[str, ...]:
    """As many rows, which begin as MedCPT's vocabulary does."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    return (*special, *(word for word in bert_vocabulary() if word not in special))


def mpnet_vocabulary() -> tuple[str, ...]:
    """MPNet's 30,527 rows: its own special tokens around BERT's rows."""
    return ("<s>", "<pad>", "</s>", "<unk>", *bert_vocabulary(), "<mask>")


def write_language_model(folder: Path, vocabulary: tuple[str, ...], **config: Any) -> Path:
    """A folder with vocab.txt and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8", newline="\n")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def mpnet_folder(folder: Path, **config: Any) -> Path:
    """The files of an MPNet; the golden embeddings were computed with this layer norm epsilon."""
    return write_language_model(
        folder, mpnet_vocabulary(), **{"model_type": "mpnet", "layer_norm_eps": 1e-12, **config}
    )


def bert_folder(folder: Path, vocabulary: tuple[str, ...] | None = None, **config: Any) -> Path:
    """The files of a BERT with four attention heads."""
    config = {"model_type": "bert", "num_attention_heads": 4, **config}
    return write_language_model(folder, vocabulary or bert_vocabulary(), **config)


def small_keys(kind: str, width: int = 16, layers: int = 2, query_dim: int = 24, positions: int = 514) -> dict:
    """Key -> shape of a small text encoder, "ours" or "bert", named as in a released file."""
    prefix, rows = (TEXT_PREFIX, 30527) if kind == "ours" else (BERT_PREFIX, 30522)
    attention = ("attn.q", "attn.k", "attn.v", "attn.o") if kind == "ours" else ("self.query", "self.key", "self.value")
    keys = {"embeddings.word_embeddings.weight": [rows, width]}
    keys["embeddings.position_embeddings.weight"] = [positions, width]
    if kind == "ours":
        keys["encoder.relative_attention_bias.weight"] = [32, 4]
    else:
        keys["embeddings.token_type_embeddings.weight"] = [2, width]
    linear = [(f"attention.{name}", width, width) for name in attention]
    norms = ["attention.LayerNorm" if kind == "ours" else "attention.output.LayerNorm", "output.LayerNorm"]
    if kind == "bert":
        linear.append(("attention.output.dense", width, width))
    linear += [("intermediate.dense", 2 * width, width), ("output.dense", width, 2 * width)]
    for layer in range(layers):
        at = f"encoder.layer.{layer}."
        keys |= {f"{at}{name}.weight": [rows_, columns] for name, rows_, columns in linear}
        keys |= {f"{at}{name}.bias": [rows_] for name, rows_, _ in linear}
        keys |= {f"{at}{name}.{part}": [width] for name in norms for part in ("weight", "bias")}
    keys |= {f"embeddings.LayerNorm.{part}": [width] for part in ("weight", "bias")}
    keys |= {"pooler.dense.weight": [width, width], "pooler.dense.bias": [width]}
    keys = {prefix + key: shape for key, shape in keys.items()}
    if kind == "ours":
        keys |= {"module.projection_layer.0.weight": [width, width], "module.projection_layer.0.bias": [width]}
        keys |= {"module.projection_layer.2.weight": [query_dim, width], "module.projection_layer.2.bias": [query_dim]}
    keys["module.modality_embed.weight"] = [4, query_dim if kind == "ours" else width]
    return keys


def write_text_checkpoint(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """A file in the layout of a released text checkpoint: no optimizer."""
    torch.save({"step": 200000, "model_state_dict": state}, path)
    return path


def small_text_checkpoint(path: Path, kind: str = "ours", **sizes: int) -> Path:
    """A small text encoder with seeded weights."""
    return write_text_checkpoint(path, seeded_state(small_keys(kind, **sizes)))


def golden_labels() -> list[str]:
    """Texts of the golden embeddings."""
    return manifest("text_encoder")["labels"]
