"""Every label has a definition in a sentence, with its source, and says honestly what is not known."""

from __future__ import annotations

import json

import pytest

from SATSegmentLib import anatomy
from SATSegmentLib.anatomy.text.bases import base_of
from SATSegmentLib.anatomy.vocabulary.definitions import NOT_DOCUMENTED, definition_of
from SATSegmentLib.cli import main
from SATSegmentLib.resources import resource_path

LABELS = sorted({label.text for label in anatomy.load_labels()})


def test_every_label_is_defined_in_a_sentence_with_its_source():
    for label in LABELS:
        found = definition_of(label)
        assert found.text[0].isupper(), found
        assert found.text.endswith("."), found
        assert len(found.text) < 300, found
        assert found.source, found
        assert found.scope.endswith("."), found
        assert found.datasets, found


def test_a_definition_names_its_side():
    for label in LABELS:
        side = base_of(label).side
        if side and "auricle" not in label and "middle lobe" not in label:
            assert side in definition_of(label).text, label


def test_what_data_sets_differ_in_is_said():
    assert "cyst" in definition_of("left kidney").scope
    assert "midbrain" in definition_of("brainstem").text
    assert "caudate lobe" in definition_of("left lobe of liver").scope
    assert "subcallosal" in definition_of("frontal lobe").scope
    assert "edema" in definition_of("myocardium").scope


def test_every_label_says_what_it_holds_or_leaves_out_and_from_where():
    unsaid = [label for label in LABELS if definition_of(label).scope == NOT_DOCUMENTED]
    unsourced = [label for label in LABELS if not definition_of(label).scope_source]
    assert unsaid == []
    assert unsourced == []


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ("left lobe of liver", ("segment II ", "segment III ", "segment IV ")),
        ("right lobe of liver", ("segment V ", "segment VI ", "segment VII ", "segment VIII ")),
    ],
)
def test_a_lobe_of_the_liver_is_said_to_be_the_same_segments_as_its_composite(whole, parts):
    """What a definition says of Couinaud's numbers, and what the segments' own definitions say."""
    side = whole.split()[0]
    own = [definition_of(label).text for label in LABELS if "segment of liver" in label and label.startswith(side)]
    assert len(own) == len(parts)
    assert all(any(f"Couinaud {part}" in text for text in own) for part in parts)


def test_the_table_holds_known_bases_only():
    known = {base_of(label).name for label in LABELS}
    lines = resource_path("Anatomy/definitions.tsv").read_text(encoding="utf-8").splitlines()
    assert "Apache-2.0" in lines[1]
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    assert [row[0] for row in rows if row[0] not in known] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_what_is_no_label_has_no_definition():
    with pytest.raises(KeyError):
        definition_of("appendix")


def test_about_prints_the_definition_in_any_language(capsys):
    assert main(["terms", "--about", "linke Niere", "--language", "de"]) == 0
    printed = capsys.readouterr().out
    assert "left kidney  (Niere links)" in printed
    assert "KiTS23" in printed


def test_about_as_json_lists_each_label_of_a_pair(capsys):
    assert main(["terms", "--about", "kidneys", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [label["label"] for label in answer["labels"]] == ["left kidney", "right kidney"]


def test_about_what_is_no_label_is_an_error(capsys):
    assert main(["terms", "--about", "appendix"]) != 0
    assert "appendix" in capsys.readouterr().err
