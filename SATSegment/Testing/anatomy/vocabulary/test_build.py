"""The build script on a small fixture: joins, filters, places, and gives the same bytes twice."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[4] / "tools" / "anatomy"

UBERON = {
    "UBERON:0000001": ("anatomical structure", "", [], []),
    "UBERON:0000002": ("organ", "A part of the body.", [], ["UBERON:0000001"]),
    "UBERON:0015212": ("lateral structure", "", [], ["UBERON:0000001"]),
    "UBERON:0000003": (
        "kidney",
        "A paired organ of people [WP]. It makes urine.",
        ["ren"],
        ["UBERON:0000002", "UBERON:0015212"],
    ),
    "UBERON:0000004": ("left kidney", "A kidney that is part of a left side of organism.", [], ["UBERON:0000003"]),
    "UBERON:0000005": ("caudal fin", "A fin of the tail of fishes.", [], ["UBERON:0000002"]),
    "UBERON:0000006": ("fin ray of kidney", "", [], ["UBERON:0000005"]),
    "UBERON:0000007": ("presumptive kidney", "", [], ["UBERON:0000002"]),
    "UBERON:0000008": ("anterior vena cava", "A vein.", ["superior vena cava"], ["UBERON:0000002"]),
    "UBERON:0000009": ("forelimb skin", "A skin that is part of a forelimb.", [], ["UBERON:0000002"]),
    "UBERON:0000010": ("renal gland", "Found in sharks.", [], ["UBERON:0000002"]),
    "UBERON:0000011": (
        "kidney hilum",
        "A hilum that is part of a kidney [Automatically generated definition].",
        [],
        ["UBERON:0000003"],
    ),
    "UBERON:0000012": ("subdivision of kidney", "", [], ["UBERON:0000003"]),
    "UBERON:0000013": ("renal pole", "", [], ["UBERON:0000012"]),
}


@pytest.fixture(scope="module")
def tools():
    sys.path.insert(0, str(TOOLS))
    try:
        yield {name: importlib.import_module(name) for name in ("sources", "merge", "build", "naming", "filters")}
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture
def inputs(tools):
    def ancestry(key: str, distance: int = 0) -> dict[str, int]:
        found: dict[str, int] = {}
        for parent in UBERON[key][3]:
            for above, far in {parent: distance + 1, **ancestry(parent, distance + 1)}.items():
                found[above] = min(far, found.get(above, 99))
        return found

    raw = {
        key: {
            "label": label,
            "description": text,
            "synonyms": synonyms,
            "ancestors": ancestry(key),
            "deprecated": False,
        }
        for key, (label, text, synonyms, _) in UBERON.items()
    }
    raw["UBERON:0000099"] = {"label": "old kidney", "ancestors": {}, "deprecated": True}
    dicom = {
        "Kidney": {"64033007": ("Kidney", [8134])},
        "EndoRenal": {"64033007": ("Endo-renal", [8134])},
        "Vein": {"48345005": ("Superior vena cava", [8134])},
        "Node": {"1": ("Left renal lymph node (body structure)", [7600])},
        "Breed": {"2": ("Longhorn cow breed", [7480])},
        "Tumor": {"3": ("Tumor of kidney (disorder)", [8134])},
    }
    mesh = [
        ["D007668", "Kidney", "Kidneys|Renes", "A05.810.453", ""],
        ["D1", "Calices, Kidney", "", "A05.810.453.100", ""],
        ["D2", "Wool", "", "A13.1", ""],
    ]
    sources = tools["sources"]
    return sources.parse_uberon(raw), sources.parse_dicom(dicom), sources.parse_mesh(mesh)


@pytest.fixture
def nodes(tools, inputs):
    uberon, dicom, mesh = inputs
    return tools["merge"].merge(
        uberon, dicom, mesh, wanted={"UBERON:0000003"}, names={}, groups={7600: "UBERON:0000002"}, places={}, same={}
    )


def test_codes_of_all_sources_meet_on_one_concept(nodes):
    kidney = nodes["UBERON:0000003"]
    assert kidney.codes == {"UBERON": "0000003", "SCT": "64033007", "MSH": "D007668"}
    assert kidney.definition == "A paired organ of people."
    assert kidney.laterality == "p"
    assert "ren" in kidney.synonyms


def test_other_animals_are_left_out_and_embryos_hidden(nodes):
    assert not {
        "UBERON:0000005",
        "UBERON:0000006",
        "UBERON:0000010",
        "UBERON:0000099",
        "MSH:D2",
        "SCT:2",
        "SCT:3",
    } & set(nodes)
    assert not nodes["UBERON:0000007"].default_view


def test_organising_terms_are_skipped_and_their_links_joined(nodes):
    assert "UBERON:0000012" not in nodes
    assert list(nodes["UBERON:0000013"].parents) == ["UBERON:0000003"]
    assert "UBERON:0015212" not in nodes


def test_links_are_typed_only_where_the_definition_says_so(nodes):
    assert nodes["UBERON:0000004"].parents == {"UBERON:0000003": "i"}
    assert nodes["UBERON:0000011"].parents == {"UBERON:0000003": "p"}
    assert nodes["UBERON:0000003"].parents == {"UBERON:0000002": ""}


def test_the_clinical_name_wins_over_the_zoologists(nodes):
    vein = nodes["UBERON:0000008"]
    assert vein.name == "superior vena cava"
    assert "anterior vena cava" in vein.synonyms
    assert nodes["UBERON:0000009"].name == "upper limb skin"


def test_what_only_one_source_has_finds_its_place(nodes):
    assert list(nodes["MSH:D1"].parents) == ["UBERON:0000003"]
    assert nodes["MSH:D1"].name == "kidney calices"
    assert nodes["SCT:1"].laterality == "l"


def test_the_table_is_the_same_bytes_whatever_the_order(tools, inputs, nodes):
    uberon, dicom, mesh = inputs
    turned = tools["merge"].merge(
        dict(reversed(uberon.items())),
        dict(reversed(dicom.items())),
        dict(reversed(mesh.items())),
        wanted={"UBERON:0000003"},
        names={},
        groups={7600: "UBERON:0000002"},
        places={},
        same={},
    )
    build = tools["build"]
    first, second = (build.pack(build.render_concepts(each)) for each in (nodes, turned))
    assert first == second


def test_definitions_become_one_clean_sentence(tools):
    one_sentence = tools["naming"].one_sentence
    assert one_sentence("A mucosa that is part of a esophagus [Automatically generated definition].") == (
        "A mucosa that is part of an esophagus."
    )
    assert (
        one_sentence("A vein (e.g. the azygos) of the chest. It drains ribs.")
        == "A vein (e.g. the azygos) of the chest."
    )
    assert one_sentence("") == ""


def test_hand_made_tables_name_each_thing_once():
    for table in TOOLS.glob("*.tsv"):
        keys = [
            line.split("\t")[0] for line in table.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")
        ]
        assert len(keys) == len(set(keys)), table.name
