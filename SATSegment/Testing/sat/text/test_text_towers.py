"""Text encoders of the kind `ours` around other language models, as our pretraining makes them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel

from helpers.language_models import small_text_checkpoint
from helpers.tiny_encoders import tiny_language_model
from SATSegmentLib.errors import IncompleteCheckpoint, PairMismatch
from SATSegmentLib.sat.text.checkpoint import read_text_weights, tower_prefix
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import write_text_folder
from SATSegmentLib.sat.text.tokenizer import TextTokenizer

KINDS = ("bert", "distilbert", "roberta", "mpnet")


def checkpoint_around(folder, path, drop=""):
    """A projected text checkpoint with the folder's own language model in it."""
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    prefix = "module." + tower_prefix(model.config.model_type)
    state = {prefix + k: t for k, t in model.state_dict().items() if not k.startswith("pooler") and k != drop}
    torch.manual_seed(1)
    shapes = {"projection_layer.0.weight": (24, 32), "projection_layer.0.bias": (24,)}
    shapes |= {
        "projection_layer.2.weight": (12, 24),
        "projection_layer.2.bias": (12,),
        "modality_embed.weight": (4, 12),
    }
    state |= {f"module.{key}": torch.randn(shape) for key, shape in shapes.items()}
    torch.save({"step": 1, "model_state_dict": state}, path)
    return path


def expected_features(folder, path, text):
    """The same by hand: the mean over the tokens, and the projection."""
    ids = torch.tensor([TextTokenizer.from_folder(folder).token_ids(text, 70)])
    with torch.no_grad():
        mean = AutoModel.from_pretrained(folder)(input_ids=ids).last_hidden_state.mean(1)
        head = torch.load(path)["model_state_dict"]
        first, second = (
            (head[f"module.projection_layer.{n}.weight"], head[f"module.projection_layer.{n}.bias"]) for n in (0, 2)
        )
        hidden = torch.nn.functional.gelu(torch.nn.functional.linear(mean, *first))
        return torch.nn.functional.linear(hidden, *second).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_the_language_model_and_the_projection(tmp_path, kind):
    folder = tiny_language_model(tmp_path / kind, kind)
    path = checkpoint_around(folder, tmp_path / "text.pth")

    encoder = TextEncoder.load(path, folder)

    texts = ["left kidney", "the liver of the patient on the left side", "liver"]
    expected = np.concatenate([expected_features(folder, path, text) for text in texts])
    assert (encoder.kind, encoder.query_dim) == ("ours", 12)
    # Together, so that the short ones are padded.
    np.testing.assert_allclose(encoder.features(texts), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_converted_folder_gives_the_same_queries(tmp_path, kind):
    folder = tiny_language_model(tmp_path / kind, kind)
    path = checkpoint_around(folder, tmp_path / "text.pth")
    (tmp_path / "text").mkdir()

    write_text_folder(read_text_weights(path), folder, tmp_path / "text")

    converted = TextEncoder.load(tmp_path / "text" / "encoder.safetensors", tmp_path / "text")
    original = TextEncoder.load(path, folder)
    assert converted.sha256 == original.sha256
    # Not the same bits: matrix products of some CPUs round by where their operands lie in memory.
    ours, theirs = converted.embed(["liver"], ["mri"]), original.embed(["liver"], ["mri"])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * np.finfo(np.float32).eps * np.abs(theirs).max())


@pytest.mark.parametrize(("kind", "other"), [("distilbert", "bert"), ("bert", "distilbert"), ("roberta", "mpnet")])
def test_the_folder_of_another_language_model_is_refused(tmp_path, kind, other):
    path = checkpoint_around(tiny_language_model(tmp_path / kind, kind), tmp_path / "text.pth")

    with pytest.raises(PairMismatch):
        TextEncoder.load(path, tiny_language_model(tmp_path / other, other))


@pytest.mark.parametrize(
    ("kind", "key"),
    [("distilbert", "transformer.layer.1.ffn.lin1.weight"), ("roberta", "encoder.layer.0.output.dense.bias")],
)
def test_a_missing_tensor_is_named(tmp_path, kind, key):
    folder = tiny_language_model(tmp_path / kind, kind)

    with pytest.raises(IncompleteCheckpoint, match=key):
        TextEncoder.load(checkpoint_around(folder, tmp_path / "text.pth", drop=key), folder)


def test_a_language_model_that_transformers_does_not_know_is_refused(tmp_path):
    folder = tiny_language_model(tmp_path / "distilbert", "distilbert")
    path = checkpoint_around(folder, tmp_path / "text.pth")
    state = torch.load(path)["model_state_dict"]
    torch.save({"model_state_dict": {k.replace(".distilbert.", ".nosuch."): t for k, t in state.items()}}, path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "nosuch"}))

    with pytest.raises(PairMismatch, match="no language model"):
        TextEncoder.load(path, folder)


def test_own_special_tokens_frame_and_pad_where_there_are_no_bert_rows(tmp_path):
    tokenizer = TextTokenizer.from_folder(tiny_language_model(tmp_path, "roberta"))

    batch = tokenizer.batch(["left kidney", "liver of the patient"], 70)

    short = int(batch.attention_mask[0].sum())
    assert batch.input_ids[:, 0].tolist() == [0, 0]
    assert batch.input_ids[0, short - 1] == 2
    assert set(batch.input_ids[0, short:].tolist()) == {1}
    assert batch.attention_mask[0].tolist() == [1] * short + [0] * (batch.input_ids.shape[1] - short)


def test_a_text_longer_than_the_positions_is_cut(tmp_path):
    folder = tiny_language_model(tmp_path, "roberta")
    encoder = TextEncoder.load(checkpoint_around(folder, tmp_path / "text.pth"), folder)

    assert encoder.max_tokens == 78
    assert np.isfinite(encoder.features(["liver " * 100])).all()


def test_the_released_tower_keeps_its_name(tmp_path):
    weights = read_text_weights(small_text_checkpoint(tmp_path / "text.pth"))

    assert (weights.transformer, weights.prefix, weights.projected) == ("mpnet", "text_tower.biolord.", True)
    assert tower_prefix("mpnet") == "text_tower.biolord."
    assert not read_text_weights(small_text_checkpoint(tmp_path / "b.pth", "bert")).projected
