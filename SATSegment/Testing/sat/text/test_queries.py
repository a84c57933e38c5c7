"""Prompts become queries: from the bank where it knows them, from the text encoder only where it must."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from helpers.language_models import mpnet_folder, small_text_checkpoint
from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.models.folder import BANK_FILE, TEXT_FOLDER, ModelDescription
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.sat.text.checkpoint import read_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import write_text_folder
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.types import Prompt

KNOWN = [("liver", "ct"), ("liver", "mri"), ("left kidney", "ct")]
PROMPTS = [Prompt(text, modality) for text, modality in KNOWN]
FREE = Prompt("kidney with two cysts", "mri", trained=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A text checkpoint and its language model's folder."""
    folder = tmp_path_factory.mktemp("sources")
    return small_text_checkpoint(folder / "text.pth"), mpnet_folder(folder / "mpnet")


@pytest.fixture(scope="module")
def encoder(sources):
    return TextEncoder.load(*sources)


@pytest.fixture(scope="module")
def bank(encoder):
    return EmbeddingBank.build(encoder, KNOWN)


def never():
    raise AssertionError("the text encoder was loaded for a known prompt")


def test_known_prompts_do_not_load_the_text_encoder(bank, encoder):
    source = QuerySource(bank.query_dim, bank, never)

    queries = source.embed(PROMPTS)

    np.testing.assert_array_equal(queries, [bank.lookup(text, modality) for text, modality in KNOWN])
    np.testing.assert_allclose(queries, encoder.embed(*zip(*KNOWN, strict=True)), atol=1e-5)


def test_free_text_loads_it_once_and_keeps_the_order_of_the_prompts(bank, encoder):
    loads = []
    source = QuerySource(bank.query_dim, bank, lambda: loads.append(1) or encoder)

    for _ in range(2):
        queries = source.embed([FREE, *PROMPTS, dataclasses.replace(FREE, modality="pet")])

    assert loads == [1]
    assert queries.dtype == np.float32
    np.testing.assert_allclose(queries[[0, -1]], encoder.embed([FREE.text] * 2, ["mri", "pet"]), atol=1e-5)
    np.testing.assert_array_equal(queries[1:-1], source.embed(PROMPTS))


def test_free_text_without_a_text_encoder_is_refused_with_a_remedy(bank):
    source = QuerySource(bank.query_dim, bank)

    assert source.knows(PROMPTS[0])
    assert not source.knows(FREE)
    with pytest.raises(PromptError, match="kidney with two cysts") as caught:
        source.embed([*PROMPTS, FREE])
    assert "text encoder" in caught.value.remedy


def test_a_label_the_model_was_not_trained_on_is_not_left_to_the_text_encoder(bank):
    # "spleen" is a label of SAT, but none of this model's.
    source = QuerySource(bank.query_dim, bank, never)

    with pytest.raises(PromptError, match=r"not trained on 'spleen' \(ct\)") as caught:
        source.embed([*PROMPTS, Prompt("spleen", "ct")])
    assert "free text" in caught.value.remedy


def test_a_label_of_another_modality_is_not_taken_from_the_bank(bank):
    with pytest.raises(PromptError, match="left kidney"):
        QuerySource(bank.query_dim, bank).embed([Prompt("left kidney", "mri")])


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_prompt_is_refused(bank, text):
    with pytest.raises(PromptError, match="empty"):
        QuerySource(bank.query_dim, bank, never).embed([Prompt(text, "ct")])


def test_a_bank_or_text_encoder_of_another_width_is_a_mismatched_pair(bank, encoder):
    with pytest.raises(PairMismatch):
        QuerySource(bank.query_dim + 1, bank)
    with pytest.raises(PairMismatch):
        QuerySource(bank.query_dim + 1, None, lambda: encoder).embed([FREE])


def test_a_text_encoder_that_did_not_make_the_bank_is_a_mismatched_pair(bank, encoder):
    queries = np.array([bank.lookup(text, modality) for text, modality in KNOWN])
    other = EmbeddingBank(KNOWN, queries, "f" * 64, "ours")

    with pytest.raises(PairMismatch):
        QuerySource(other.query_dim, other, lambda: encoder).embed([FREE])


@pytest.fixture
def model(tmp_path, sources, bank):
    """A model folder's text side, and its description."""
    checkpoint, language_model = sources
    bank.save(tmp_path / BANK_FILE)
    (tmp_path / TEXT_FOLDER).mkdir()
    write_text_folder(read_text_weights(checkpoint), language_model, tmp_path / TEXT_FOLDER)
    return tmp_path, ModelDescription("small", text_sha256=bank.source_sha256)


def test_a_model_folder_gives_the_same_queries_as_the_released_files(model, bank, encoder):
    source = QuerySource.of_model(*model, bank.query_dim)

    np.testing.assert_array_equal(source.embed(PROMPTS), QuerySource(bank.query_dim, bank).embed(PROMPTS))
    np.testing.assert_array_equal(source.embed([FREE]), encoder.embed([FREE.text], [FREE.modality]))


def test_a_model_folder_without_text_encoder_knows_its_labels_and_without_bank_its_encoder(model, bank):
    folder, description = model
    (folder / TEXT_FOLDER).rename(folder / "aside")
    assert len(QuerySource.of_model(folder, description, bank.query_dim).embed(PROMPTS)) == 3
    (folder / BANK_FILE).unlink()
    assert QuerySource.of_model(folder, description, bank.query_dim) is None
    (folder / "aside").rename(folder / TEXT_FOLDER)
    assert len(QuerySource.of_model(folder, description, bank.query_dim).embed([FREE])) == 1


def test_a_refusal_names_the_model(model, bank):
    with pytest.raises(PromptError, match=r"^small was not trained on 'spleen' \(ct\)"):
        QuerySource.of_model(*model, bank.query_dim).embed([Prompt("spleen", "ct")])


def test_a_bank_or_text_encoder_that_model_json_does_not_name_is_a_mismatched_pair(model, bank):
    folder, description = model
    other = dataclasses.replace(description, text_sha256="f" * 64)

    with pytest.raises(PairMismatch):
        QuerySource.of_model(folder, other, bank.query_dim)
    (folder / BANK_FILE).unlink()
    with pytest.raises(PairMismatch):
        QuerySource.of_model(folder, other, bank.query_dim).embed([FREE])
