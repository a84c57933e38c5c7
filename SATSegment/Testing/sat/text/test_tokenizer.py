"""Words become the token ids that SAT was trained with, whatever the words are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.language_models import bert_folder, bert_vocabulary, golden_labels, mpnet_folder, mpnet_vocabulary
from helpers.seeded import GOLDEN
from SATSegmentLib.errors import ModelNotFound, PairMismatch, WrongCheckpointKind
from SATSegmentLib.sat.text.tokenizer import TextTokenizer

# Everything a Python string can hold, halves of surrogate pairs included.
any_text = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Z", "C")), max_size=60)
# Texts in which special tokens are likely.
token_soup = st.lists(
    st.sampled_from(["<s>", "<pad>", "</s>", "<unk>", "<mask>", "[UNK]", "[CLS]", " ", "left", "kidney", "é", "ß"])
).map("".join)


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory):
    return TextTokenizer.from_folder(mpnet_folder(tmp_path_factory.mktemp("mpnet")))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return TextTokenizer.from_folder(bert_folder(tmp_path_factory.mktemp("bert")))


def test_token_ids_and_mask_are_those_of_the_reference(mpnet):
    golden = np.load(GOLDEN / "text_encoder.npz")

    batch = mpnet.batch(golden_labels(), 256)

    np.testing.assert_array_equal(batch.input_ids, golden["input_ids"])
    np.testing.assert_array_equal(batch.attention_mask, golden["attention_mask"])


def test_frame_is_the_vocabulary_rows_called_cls_and_sep_not_the_models_own_specials(mpnet):
    ids = mpnet.token_ids("liver", 256)

    assert [mpnet_vocabulary()[token] for token in ids] == ["[CLS]", "liver", "[SEP]"]


def test_case_does_not_matter(mpnet):
    assert mpnet.token_ids("Left KIDNEY", 256) == mpnet.token_ids("left kidney", 256)


@pytest.mark.parametrize(("words", "length"), [(253, 255), (254, 256), (255, 256), (4000, 256)])
def test_long_text_is_cut_to_the_longest_that_was_trained_and_still_ends_with_sep(mpnet, words, length):
    ids = mpnet.token_ids("liver " * words, 256)

    assert len(ids) == length
    assert mpnet_vocabulary()[ids[-1]] == "[SEP]"
    assert {mpnet_vocabulary()[token] for token in ids[1:-1]} == {"liver"}


@given(any_text)
@settings(deadline=None)
def test_any_text_gives_ids_within_the_vocabulary_and_in_their_frame(mpnet, text):
    ids = mpnet.token_ids(text, 256)

    assert 2 <= len(ids) <= 256
    assert (ids[0], ids[-1]) == (105, 106)
    assert all(0 <= token < 30527 for token in ids)


@given(st.lists(any_text, max_size=5))
@settings(deadline=None)
def test_a_batch_is_its_texts_padded_with_zeros_and_masked_where_the_id_is_zero(mpnet, texts):
    batch = mpnet.batch(texts, 256)

    for text, row in zip(texts, batch.input_ids, strict=True):
        ids = mpnet.token_ids(text, 256)
        assert row[: len(ids)].tolist() == ids
        assert not row[len(ids) :].any()
    np.testing.assert_array_equal(batch.attention_mask, batch.input_ids > 0)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Tokenizers as transformers makes and publishes them, and what SAT's tokenizer reads from the same folder."""
    from transformers import BertTokenizer

    folder = tmp_path_factory.mktemp("published")
    theirs = BertTokenizer(vocab={row: index for index, row in enumerate(bert_vocabulary())}, do_lower_case=True)
    theirs.save_pretrained(folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    # Published files carry the settings of their last use.
    content["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    content["padding"] = {
        "strategy": {"Fixed": 128},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return theirs, TextTokenizer.from_folder(folder)


@given(st.one_of(any_text, token_soup))
@settings(deadline=None)
def test_tokenizer_json_vocab_txt_and_transformers_agree(published, bert, text):
    theirs, ours = published
    lowered = text.lower().encode("utf-8", "ignore").decode()
    expected = theirs(lowered, truncation=True, max_length=64)["input_ids"]

    assert ours.token_ids(text, 64) == expected
    assert bert.token_ids(text, 64) == expected


def test_vocabulary_is_recognised_whichever_file_it_comes_from(published, bert):
    assert published[1].vocabulary_sha256() == bert.vocabulary_sha256()
    assert published[1].vocabulary_size == bert.vocabulary_size == 30522


@pytest.mark.parametrize(("text", "says"), [("liver", True), ("", False), (" \t", False), ("龘", False)])
def test_a_text_without_a_known_word_is_noticed(mpnet, text, says):
    assert mpnet.says_something(mpnet.token_ids(text, 256)) is says


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({}, ModelNotFound),
        ({"tokenizer.json": b"{"}, WrongCheckpointKind),
        ({"tokenizer.json": b"{}"}, WrongCheckpointKind),
        ({"vocab.txt": b"\xff\xfe"}, WrongCheckpointKind),
        ({"vocab.txt": b""}, WrongCheckpointKind),
        ({"vocab.txt": b"liver\nkidney\n"}, WrongCheckpointKind),
        ({"vocab.txt": b"[UNK]\n[CLS]\n[SEP]\n[SEP]\n"}, WrongCheckpointKind),
        ({"vocab.txt": b"[UNK]\nliver\n"}, WrongCheckpointKind),
    ],
)
def test_a_folder_without_a_usable_tokenizer_is_refused(tmp_path, files, error):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    with pytest.raises(error) as caught:
        TextTokenizer.from_folder(tmp_path)

    assert caught.value.remedy


def test_two_vocabularies_that_disagree_are_refused(tmp_path, published):
    folder = bert_folder(tmp_path / "both", tuple(reversed(bert_vocabulary())))
    published[0].backend_tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(PairMismatch, match="different language models"):
        TextTokenizer.from_folder(folder)
