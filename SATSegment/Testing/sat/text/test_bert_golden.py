"""MedCPT's and BERT's text encoders give the reference's ids and embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.language_models import bert_folder
from helpers.seeded import GOLDEN, manifest, seeded_state
from SATSegmentLib.sat.text.checkpoint import check_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    # Kept in memory: how such a file is read is tested with small ones.
    state = {key.removeprefix("module."): one for key, one in seeded_state(manifest("bert_text")["keys"]).items()}
    folder = bert_folder(tmp_path_factory.mktemp("bert"), num_attention_heads=12, layer_norm_eps=1e-12)
    return TextEncoder.from_weights(check_text_weights(state, "bert_text", sha256=""), folder)


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "variant_text.npz")


def test_the_vocabulary_tells_bert(encoder):
    assert (encoder.kind, encoder.max_tokens) == ("basebert", manifest("bert_text")["max_tokens"])


def test_ids_are_the_references(encoder, golden):
    batch = encoder.tokenizer.batch(manifest("bert_text")["labels"], encoder.max_tokens)
    np.testing.assert_array_equal(batch.input_ids, golden["basebert_input_ids"])
    np.testing.assert_array_equal(batch.attention_mask, golden["basebert_attention_mask"])


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
def test_embeddings_are_the_references(encoder, golden, modality):
    labels = manifest("bert_text")["labels"]
    ours = encoder.embed(labels, [modality] * len(labels))
    np.testing.assert_allclose(ours, golden[f"basebert_embed_{modality}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
def test_medcpts_made_up_ids_give_the_references_embeddings(encoder, golden, modality):
    # Its vocabulary is not to be had: ids past the tokenizer. The tensors are named and shaped alike.
    ids, mask = (torch.from_numpy(golden[f"medcpt_{part}"]).long() for part in ("input_ids", "attention_mask"))
    with torch.inference_mode():
        features = encoder.module(ids, mask).numpy()
    ours = features + encoder.modality_vectors([modality])
    np.testing.assert_allclose(ours, golden[f"medcpt_embed_{modality}"], rtol=0, atol=1e-4)
