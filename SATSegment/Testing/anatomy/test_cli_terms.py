"""`satsegment terms`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from SATSegmentLib import anatomy
from SATSegmentLib.cli import main


def _json(capsys, *words: str, code: int = 0) -> dict:
    assert main(["terms", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_search_lists_labels_with_status_and_codes(capsys):
    answer = _json(capsys, "lt kidn", "--modality", "ct")
    first = answer["suggestions"][0]
    assert (first["label"], first["status"], first["matched"]) == ("left kidney", "trained", "left kidney")
    assert "SCT:64033007" in first["codes"]
    assert [first["matched"][start:end] for start, end in first["spans"]] == ["left", "kidn"]
    assert any(hit["status"] != "trained" and hit["reason"] for hit in answer["suggestions"])


def test_search_for_people_names_evidence_and_reason(capsys):
    assert main(["terms", "putamen", "--modality", "ct"]) == 0
    assert "MRI only" in capsys.readouterr().out
    assert main(["terms", "spleen", "--modality", "ct"]) == 0
    assert "good evidence" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["qwertzuiop"], ["qwertzuiop", "zork"], ["qwertzuiop zork"]])
def test_nothing_that_fits_is_an_exit_code_of_its_own_and_the_answer_stays(capsys, words):
    assert main(["terms", *words, "--modality", "ct"]) == 4
    assert "Nothing fits" in capsys.readouterr().out
    found = _json(capsys, *words, "--modality", "ct", code=4)
    assert (found["text"], found["suggestions"]) == (" ".join(words), [])


def test_words_need_no_quotes(capsys):
    assert _json(capsys, "lt", "kidn", "--modality", "ct") == _json(capsys, "lt kidn", "--modality", "ct")


@pytest.mark.parametrize(
    ("text", "answer", "key"),
    [
        ("IVC", "resolved", "label"),
        ("ribs", "composite", "prompts"),
        ("PV", "did you mean", "candidates"),
        ("liver, zork", "did you mean", "candidates"),
        ("ureter", "not segmentable", "nearest"),
        ("qwertzuiop", "unknown", "text"),
    ],
)
def test_resolve_says_which_of_the_five_answers_and_its_exit_code_whether_it_can_be_asked_for(
    capsys, text, answer, key
):
    code = 0 if answer in ("resolved", "composite") else 4
    found = _json(capsys, "--resolve", text, "--modality", "ct", code=code)
    assert found["answer"] == answer
    assert found[key]
    assert main(["terms", "--resolve", text, "--modality", "ct"]) == code
    assert capsys.readouterr().out.strip()


def test_tree_shows_place_children_and_labels(capsys):
    answer = _json(capsys, "--tree", "kidney")
    assert answer["path"][-1] == "kidney"
    assert {label["modality"] for label in answer["labels"]} == {"ct", "mri"}
    assert "left kidney" in [child["name"] for child in answer["children"]]
    assert all(parent["relation"] in ("is-a", "part-of", None) for parent in answer["parents"])
    assert main(["terms", "--tree", "kidney"]) == 0
    assert "SAT: kidney (ct)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["kidney"],
        ["--resolve", "kidney"],
        ["--tree", "kidnex"],
        ["--tree", ""],
        ["k", "--modality", "ct", "--limit", "0"],
    ],
)
def test_errors_say_what_to_do(capsys, words):
    assert main(["terms", *words]) == 2
    assert capsys.readouterr().err.startswith("satsegment: ")


@pytest.mark.parametrize("words", [[], ["a", "--modality", "us"], ["a", "--resolve", "b", "--modality", "ct"]])
def test_wrong_usage_is_refused(words):
    with pytest.raises(SystemExit) as stop:
        main(["terms", *words])
    assert stop.value.code == 2


def test_importing_anatomy_costs_nothing():
    """Nothing is read before it is asked for, and beside `SATSegmentLib.types` only the standard library is needed."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import SATSegmentLib.types; before = set(sys.modules);"
        "from SATSegmentLib import anatomy; between = set(sys.modules);"
        "anatomy.search('left kidney', 'ct'); anatomy.resolve('foo', 'ct'); anatomy.presets();"
        "outside = {m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names);"
        "print(sorted(m for m in between - before if 'anatomy.' in m), sorted(outside - {'SATSegmentLib'}))"
    )
    root = str(Path(anatomy.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] []"
