"""Taught words as files, and as words that can be asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning.teach.teaching import CHANNELS, DIM, NAME, put_word, word_record
from platformdirs import user_data_path

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.personal.user_words import (
    SUFFIX,
    TAUGHT,
    WORDS_VARIABLE,
    WordError,
    delete_word,
    find_words,
    is_taught,
    read_record,
    word_files,
    word_sha256,
)
from SATSegmentLib.anatomy.resolver.new_words import check_name, import_word
from SATSegmentLib.errors import PairMismatch, PromptError
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.sat.text.taught_words import TaughtWords, read_word
from SATSegmentLib.types import Prompt

PROMPT = Prompt(NAME, "mri", "RAS", TAUGHT, trained=False)


def test_words_lie_beside_the_models(own_words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_words == user_data_path("SATSegment", appauthor=False) / "words"


def test_a_word_is_a_few_kilobytes_and_reads_back(own_words: Path) -> None:
    path = put_word(own_words, left_out_dice=(), start="left hippocampus")
    assert path.stat().st_size < 4096
    record, vectors = read_word(path)
    assert record == word_record(start="left hippocampus") == read_record(path)
    assert vectors.query.shape == (DIM,)
    assert vectors.mask_embedding_offset.shape == (CHANNELS,)
    assert [one.own for one in word_files()] == [True]


def test_the_same_name_modality_and_model_have_one_place(own_words: Path) -> None:
    first = put_word(own_words, seed=1)
    assert put_word(own_words, seed=2, name="My  Implant") == first
    assert put_word(own_words, model_sha256="c" * 64) != first
    assert put_word(own_words, modality="ct") != first
    assert len(word_files()) == 3


def test_a_word_is_resolved_and_suggested_as_the_users_own(own_words: Path) -> None:
    assert not isinstance(anatomy.resolve(NAME, "mri"), anatomy.Resolved)
    put_word(own_words)
    for typed in (NAME, "My Implant ", "MY  IMPLANT"):
        answer = anatomy.resolve(typed, "mri")
        assert isinstance(answer, anatomy.Resolved), typed
        assert answer.prompt == PROMPT
        assert is_taught(answer.prompt)
    for typed, match in (("my im", "prefix"), ("impl", "words"), (NAME, "exact")):
        hit = next(hit for hit in anatomy.search(typed, "mri") if hit.what == "word")
        assert (hit.status, hit.match, hit.prompts) == ("taught", match, (PROMPT,))
    assert anatomy.search("my im", "mri")[0].name == NAME
    assert anatomy.search("my im", "mri")[0].spans == ((0, 2), (3, 5))


def test_a_word_of_another_modality_is_greyed_with_its_reason(own_words: Path) -> None:
    put_word(own_words, name="zyx clip")
    (hit,) = [hit for hit in anatomy.search("zyx", "ct") if hit.what == "word"]
    assert (hit.prompts, hit.reason) == ((), "MRI only")
    answer = anatomy.resolve("zyx clip", "ct")
    assert isinstance(answer, anatomy.NotSegmentable)
    assert answer.reason == "MRI only"


def test_a_trained_name_is_never_taken_over(own_words: Path) -> None:
    put_word(own_words, name="IVC", modality="ct")  # as from a folder that nobody checked
    assert anatomy.resolve("IVC", "ct").prompt.text == "inferior vena cava"
    put_word(own_words, name="liver implant", modality="ct")
    assert anatomy.search("liver", "ct")[0].name == "liver"
    assert "liver implant" in [hit.name for hit in anatomy.search("liver", "ct")]


@pytest.mark.parametrize("name", ["", " ", "---", "x" * 101, "liver", "LIVER", "IVC", "left kidney, spleen", "a\x07b"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(PromptError) as caught:
        check_name(name, "ct")
    assert caught.value.remedy


def test_a_name_is_tidied() -> None:
    assert check_name("  My \n implant ", "mri") == "My implant"


def test_a_sites_words_are_offered_but_not_the_users_to_delete(
    own_words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORDS_VARIABLE, os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "site")]))
    put_word(tmp_path / "site", seed=1)
    assert anatomy.resolve(NAME, "mri").prompt == PROMPT
    with pytest.raises(WordError, match="site"):
        delete_word(NAME)
    own = put_word(own_words, seed=2)
    assert find_words(NAME, "mri")[0].path == own  # the user's own goes first
    assert [one.path for one in delete_word(NAME)] == [own]
    assert [one.own for one in word_files()] == [False]


def test_a_shared_file_is_imported_once_and_only_if_its_name_is_free(own_words: Path, tmp_path: Path) -> None:
    shared = put_word(tmp_path / "mail")
    assert import_word(shared).path.parent == own_words
    assert anatomy.resolve(NAME, "mri").prompt == PROMPT
    with pytest.raises(WordError, match="already"):
        import_word(shared)
    assert import_word(shared, overwrite=True).path.read_bytes() == shared.read_bytes()
    with pytest.raises(PromptError, match="already means"):
        import_word(put_word(tmp_path / "mail", name="brainstem"))
    with pytest.raises(WordError):
        delete_word("something else")


@given(st.data())
def test_a_damaged_file_is_refused_and_never_offered(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = put_word(folder)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
        path.write_bytes(content)
        with pytest.raises(WordError):
            read_word(path)
    else:
        # Any byte of the header: it either still reads as a whole word, or is refused.
        at = data.draw(st.integers(0, 7))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with pytest.raises(WordError):
            read_word(path)


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "us"},
        {"orientation": "XYZ"},
        {"model_sha256": "../../etc"},
        {"dice": (1.5,)},
        {"dice": (float("nan"),)},
        {"dice": ()},
        {"left_out_dice": (0.5, 0.5)},
        {"scans": ()},
        {"name": "  "},
        {"name": "a\nb"},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path, change: dict) -> None:
    path = put_word(tmp_path, **change)
    with pytest.raises(WordError):
        read_record(path)


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save

    path = tmp_path / f"a{SUFFIX}"
    path.write_bytes(
        save({"query": np.full(DIM, np.nan, np.float32), "shift": np.zeros(3, np.float32)}, word_record().to_header())
    )
    with pytest.raises(WordError, match="damaged"):
        read_word(path)


def test_another_models_word_is_refused_by_name(own_words: Path) -> None:
    put_word(own_words, model="SAT-Nano", model_sha256="d" * 64)
    source = QuerySource(DIM, words=TaughtWords("SAT-Pro", "e" * 64))
    with pytest.raises(PairMismatch, match=r"SAT-Nano.*SAT-Pro") as caught:
        source.embed([PROMPT])
    assert "SAT-Nano" in caught.value.remedy


def test_each_model_finds_its_own_word_of_a_name(own_words: Path) -> None:
    put_word(own_words, seed=1, model_sha256="d" * 64)
    put_word(own_words, seed=2, model_sha256="e" * 64)
    found = [QuerySource(DIM, words=TaughtWords("m", sha)).embed([PROMPT])[0] for sha in ("d" * 64, "e" * 64)]
    for query, seed in zip(found, (1, 2), strict=True):
        np.testing.assert_array_equal(query, np.random.default_rng(seed).standard_normal(DIM).astype(np.float32))
    assert word_sha256(PROMPT, "d" * 64) != word_sha256(PROMPT, "e" * 64) != ""
    assert word_sha256(PROMPT, "f" * 64) == ""


def test_a_word_that_is_gone_never_runs_as_free_text(own_words: Path) -> None:
    source = QuerySource(DIM, words=TaughtWords("m", "d" * 64))
    assert source.knows(PROMPT)
    with pytest.raises(PromptError, match="no taught word"):
        source.embed([PROMPT])


def test_a_word_taught_anew_is_found_at_once(own_words: Path) -> None:
    source = QuerySource(DIM, words=TaughtWords("m", "a" * 64))
    put_word(own_words, seed=1)
    first = source.embed([PROMPT])
    put_word(own_words, seed=2)
    assert not np.array_equal(source.embed([PROMPT]), first)
    assert source.mask_embedding_offsets([PROMPT, Prompt("liver", "ct")])[1] is None


def test_the_header_says_all_and_nothing_else(own_words: Path) -> None:
    path = put_word(own_words)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert set(json.loads(header["__metadata__"]["word"])) == {
        "name", "modality", "orientation", "model", "model_sha256", "taught", "scans", "dice", "left_out_dice",
        "start", "software",
    }  # fmt: skip


def test_a_word_taught_to_another_model_is_grey_and_refused_before_a_run(own_words: Path) -> None:
    record = read_record(put_word(own_words))
    known = record.model_sha256
    assert anatomy.resolve(NAME, "mri", known) == anatomy.Resolved(NAME, PROMPT)
    assert next(hit for hit in anatomy.search(NAME, "mri", model_sha256=known)).status == "taught"
    answer = anatomy.resolve(NAME, "mri", "f" * 64)
    assert isinstance(answer, anatomy.NotSegmentable)
    assert record.model in answer.reason
    hit = next(hit for hit in anatomy.search(NAME, "mri", model_sha256="f" * 64) if hit.what == "word")
    assert (hit.status, hit.prompts, hit.reason) == ("other model", (), f"taught to {record.model} only")
