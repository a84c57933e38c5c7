"""Same weights and words in, same queries out as the reference; and only the right file is taken."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.language_models import (
    BERT_PREFIX,
    TEXT_PREFIX,
    bert_folder,
    bert_vocabulary,
    golden_labels,
    mpnet_folder,
    small_keys,
    small_text_checkpoint,
    write_text_checkpoint,
)
from helpers.seeded import GOLDEN, manifest, seeded_state
from SATSegmentLib.errors import (
    CheckpointError,
    HostileCheckpoint,
    IncompleteCheckpoint,
    ModelNotFound,
    PairMismatch,
    PromptError,
    SATSegmentError,
    TruncatedCheckpoint,
    WrongCheckpointKind,
)
from SATSegmentLib.sat.checkpoint.file import file_sha256
from SATSegmentLib.sat.text.checkpoint import read_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.folder import ENCODER_FILE, write_text_folder

# The tolerance that the golden numbers come with.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return TextEncoder.load(small_text_checkpoint(folder / "text.pth"), mpnet_folder(folder / "mpnet"))


def test_queries_of_the_released_layout_match_the_reference(tmp_path):
    path = write_text_checkpoint(tmp_path / "text_encoder.pth", seeded_state(manifest("text_encoder")["keys"]))
    encoder = TextEncoder.load(path, mpnet_folder(tmp_path / "mpnet"))
    path.unlink()  # half a gigabyte; the encoder must not need it any more
    labels, golden = golden_labels(), np.load(GOLDEN / "text_encoder.npz")

    features = encoder.features(labels)

    assert encoder.kind == "ours"
    for modality in ("ct", "mri", "pet"):
        queries = features + encoder.modality_vectors([modality])
        assert np.abs(queries - golden[f"embed_{modality}"]).max() <= TOLERANCE
    short = encoder.embed(labels[:2], ["pet", "ct"])
    assert np.abs(short - np.stack([golden["embed_pet"][0], golden["embed_ct"][1]])).max() <= TOLERANCE


def test_layer_norm_epsilon_is_taken_from_the_language_models_configuration(tmp_path):
    path = small_text_checkpoint(tmp_path / "text.pth")
    tiny, large = (
        TextEncoder.load(path, mpnet_folder(tmp_path / str(eps), layer_norm_eps=eps)).features(["liver"])
        for eps in (1e-12, 1e-2)
    )

    assert np.abs(tiny - large).max() > TOLERANCE


@pytest.mark.parametrize(
    "sizes",
    [{"width": 32, "layers": 1, "query_dim": 48}, {"width": 8, "layers": 3, "query_dim": 8, "positions": 300}],
)
def test_every_width_and_depth_is_read_off_the_tensors(tmp_path, sizes):
    encoder = TextEncoder.load(small_text_checkpoint(tmp_path / "t.pth", **sizes), mpnet_folder(tmp_path / "mpnet"))

    assert encoder.query_dim == sizes["query_dim"]
    assert encoder.embed(["liver", "spleen"], ["ct", "mri"]).shape == (2, sizes["query_dim"])
    assert len(encoder.module.transformer.encoder.layer) == sizes["layers"]


def test_a_text_longer_than_the_positions_is_cut_and_not_refused(tmp_path):
    path = small_text_checkpoint(tmp_path / "t.pth", positions=40)
    encoder = TextEncoder.load(path, mpnet_folder(tmp_path / "mpnet"))

    assert np.isfinite(encoder.features(["liver " * 100])).all()
    assert encoder.max_tokens == 38


# A text that the vocabulary does not know at all is refused, which is tested elsewhere.
words = st.lists(st.sampled_from([*golden_labels()[:9], "liver", "a " * 70]), min_size=1, max_size=6).map(" ".join)


@given(st.lists(words, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_a_query_does_not_depend_on_its_company_or_their_order(small, texts, random):
    together = small.features(texts)
    order = list(range(len(texts)))
    random.shuffle(order)

    shuffled = small.features([texts[index] for index in order])

    for index, text in enumerate(texts):
        alone = small.features([text])[0]
        np.testing.assert_allclose(together[index], alone, atol=1e-5)
        np.testing.assert_allclose(shuffled[order.index(index)], alone, atol=1e-5)


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Z", "C")), max_size=40))
@settings(deadline=None, max_examples=60)
def test_any_text_is_either_embedded_or_refused_by_name(small, text):
    try:
        queries = small.embed([text], ["mri"])
    except PromptError:
        return
    assert np.isfinite(queries).all()


def test_case_of_a_prompt_does_not_matter(small):
    np.testing.assert_array_equal(small.features(["LEFT Kidney"]), small.features(["left kidney"]))


def test_each_modality_adds_its_own_row(small):
    rows = seeded_state(small_keys("ours"))["module.modality_embed.weight"].numpy()
    difference = small.embed(["liver"] * 3, ["ct", "mri", "pet"]) - small.features(["liver"])

    # A product of three rows and one of a single row are rounded differently on some CPUs (1.2e-6 measured).
    np.testing.assert_allclose(difference, rows[[0, 1, 3]], atol=4e-6)


@pytest.mark.parametrize("text", ["", "  ", "龘龘", "\ud800"])
def test_a_prompt_without_a_known_word_is_refused(small, text):
    with pytest.raises(PromptError, match="no word"):
        small.embed(["liver", text], ["ct", "ct"])


@pytest.mark.parametrize("modality", ["us", "CT", "microscopy", ""])
def test_a_modality_that_was_never_trained_is_refused(small, modality):
    with pytest.raises(PromptError, match="modality"):
        small.embed(["liver"], [modality])


def test_nothing_in_gives_nothing_out(small):
    assert small.embed([], []).shape == (0, small.query_dim)


# medcpt and basebert: the first token of a plain BERT, plus the modality's vector.

# Any vocabulary that is not BERT-uncased's: its words in another order, in the place of MedCPT's own.
OTHER_VOCABULARY = (*bert_vocabulary()[:2000], *reversed(bert_vocabulary()[2000:]))


@pytest.mark.parametrize(("kind", "vocabulary"), [("basebert", bert_vocabulary()), ("medcpt", OTHER_VOCABULARY)])
def test_a_bert_encoder_gives_the_first_token_of_the_default_call_plus_modality(tmp_path, kind, vocabulary):
    from transformers import BertConfig, BertModel, BertTokenizer

    path = small_text_checkpoint(tmp_path / "text.pth", "bert")
    texts = ["liver", "left kidney", "cervical vertebrae 1 (c1)", "a very long text " * 40]
    tensors = seeded_state(small_keys("bert"))
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = BertModel(BertConfig(max_position_embeddings=514, **sizes)).eval()
    model.load_state_dict({k.removeprefix(BERT_PREFIX): v for k, v in tensors.items() if k.startswith(BERT_PREFIX)})
    tokenizer = BertTokenizer(vocab={row: index for index, row in enumerate(vocabulary)}, do_lower_case=True)
    batch = tokenizer(texts, truncation=True, padding=True, max_length=64, return_tensors="pt")
    with torch.no_grad():
        expected = model(**batch).last_hidden_state[:, 0] + tensors["module.modality_embed.weight"][1]

    encoder = TextEncoder.load(path, bert_folder(tmp_path / "bert", vocabulary))

    assert encoder.kind == kind
    np.testing.assert_allclose(encoder.embed(texts, ["mri"] * 4), expected.numpy(), atol=1e-5)


def test_another_vocabulary_in_a_converted_folder_is_refused(tmp_path):
    path = small_text_checkpoint(tmp_path / "text.pth", "bert")
    bert = bert_folder(tmp_path / "bert")
    folder = tmp_path / "text"
    folder.mkdir()
    write_text_folder(read_text_weights(path), bert, folder)
    assert TextEncoder.load(folder / ENCODER_FILE, folder).kind == "basebert"

    bert_folder(folder, OTHER_VOCABULARY)  # as many words, so that everything would fit

    with pytest.raises(PairMismatch, match="not the one"):
        TextEncoder.load(folder / ENCODER_FILE, folder)


def test_a_vocabulary_that_does_not_begin_as_medcpts_is_doubted(tmp_path):
    path = small_text_checkpoint(tmp_path / "text.pth", "bert")
    first = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    alike = (*first, *(word for word in reversed(bert_vocabulary()) if word not in first))
    doubts = [
        TextEncoder.load(path, bert_folder(tmp_path / str(number), vocabulary)).vocabulary_doubt
        for number, vocabulary in enumerate([bert_vocabulary(), alike, OTHER_VOCABULARY])
    ]
    assert [bool(doubt) for doubt in doubts] == [False, False, True]


def test_the_wrong_berts_vocabulary_is_noticed_where_the_kind_is_known(tmp_path):
    path = small_text_checkpoint(tmp_path / "text.pth", "bert")

    with pytest.raises(WrongCheckpointKind, match="basebert"):
        TextEncoder.load(path, bert_folder(tmp_path / "bert"), kind="medcpt")


# What is in the file.


def test_old_position_ids_and_the_unused_pooler_are_the_only_entries_that_may_be_there_or_not(tmp_path):
    state = seeded_state(small_keys("ours"))
    folder = mpnet_folder(tmp_path / "mpnet")
    without = {key: value for key, value in state.items() if ".pooler." not in key}
    with_ids = {**without, TEXT_PREFIX + "embeddings.position_ids": torch.arange(514)[None]}

    expected = TextEncoder.load(write_text_checkpoint(tmp_path / "a.pth", state), folder).features(["liver"])

    for index, variant in enumerate((without, with_ids)):
        encoder = TextEncoder.load(write_text_checkpoint(tmp_path / f"{index}.pth", variant), folder)
        np.testing.assert_array_equal(encoder.features(["liver"]), expected)


def test_safetensors_give_the_same_queries_as_the_pth(tmp_path, small):
    from safetensors.torch import save_file

    save_file(seeded_state(small_keys("ours")), tmp_path / "text.safetensors")
    encoder = TextEncoder.load(tmp_path / "text.safetensors", mpnet_folder(tmp_path / "mpnet"))

    np.testing.assert_array_equal(encoder.features(["liver"]), small.features(["liver"]))


def test_the_source_is_named_by_its_sha256(tmp_path):
    path = small_text_checkpoint(tmp_path / "text.pth")

    assert read_text_weights(path).sha256 == file_sha256(path)


class _RunsCode:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    path, mark = tmp_path / "text.pth", tmp_path / "it-ran"
    path.write_bytes(pickle.dumps({"model_state_dict": _RunsCode(str(mark))}))

    with pytest.raises(HostileCheckpoint):
        read_text_weights(path)

    assert not mark.exists()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_called_truncated(tmp_path, kept):
    path = small_text_checkpoint(tmp_path / "text.pth")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])

    with pytest.raises(TruncatedCheckpoint):
        read_text_weights(path)


def _without(key):
    return lambda state: state.pop(key)


def _with(key, *shape):
    return lambda state: state.update({key: torch.zeros(shape)})


def _fill_nan(state):
    state["module.projection_layer.2.weight"][0, 0] = float("nan")


BAD_STATES = {
    "a segmentation network": (_with("module.backbone.encoder.x", 1), WrongCheckpointKind, "segmentation network"),
    "a pretraining file, by its atlas": (_with("module.atlas_tower.x", 1), WrongCheckpointKind, "pretraining"),
    "a pretraining file, by its temperature": (_with("module.temperature"), WrongCheckpointKind, "pretraining"),
    "the CVPR 2025 family": (_with("module.modality_embed.weight", 5, 24), WrongCheckpointKind, "CVPR 2025"),
    "no modality embedding": (_without("module.modality_embed.weight"), WrongCheckpointKind, "modality"),
    "three modalities": (_with("module.modality_embed.weight", 3, 24), IncompleteCheckpoint, "modality_embed"),
    "a modality embedding without rows": (_with("module.modality_embed.weight"), IncompleteCheckpoint, "modality_em"),
    "a missing layer": (
        _without(TEXT_PREFIX + "encoder.layer.1.output.dense.weight"),
        IncompleteCheckpoint,
        "encoder.layer.1.output.dense.weight is missing",
    ),
    "missing words": (
        _without(TEXT_PREFIX + "embeddings.word_embeddings.weight"),
        IncompleteCheckpoint,
        "word_embeddings.weight is missing",
    ),
    "missing words and places": (
        lambda state: [state.pop(f"{TEXT_PREFIX}embeddings.{name}_embeddings.weight") for name in ("word", "position")],
        IncompleteCheckpoint,
        "word_embeddings.weight is missing; embeddings.position_embeddings.weight is missing",
    ),
    "missing projection": (
        _without("module.projection_layer.2.weight"),
        IncompleteCheckpoint,
        "projection_layer.2.weight is missing",
    ),
    "a flat table of words": (
        _with(TEXT_PREFIX + "embeddings.word_embeddings.weight", 30527),
        IncompleteCheckpoint,
        "1 axes instead of 2",
    ),
    "another shape": (
        _with(TEXT_PREFIX + "encoder.layer.0.attention.attn.q.weight", 16, 8),
        IncompleteCheckpoint,
        "shape",
    ),
    "an unknown tensor": (_with("module.something_else", 1), IncompleteCheckpoint, "something_else is unknown"),
    "an unknown tensor in the language model": (_with(TEXT_PREFIX + "lm_head", 1), IncompleteCheckpoint, "lm_head"),
    "position ids elsewhere": (_with("module.position_ids", 1, 514), IncompleteCheckpoint, "position_ids is unknown"),
    "not a number": (_fill_nan, IncompleteCheckpoint, "not finite"),
}


@pytest.mark.parametrize("case", BAD_STATES)
def test_a_file_that_is_something_else_is_refused_by_name_and_with_a_remedy(tmp_path, case):
    change, error, says = BAD_STATES[case]
    state = seeded_state(small_keys("ours"))
    change(state)
    path = write_text_checkpoint(tmp_path / "text.pth", state)

    with pytest.raises(error, match=says) as caught:
        TextEncoder.load(path, mpnet_folder(tmp_path / "mpnet"))

    assert type(caught.value) is error
    assert "text encoder" in caught.value.remedy


def test_a_language_model_alone_is_no_text_encoder(tmp_path):
    path = write_text_checkpoint(tmp_path / "t.pth", {"modality_embed.weight": torch.zeros(4, 8)})

    with pytest.raises(WrongCheckpointKind, match="language model"):
        read_text_weights(path)


BAD_FOLDERS = {
    "no config.json": ({"config.json": None}, ModelNotFound),
    "damaged config.json": ({"config.json": b"{"}, PairMismatch),
    "config.json that is a list": ({"config.json": b"[]"}, PairMismatch),
    "a BERT's config.json": ({"config.json": b'{"model_type": "bert"}'}, PairMismatch),
    "another width": ({"config.json": b'{"model_type": "mpnet", "hidden_size": 768}'}, PairMismatch),
    "an unknown activation": ({"config.json": b'{"model_type": "mpnet", "hidden_act": "what"}'}, PairMismatch),
    "no tokenizer": ({"vocab.txt": None}, ModelNotFound),
    "a BERT's vocabulary": ({"vocab.txt": "\n".join(bert_vocabulary()).encode()}, PairMismatch),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_folder_of_another_language_model_is_refused(tmp_path, case):
    files, error = BAD_FOLDERS[case]
    folder = mpnet_folder(tmp_path / "mpnet")
    for name, content in files.items():
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)

    with pytest.raises(error) as caught:
        TextEncoder.load(small_text_checkpoint(tmp_path / "text.pth"), folder)

    assert caught.value.remedy


@pytest.mark.parametrize("package", ["tokenizers", "transformers"])
def test_missing_packages_are_named_with_what_to_do(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails

    with pytest.raises(SATSegmentError, match="transformers") as caught:
        TextEncoder.load(small_text_checkpoint(tmp_path / "text.pth"), mpnet_folder(tmp_path / "mpnet"))

    assert "pip install transformers" in caught.value.remedy


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.999))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_are_an_error_of_ours_or_do_not_matter(tmp_path, seed, place):
    path = small_text_checkpoint(tmp_path / "text.pth", width=4, layers=1, query_dim=4)
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at : at + 64] = np.random.default_rng(seed).bytes(64)
    path.write_bytes(bytes(content))

    with contextlib.suppress(CheckpointError):  # and no other error
        read_text_weights(path)
