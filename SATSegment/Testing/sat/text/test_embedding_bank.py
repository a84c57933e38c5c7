"""Known prompts need one small file and nothing else."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from safetensors.numpy import save_file

import SATSegmentLib
from helpers.language_models import mpnet_folder, small_text_checkpoint
from SATSegmentLib.errors import (
    Cancelled,
    IncompleteCheckpoint,
    ModelNotFound,
    OutputError,
    PairMismatch,
    PromptError,
    TruncatedCheckpoint,
    WrongCheckpointKind,
)
from SATSegmentLib.resources import resource_path
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.types import MODALITIES

SHA = "0123456789abcdef" * 4


def trained_labels():
    with resource_path("Anatomy/sat_labels.csv").open(encoding="utf-8", newline="") as file:
        return [(row["label"], row["modality"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    return TextEncoder.load(small_text_checkpoint(folder / "text.pth"), mpnet_folder(folder / "mpnet"))


def small_bank(dim=8):
    labels = [("liver", "ct"), ("liver", "mri"), ("Left Kidney", "ct")]
    queries = np.random.default_rng(1).standard_normal((3, dim)).astype(np.float32)
    return EmbeddingBank(labels, queries, SHA, "ours"), queries


def test_all_498_labels_are_built_once_and_equal_the_text_encoders_queries(tmp_path, encoder):
    labels = trained_labels()
    bank = EmbeddingBank.load(EmbeddingBank.build(encoder, labels).save(tmp_path / "bank.safetensors"))

    assert len(bank) == len(labels) == 498
    assert (bank.source_sha256, bank.encoder, bank.query_dim) == (encoder.sha256, "ours", encoder.query_dim)
    expected = encoder.embed([text for text, _ in labels], [modality for _, modality in labels])
    found = np.stack([bank.lookup(text, modality) for text, modality in labels])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_all_498_labels_at_the_released_width_take_at_most_two_megabytes(tmp_path):
    queries = np.random.default_rng(0).standard_normal((498, 768))

    path = EmbeddingBank(trained_labels(), queries, SHA, "ours").save(tmp_path / "bank.safetensors")

    assert path.stat().st_size <= 2_000_000


def test_reading_a_bank_needs_neither_torch_nor_transformers(tmp_path):
    bank, queries = small_bank()
    path = bank.save(tmp_path / "bank.safetensors")
    code = f"""
