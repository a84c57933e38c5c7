"""The language model inside a text encoder, built offline from its tensors' shapes and its config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from SATSegmentLib.errors import ModelNotFound, PairMismatch
from SATSegmentLib.files import unreadable
from SATSegmentLib.sat.text.checkpoint import TextWeights, TransformerShape, transformer_shape

_REMEDY = "Use the config.json of the language model that the text encoder is based on."


def build_transformer(weights: TextWeights, folder: Path) -> Any:
    """A transformer of the weights' own shape, without its pooler, and without values if built on the meta device.

    Of the released families, MPNet and BERT, widths and depths come from the tensors. What they do not tell (the
    epsilon of the layer norms, the activation, BERT's number of heads) comes from config.json: a wrong epsilon alone
    shifts embeddings by several thousandths.
    Of any other family, config.json tells all.

    Raises
    ------
    IncompleteCheckpoint
        The tensors do not tell their shape.
    ModelNotFound
        No config.json.
    PairMismatch
        config.json describes another language model, or none.
    """
    settings = _read_config(folder)
    if weights.transformer not in ("mpnet", "bert"):
        return _configured(weights, settings, folder)
    shape = transformer_shape(weights)
    _check_pair(weights, shape, settings, folder)
    heads = shape.heads or settings.get("num_attention_heads", 12)
    if not isinstance(heads, int) or heads < 1 or shape.width % heads:
        raise PairMismatch(f"In {weights.name}: {heads} heads do not divide the width {shape.width}.", _REMEDY)
    common: dict[str, Any] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": heads,
        "intermediate_size": shape.feedforward,
        "max_position_embeddings": shape.positions,
    }
    common.update((key, settings[key]) for key in ("layer_norm_eps", "hidden_act") if key in settings)
    # Here and not on top: slow to import, and known prompts need none of it.
    from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

    try:
        if weights.transformer == "mpnet":
            return MPNetModel(MPNetConfig(**common), add_pooling_layer=False)
        return BertModel(BertConfig(**common), add_pooling_layer=False)
    except (KeyError, TypeError, ValueError) as error:
        raise PairMismatch(
            f"config.json in {folder.name} holds a setting that no language model has.", _REMEDY
        ) from error


def _configured(weights: TextWeights, settings: dict[str, Any], folder: Path) -> Any:
    if settings.get("model_type") != weights.transformer:
        raise PairMismatch(
            f"{weights.name} holds a language model of the type {weights.transformer}, "
            f"config.json in {folder.name} describes {settings.get('model_type')}.",
            _REMEDY,
        )
    from transformers import AutoConfig, AutoModel

    try:
        # With values, unlike the others: such models may keep constant tables that no file holds.
        with torch.device("cpu"):
            transformer = AutoModel.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
    except (KeyError, TypeError, ValueError) as error:
        raise PairMismatch(f"config.json in {folder.name} describes no language model.", _REMEDY) from error
    drop_pooler(transformer)
    return transformer


def drop_pooler(transformer: Any) -> None:
    """Take away the layer behind the first token, whose output SAT does not use."""
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None


def fill_transformer(transformer: Any, tensors: dict[str, Tensor]) -> None:
    """Give a transformer without values its tensors; they are copied, so that their file is let go."""
    own = {key: tensor.to(torch.float32, copy=True) for key, tensor in tensors.items()}
    transformer.load_state_dict(own, strict=True, assign=True)
    # Constant tables that no file holds: positions count up, token types are all 0.
    embeddings = transformer.embeddings
    tables = {name: table for name, table in embeddings.named_buffers() if table.is_meta}
    for name, table in tables.items():
        row = torch.arange(table.shape[-1]) if name == "position_ids" else torch.zeros(table.shape[-1]).long()
        setattr(embeddings, name, row[None])


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise unreadable(ModelNotFound, path, error) from error
    except OSError as error:
        raise ModelNotFound(f"There is no config.json in {folder.name}.", _REMEDY) from error
    except ValueError as error:
        raise PairMismatch(f"config.json in {folder.name} is damaged.", _REMEDY) from error
    if not isinstance(settings, dict):
        raise PairMismatch(f"config.json in {folder.name} describes no language model.", _REMEDY)
    return settings


def _check_pair(weights: TextWeights, shape: TransformerShape, settings: dict[str, Any], folder: Path) -> None:
    stated = {
        "model_type": weights.transformer,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.feedforward,
    }
    for key, value in stated.items():
        if settings.get(key, value) != value:
            raise PairMismatch(
                f"config.json in {folder.name} says {key} = {settings[key]}, but {weights.name} has {value}.", _REMEDY
            )
