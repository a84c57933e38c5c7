"""The knowledge tree: no cycles, no dangling links, enough concepts, small and fast enough."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from SATSegmentLib.anatomy.vocabulary.tree import load_tree
from SATSegmentLib.resources import resource_path


def test_the_default_view_holds_at_least_6502_concepts():
    assert sum(concept.default_view for concept in load_tree().concepts.values()) >= 6502


def test_the_anatomy_folder_stays_below_one_megabyte():
    assert sum(path.stat().st_size for path in resource_path("Anatomy").iterdir()) <= 1_000_000


def test_every_parent_exists_and_none_is_listed_twice():
    tree = load_tree()
    for concept in tree.concepts.values():
        above = [parent.id for parent in concept.parents]
        assert all(identifier in tree.concepts for identifier in above)
        assert len(set(above)) == len(above)
        assert all(parent.relation in ("is-a", "part-of", "") for parent in concept.parents)


def test_there_are_no_cycles():
    tree = load_tree()
    waiting = {concept.id: len(concept.parents) for concept in tree.concepts.values()}
    free = [identifier for identifier, count in waiting.items() if count == 0]
    seen = 0
    while free:
        identifier = free.pop()
        seen += 1
        for child in tree.children(identifier):
            waiting[child.id] -= 1
            if waiting[child.id] == 0:
                free.append(child.id)
    assert seen == len(tree.concepts)


def test_everything_hangs_below_one_root():
    assert [root.id for root in load_tree().roots()] == ["SAT:human_body"]


def test_the_kidneys_place_and_names():
    tree = load_tree()
    kidney = tree.concepts["UBERON:0002113"]
    assert kidney.name == "kidney"
    assert kidney.laterality == "paired"
    assert kidney.codes == {"UBERON": "0002113", "SCT": "64033007", "MSH": "D007668"}
    assert kidney.definition.endswith(".")
    below = {child.name for child in tree.children(kidney.id)}
    assert {"left kidney", "right kidney", "kidney tumor", "kidney cyst"} <= below
    assert "abdomen" in {parent.name for parent in tree.ancestors(kidney.id)}
    assert [concept.id for concept in tree.path(kidney.id)][-1] == kidney.id


def test_ancestors_come_nearest_first_and_once():
    tree = load_tree()
    above = [concept.id for concept in tree.ancestors("UBERON:0004538")]
    assert len(set(above)) == len(above)
    assert set(above[: len(tree.parents("UBERON:0004538"))]) == {p.id for p in tree.parents("UBERON:0004538")}
    assert above[-1] == "SAT:human_body" or "SAT:human_body" in above


def test_sided_concepts_are_not_both_sides_at_once():
    for concept in load_tree().concepts.values():
        words = concept.name.lower().split()
        if concept.laterality in ("left", "right"):
            assert concept.laterality in words, concept.name


def test_names_are_unique_in_the_default_view():
    names = Counter(c.name.casefold() for c in load_tree().concepts.values() if c.default_view)
    assert [name for name, count in names.items() if count > 1] == []


def test_entries_are_clean_text_with_a_source():
    for concept in load_tree().concepts.values():
        assert concept.source in ("UBERON", "DICOM", "MeSH", "SAT")
        assert concept.name == concept.name.strip() != ""
        assert concept.name not in concept.synonyms
        assert len(set(concept.synonyms)) == len(concept.synonyms)
        for text in (concept.name, concept.definition, *concept.synonyms):
            assert not set("|[]\t") & set(text)
            assert text.isprintable()
        if concept.definition:
            assert concept.definition[-1] in ".!?", concept.definition


def test_most_of_the_default_view_is_defined():
    shown = [concept for concept in load_tree().concepts.values() if concept.default_view]
    assert sum(bool(concept.definition) for concept in shown) >= 0.7 * len(shown)


@pytest.mark.parametrize(
    "word",
    ["fin", "gill", "insect", "feather", "zebrafish", "tail", "wing", "hindlimb", "forelimb", "tentacle", "larva"],
)
def test_no_animal_is_shown(word):
    shown = [c.name for c in load_tree().concepts.values() if c.default_view and word in c.name.lower().split()]
    assert shown == []


@pytest.mark.parametrize("word", ["embryo", "presumptive", "primordium", "placode", "somite", "blastula", "placenta"])
def test_no_embryo_is_shown(word):
    shown = [c.name for c in load_tree().concepts.values() if c.default_view and word in c.name.lower().split()]
    assert shown == []


def test_links_are_typed_where_the_definition_says_so():
    tree = load_tree()
    mucosa = tree.concepts["UBERON:0000320"]  # "A mucosa that is part of a duodenum"
    assert {tree.concepts[p.id].name: p.relation for p in mucosa.parents}["duodenum"] == "part-of"
    left = tree.concepts["UBERON:0004538"]  # "A kidney that is part of a left side of organism"
    assert left.parents[0].relation == "is-a"


def test_loading_takes_a_fraction_of_a_second():
    load_tree.cache_clear()
    start = time.process_time()
    load_tree()
    # 0.1 s on a quiet machine; the bound only catches a loader that has become slow.
    assert time.process_time() - start < 1.5