import sys
for heavy in ("torch", "transformers", "tokenizers"):
    sys.modules[heavy] = None  # importing it fails
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.sat.text.bank import EmbeddingBank
from SATSegmentLib.types import Prompt
bank = EmbeddingBank.load({str(path)!r})
print(QuerySource(8, bank).embed([Prompt("left kidney", "ct")]).tolist())
"""
    root = str(Path(SATSegmentLib.__file__).parent.parent)

    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": root}, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), queries[2:3], rtol=1e-6)


label_lists = st.lists(
    st.tuples(st.text(max_size=12), st.sampled_from(MODALITIES)), unique_by=lambda row: (row[0].lower(), row[1])
)


@given(label_lists, st.integers(1, 5), st.data())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_what_is_loaded(tmp_path, labels, dim, data):
    numbers = st.floats(-1e6, 1e6, width=32)
    queries = data.draw(st_numpy.arrays(np.float32, (len(labels), dim), elements=numbers))
    bank = EmbeddingBank(labels, queries, SHA, "mine")

    again = EmbeddingBank.load(bank.save(tmp_path / "bank.safetensors"))

    assert again.labels == bank.labels
    assert (again.source_sha256, again.encoder, again.query_dim, len(again)) == (SHA, "mine", dim, len(labels))
    for (text, modality), query in zip(labels, queries, strict=True):
        assert again.has(text, modality)
        np.testing.assert_array_equal(again.lookup(text, modality), query)


def test_lookup_takes_any_case_and_gives_one_float32_vector():
    bank, queries = small_bank()

    found = bank.lookup("LEFT kidney", "ct")

    assert (found.dtype, found.shape) == (np.float32, (8,))
    np.testing.assert_array_equal(found, queries[2])


def test_what_lookup_hands_out_cannot_change_the_bank():
    bank, _ = small_bank()

    with pytest.raises(ValueError, match="read-only"):
        bank.lookup("liver", "ct")[0] = 1


def test_an_unknown_prompt_is_refused_and_another_modality_is_named():
    bank, _ = small_bank()

    assert not bank.has("liver", "pet")
    with pytest.raises(PromptError, match=r"'liver' in pet.*known for ct and mri"):
        bank.lookup("liver", "pet")
    with pytest.raises(PromptError, match="'spleen'"):
        bank.lookup("spleen", "ct")


def test_building_reports_progress_and_can_be_cancelled(encoder):
    labels, seen = trained_labels(), []

    EmbeddingBank.build(encoder, labels, progress=seen.append)

    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert len(fractions) > 3
    assert fractions[-1] == 1
    with pytest.raises(Cancelled):
        EmbeddingBank.build(encoder, labels, progress=seen.append, cancel=lambda: len(seen) > len(fractions) + 1)
    assert len(seen) == len(fractions) + 2


def test_a_label_given_twice_is_built_once_and_an_empty_list_gives_an_empty_bank(encoder):
    assert EmbeddingBank.build(encoder, [("Liver", "ct"), ("liver", "ct")]).labels == (("liver", "ct"),)
    assert len(EmbeddingBank.build(encoder, [])) == 0


def test_a_bank_serves_only_the_text_encoder_that_made_it():
    bank, _ = small_bank()

    bank.require_source(SHA)
    with pytest.raises(PairMismatch):
        bank.require_source("f" * 64)


@pytest.mark.parametrize(
    ("labels", "queries"),
    [
        ([("liver", "ct")], np.zeros((2, 4))),
        ([("liver", "ct")], np.zeros(4)),
        ([("liver", "ct"), ("LIVER", "ct")], np.zeros((2, 4))),
        ([("liver", "us")], np.zeros((1, 4))),
        ([("liver", "ct")], np.full((1, 4), np.nan)),
        ([("liver", "ct")], np.full((1, 4), 1e300)),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_bank_that_does_not_fit_together_is_refused(labels, queries):
    with pytest.raises(IncompleteCheckpoint):
        EmbeddingBank(labels, queries, SHA, "ours")


def test_a_failed_write_leaves_the_older_bank_as_it_was(tmp_path):
    bank, _ = small_bank()
    path = bank.save(tmp_path / "bank.safetensors")
    before = path.read_bytes()

    with pytest.raises(OutputError):
        bank.save(tmp_path / "nowhere" / "bank.safetensors")
    tmp_path.chmod(0o500)
    try:
        small_bank(dim=4)[0].save(path)
    except OutputError:
        assert path.read_bytes() == before
    else:  # a privileged user writes anywhere; the file is then the new one, and whole
        assert EmbeddingBank.load(path).query_dim == 4
    finally:
        tmp_path.chmod(0o700)
    assert [file.name for file in tmp_path.iterdir()] == ["bank.safetensors"]


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def _rewrite(tensors=None, **changes):
    def write(path):
        about = {"format": "satsegment-embedding-bank-1", "source_sha256": SHA, "encoder": "ours", "labels": "[]"}
        about = {key: value for key, value in {**about, **changes}.items() if value is not None}
        save_file({"queries": np.zeros((0, 4), np.float32)} if tensors is None else tensors, path, about)

    return write


DAMAGE = {
    "no file": (lambda path: path.unlink(), ModelNotFound),
    "truncated": (_truncate, TruncatedCheckpoint),
    "empty": (lambda path: path.write_bytes(b""), TruncatedCheckpoint),
    "a pickle": (lambda path: path.write_bytes(b"\x80\x04N."), TruncatedCheckpoint),
    "a network": (lambda path: save_file({"backbone.x": np.zeros(3)}, path), WrongCheckpointKind),
    "a later format": (_rewrite(format="satsegment-embedding-bank-2"), WrongCheckpointKind),
    "another tensor": (_rewrite({"weights": np.zeros((0, 4))}), WrongCheckpointKind),
    "no source": (_rewrite(source_sha256=None), IncompleteCheckpoint),
    "no labels": (_rewrite(labels=None), IncompleteCheckpoint),
    "damaged labels": (_rewrite(labels="[["), IncompleteCheckpoint),
    "labels of another kind": (_rewrite(labels="[1]"), IncompleteCheckpoint),
    "labels with unhashable modality": (_rewrite(labels='[["liver", ["ct"]]]'), IncompleteCheckpoint),
    "more labels than queries": (_rewrite(labels='[["liver", "ct"]]'), IncompleteCheckpoint),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_file_that_is_no_whole_bank_is_refused(tmp_path, case):
    damage, error = DAMAGE[case]
    path = small_bank()[0].save(tmp_path / "bank.safetensors")
    damage(path)

    with pytest.raises(error) as caught:
        EmbeddingBank.load(path)

    assert type(caught.value) is error
    assert caught.value.remedy
