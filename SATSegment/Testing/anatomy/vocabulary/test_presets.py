"""Presets, labels by region, and a user's own sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from SATSegmentLib import Prompt, anatomy
from SATSegmentLib.anatomy.personal.user_sets import HISTORY_LENGTH, UserSetsError
from SATSegmentLib.errors import OutputError

KIDNEYS = (Prompt("left kidney", "ct"), Prompt("right kidney", "ct"))


def test_there_are_at_least_15_presets_with_their_own_ids():
    ids = [preset.id for preset in anatomy.presets()]
    assert len(ids) >= 15
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("preset", anatomy.presets(), ids=lambda preset: preset.id)
def test_every_preset_holds_trained_labels_once(preset):
    assert preset.title
    assert preset.about
    assert len(set(preset.prompts)) == len(preset.prompts) >= 2
    for prompt in preset.prompts:
        label = anatomy.find_label(prompt.modality, prompt.text)
        assert label is not None
        assert prompt == label.prompt()
        assert prompt.modality == preset.modality


def test_presets_by_modality_are_a_partition():
    parts = [preset for modality in ("ct", "mri", "pet") for preset in anatomy.presets(modality)]
    assert sorted(p.id for p in parts) == sorted(p.id for p in anatomy.presets())


def test_spine_numbering_counts_every_vertebra():
    (spine,) = [preset for preset in anatomy.presets() if preset.id == "spine-numbering"]
    assert sum(" vertebrae " in prompt.text for prompt in spine.prompts) == 25


def test_regions_hold_all_labels():
    for modality, count in (("ct", 306), ("mri", 189), ("pet", 3)):
        regions = anatomy.labels_by_region(modality)
        assert len({label.text for labels in regions.values() for label in labels}) == count
    assert {"brain", "spine", "whole body"} <= set(anatomy.labels_by_region())


def test_sets_and_history_survive(tmp_path):
    path = tmp_path / "config" / "sets.json"
    sets = anatomy.UserSets(path)
    sets.save("my kidneys", [*KIDNEYS, KIDNEYS[0]])
    sets.remember([Prompt("liver", "ct"), KIDNEYS[0]])
    sets.remember([KIDNEYS[0]])
    again = anatomy.UserSets(path)
    assert again.sets == {"my kidneys": KIDNEYS}
    assert again.history == (KIDNEYS[0], Prompt("liver", "ct"))
    again.remove("my kidneys")
    again.clear_history()
    assert (anatomy.UserSets(path).sets, anatomy.UserSets(path).history) == ({}, ())


def test_the_history_has_an_end(tmp_path):
    sets = anatomy.UserSets(tmp_path / "sets.json")
    sets.remember(Prompt(str(number), "ct", trained=False) for number in range(HISTORY_LENGTH + 50))
    assert len(sets.history) == HISTORY_LENGTH


def test_sets_travel_between_users(tmp_path):
    mine, yours = anatomy.UserSets(tmp_path / "mine.json"), anatomy.UserSets(tmp_path / "yours.json")
    mine.save("kidneys", KIDNEYS)
    mine.remember(KIDNEYS)
    mine.export_sets(tmp_path / "out.json")
    yours.save("kidneys", KIDNEYS[:1])
    assert yours.import_sets(tmp_path / "out.json") == ("kidneys (2)",)
    assert yours.sets == {"kidneys": KIDNEYS[:1], "kidneys (2)": KIDNEYS}
    assert yours.history == ()
    assert mine.import_sets(tmp_path / "out.json") == ("kidneys",)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "satsegment-sets"}',
        '{"format": "satsegment-sets", "version": 99}',
        "\x00\x01",
        "9" * 5000,
        '{"format": "satsegment-sets", "version": 1, "sets": {"a": [{"text": "x"}]}, "history": []}',
        '{"format": "satsegment-sets", "version": 1, "sets": {"a": [{"text": 1, "modality": "us"}]}, "history": []}',
    ],
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path, content):
    path = tmp_path / "sets.json"
    path.write_text(content)
    with pytest.raises(UserSetsError, match="cannot be read"):
        anatomy.UserSets(path)
    assert path.read_text() == content
    fine = anatomy.UserSets(tmp_path / "fine.json")
    fine.save("kidneys", KIDNEYS)
    with pytest.raises(UserSetsError):
        fine.import_sets(path)
    assert fine.sets == {"kidneys": KIDNEYS}


def test_what_cannot_be_written_is_an_error_and_changes_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    sets = anatomy.UserSets(tmp_path / "sets.json")
    sets.save("kidneys", KIDNEYS)
    sets.path = tmp_path / "file" / "sets.json"
    with pytest.raises(OutputError):
        sets.save("more", KIDNEYS)
    assert sets.sets == {"kidneys": KIDNEYS}


def test_no_half_written_file_is_left(tmp_path):
    sets = anatomy.UserSets(tmp_path / "sets.json")
    for number in range(5):
        sets.save(f"set {number}", KIDNEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["sets.json"]


@pytest.mark.parametrize(("name", "prompts"), [("", KIDNEYS), ("  ", KIDNEYS), ("empty", ())])
def test_a_set_needs_a_name_and_structures(tmp_path, name, prompts):
    with pytest.raises(UserSetsError):
        anatomy.UserSets(tmp_path / "sets.json").save(name, prompts)


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1))
def test_any_text_survives_as_name_and_prompt(tmp_path_factory, name, text):
    path = tmp_path_factory.mktemp("sets") / "sets.json"
    prompt = Prompt(text.encode("utf-8", "replace").decode(), "mri", trained=False)
    anatomy.UserSets(path).save(name.encode("utf-8", "replace").decode(), [prompt])
    assert list(anatomy.UserSets(path).sets.values()) == [(prompt,)]
