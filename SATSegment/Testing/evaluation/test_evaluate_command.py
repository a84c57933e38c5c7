"""`satsegment evaluate` from folders of masks to tables and pictures."""

from __future__ import annotations

import argparse
import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.results import result
from SATSegmentLib.cli import evaluate
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.evaluation import plots
from SATSegmentLib.scans import read_scan
from SATSegmentLib.storage import write_segmentation
from SATSegmentLib.types import Image

SPACING = (1.0, 1.0, 3.0)
SIZE = (14, 30, 32)
BOXES = {
    "liver": (slice(2, 10), slice(4, 20), slice(3, 15)),
    "left kidney": (slice(3, 9), slice(18, 26), slice(20, 28)),
    "heart": (slice(9, 14), slice(2, 12), slice(16, 26)),
    "liver tumor": (slice(4, 6), slice(8, 12), slice(6, 10)),
    "brain": (slice(0, 3), slice(0, 9), slice(0, 9)),
}
# What TotalSegmentator would call them.
FILES = {"left kidney": "kidney_left", "liver tumor": "liver_tumor"}
PICTURES = ("regions_dsc.png", "regions_nsd.png", "labels_dsc.png", "labels_nsd.png", "volumes.png")


def box(name, moved=0):
    mask = np.zeros(SIZE, bool)
    mask[BOXES[name]] = True
    return np.roll(mask, moved, axis=2)


def write(path, array, spacing=SPACING, direction=None):
    image = sitk.GetImageFromArray(np.asarray(array, np.uint8))
    image.SetSpacing(spacing)
    if direction:
        image.SetDirection(direction)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def write_cases(folder, moved, cases=3, names=tuple(BOXES)):
    """Folders of masks, as TotalSegmentator writes them; `moved` gives the voxels to the side for each case."""
    for number in range(cases):
        for name in names:
            write(folder / f"s{number}" / f"{FILES.get(name, name)}.nii.gz", box(name, moved(number)))
    return folder


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run the command; returns (tables by name, evaluation.json, standard output, standard error).

    Only the first run of a test draws pictures, which takes longer than all else.
    """

    def go(*words, out="judged"):
        parser = argparse.ArgumentParser()
        evaluate.add_arguments(parser)
        folder = tmp_path / out
        assert evaluate.run(parser.parse_args([*map(str, words), "--modality", "ct", "--out", str(folder)])) == 0
        monkeypatch.setattr(plots, "draw", lambda *_, **__: None)
        captured = capsys.readouterr()
        tables = {}
        for path in folder.glob("*.csv"):
            with path.open(encoding="utf-8", newline="") as stream:
                tables[path.stem] = list(csv.DictReader(stream))
        everything = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        return tables, everything, captured.out, captured.err

    return go


def dice_of_shifted_box(name, moved):
    width = BOXES[name][2].stop - BOXES[name][2].start
    return max(width - moved, 0) / width


def test_two_methods_on_a_small_folder(run, tmp_path):
    reference = write_cases(tmp_path / "reference", lambda n: 0)
    good = write_cases(tmp_path / "good", lambda n: n % 2)
    poor = write_cases(tmp_path / "poor", lambda n: 2 + n)

    tables, everything, out, err = run(reference, good, "--against", poor, "--dataset", "AMOS")

    assert len(tables["cases"]) == 2 * 3 * 5
    for row in tables["cases"]:
        number = int(row["case"][1:])
        moved = number % 2 if row["method"] == "good" else 2 + number
        assert float(row["dsc"]) == pytest.approx(dice_of_shifted_box(row["label"], moved))
        assert float(row["volume_error_ml"]) == pytest.approx(0)
        assert (row["dataset"], row["modality"]) == ("AMOS", "ct")
        if row["method"] == "good":
            assert float(row["nsd"]) == pytest.approx(1)
            assert float(row["hd95_mm"]) == pytest.approx(moved)
    regions = {(row["method"], row["region"]): row for row in tables["regions"]}
    assert float(regions["good", "abnormal"]["dsc"]) == pytest.approx((1 + 0.75 + 1) / 3)
    assert int(regions["poor", "abdomen"]["labels"]) == 2
    overall = next(row for row in tables["comparison"] if (row["level"], row["metric"]) == ("overall", "dsc"))
    assert float(overall["low"]) > 0
    assert float(overall["difference"]) == pytest.approx(
        float(regions["good", "all labels"]["dsc"]) - float(regions["poor", "all labels"]["dsc"])
    )
    assert everything["settings"] == {"grid": "own", "tolerance_mm": 1.0, "resample": False}
    assert [method["method"] for method in everything["methods"]] == ["good", "poor"]
    assert "good minus poor" in out
    assert "Warning" not in err
    for name in PICTURES:
        picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "judged" / name)))
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 5


def test_all_kinds_of_files_give_the_same_numbers(run, tmp_path):
    reference = write_cases(tmp_path / "reference", lambda n: 0)
    masks = write_cases(tmp_path / "masks", lambda n: 1, names=("liver", "left kidney", "heart"))
    names = {name: value for value, name in enumerate(("liver", "left kidney", "heart"), start=1)}
    for number in range(3):
        labels = sum(value * box(name, 1).astype(int) for name, value in names.items())
        write(tmp_path / "labelmaps" / f"s{number}.nii.gz", labels)
        scan = read_scan(tmp_path / "reference" / f"s{number}" / "liver.nii.gz")
        results = [result(name, box(name, 1), "ct") for name in names]
        (tmp_path / "slicer").mkdir(exist_ok=True)
        write_segmentation(tmp_path / "slicer" / f"s{number}.seg.nrrd", scan, results)
    (tmp_path / "labelmaps" / "dataset.json").write_text(json.dumps({"labels": {"background": 0, **names}}))

    found = [run(reference, tmp_path / kind, out=kind)[0]["labels"] for kind in (masks.name, "labelmaps", "slicer")]

    keys = ("label", "dsc", "nsd", "hd95_mm", "volume_error_ml")
    rows = [[[row[key] for key in keys] for row in table] for table in found]
    assert len(rows[0]) == 3
    assert rows[0] == rows[1] == rows[2]


def test_absent_structures_follow_sats_rule(run, tmp_path):
    nothing = np.zeros(SIZE, bool)
    for folder, masks in {
        "reference/a": {"liver": box("liver"), "heart": nothing, "brain": nothing, "spleen": box("liver")},
        "method/a": {"liver": nothing, "heart": box("heart"), "brain": nothing, "spleen": box("liver")},
        "reference/b": {"liver": box("liver"), "heart": box("heart")},
        "method/b": {"heart": box("heart")},
    }.items():
        for name, mask in masks.items():
            write(tmp_path / folder / f"{name}.nii.gz", mask)

    tables, _, _, err = run(tmp_path / "reference", tmp_path / "method")

    rows = {(row["case"], row["label"]): row for row in tables["cases"]}
    dsc = {place: float(row["dsc"]) for place, row in rows.items()}
    assert dsc == {
        ("a", "liver"): 0,
        ("a", "heart"): 0,
        ("a", "brain"): 1,
        ("a", "spleen"): 1,
        ("b", "liver"): 0,
        ("b", "heart"): 1,
    }
    assert rows["b", "liver"]["missing_counted_as_empty"] == "True"
    assert rows["a", "brain"]["hd95_mm"] == ""
    assert "missing in single cases, counted as empty (1)" in err


def test_what_is_not_scored_is_listed(run, tmp_path):
    for name in ("liver", "kidneys", "spleen", "my_implant"):
        write(tmp_path / "reference" / "a" / f"{name}.nii.gz", box("liver"))
        write(tmp_path / "reference" / "b" / f"{name}.nii.gz", box("liver"))
    for name in ("liver", "ventricle", "My implant"):
        write(tmp_path / "method" / "a" / f"{name}.nii.gz", box("liver"))
    write(tmp_path / "method" / "c" / "liver.nii.gz", box("liver"))

    tables, everything, _, err = run(tmp_path / "reference", tmp_path / "method")

    assert {row["label"]: row["region"] for row in tables["labels"]} == {"liver": "abdomen", "my implant": "unknown"}
    unmatched = everything["methods"][0]["unmatched"]
    assert unmatched["cases_without_prediction"] == ["b"]
    assert unmatched["cases_without_reference"] == ["c"]
    sides = {(side, name) for side, name, _ in unmatched["names"]}
    assert sides == {
        ("reference", "kidneys"),
        ("reference", "spleen"),
        ("prediction", "ventricle"),
        ("both", "my_implant"),
    }
    assert "kidneys: stands for several structures: " in err
    assert "ventricle: may mean" in err


def test_another_grid_is_refused_or_resampled_and_said_so(run, tmp_path):
    write(tmp_path / "reference" / "liver.nii.gz", box("liver"))
    write(tmp_path / "method" / "liver.nii.gz", box("liver")[:, ::2, ::2], (2.0, 2.0, 3.0))

    with pytest.raises(SATSegmentError, match=r'"liver".*32 x 30 x 14.*16 x 15 x 14.*--resample'):
        run(tmp_path / "reference", tmp_path / "method")
    assert not (tmp_path / "judged").exists()
    tables, _, _, err = run(tmp_path / "reference", tmp_path / "method", "--resample")
    assert tables["cases"][0]["resampled"] == "True"
    assert float(tables["cases"][0]["dsc"]) > 0.85
    assert "resampled to the reference's grid (nearest voxel) (1)" in err


def test_left_stays_left_when_a_method_stores_its_voxels_the_other_way_round(run, tmp_path):
    write(tmp_path / "reference" / "left_kidney.nii.gz", box("left kidney"))
    flipped = sitk.GetImageFromArray(box("left kidney")[:, :, ::-1].astype(np.uint8))
    flipped.SetSpacing(SPACING)
    flipped.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    flipped.SetOrigin((31.0, 0, 0))
    (tmp_path / "method").mkdir()
    sitk.WriteImage(flipped, str(tmp_path / "method" / "kidney_left.nii.gz"))

    tables, _, _, err = run(tmp_path / "reference", tmp_path / "method")

    assert float(tables["cases"][0]["dsc"]) == 1
    assert tables["cases"][0]["resampled"] == "False"
    assert err == ""


def test_sats_grid_changes_the_numbers_of_thin_slices_only(run, tmp_path):
    """On the protocol's grid the spacing is 1 x 1 x 3 mm whatever the scan's."""
    for folder, moved in (("reference", 0), ("method", 1)):
        write(tmp_path / folder / "liver.nii.gz", box("liver", moved))
    own, protocol = (
        run(tmp_path / "reference", tmp_path / "method", "--grid", grid, out=grid) for grid in ("own", "sat")
    )
    same = [
        {key: row[key] for key in ("dsc", "nsd", "hd95_mm", "reference_ml")}
        for tables, *_ in (own, protocol)
        for row in tables["cases"]
    ]
    assert same[0] == same[1]

    thin = [np.repeat(box("liver", moved), 3, axis=0) for moved in (0, 1)]
    for folder, mask in zip(("thin_reference", "thin_method"), thin, strict=True):
        write(tmp_path / folder / "liver.nii.gz", mask, (1.0, 1.0, 1.0))
    tables, everything, *_ = run(tmp_path / "thin_reference", tmp_path / "thin_method", "--grid", "sat", out="thin")
    assert {key: tables["cases"][0][key] for key in same[0]} == same[0]
    assert everything["settings"]["grid"] == "sat"


def test_the_tolerance_is_adjustable(run, tmp_path):
    for folder, moved in (("reference", 0), ("method", 3)):
        write(tmp_path / folder / "liver.nii.gz", box("liver", moved))
    strict, lenient = (
        float(run(tmp_path / "reference", tmp_path / "method", "--tolerance", mm, out=mm)[0]["cases"][0]["nsd"])
        for mm in ("1", "3")
    )
    assert strict < 0.9
    assert lenient == 1


def test_datasets_count_the_same_however_many_cases_they_have(run, tmp_path):
    reference = write_cases(tmp_path / "reference", lambda n: 0, names=("liver",))
    method = write_cases(tmp_path / "method", lambda n: 0 if n < 2 else 6, names=("liver",))
    (tmp_path / "sets.csv").write_text("case,dataset\ns0,A\ns1,A\ns2,B\n")
    tables, *_ = run(reference, method, "--dataset", tmp_path / "sets.csv")
    assert float(tables["labels"][0]["dsc"]) == pytest.approx((1 + 0.5) / 2)
    assert [row["dataset"] for row in tables["datasets"]] == ["A", "B"]


def test_results_are_not_overwritten_unasked(run, tmp_path):
    write(tmp_path / "reference" / "liver.nii.gz", box("liver"))
    (tmp_path / "judged").mkdir()
    (tmp_path / "judged" / "notes.txt").write_text("mine")
    run(tmp_path / "reference", tmp_path / "reference")
    with pytest.raises(SATSegmentError, match=r"already holds results.*--overwrite"):
        run(tmp_path / "reference", tmp_path / "reference")
    run(tmp_path / "reference", tmp_path / "reference", "--overwrite")
    assert (tmp_path / "judged" / "notes.txt").read_text() == "mine"


def test_nothing_in_common_is_a_clear_error(run, tmp_path):
    write_cases(tmp_path / "reference", lambda n: 0)
    write(tmp_path / "other" / "x1" / "liver.nii.gz", box("liver"))
    write(tmp_path / "other" / "x2" / "liver.nii.gz", box("liver"))
    with pytest.raises(SATSegmentError, match="no case in common: s0, s1, s2 in the one, x1, x2 in the other"):
        run(tmp_path / "reference", tmp_path / "other")
    write(tmp_path / "lung" / "lung.nii.gz", box("liver"))
    write(tmp_path / "liver" / "liver.nii.gz", box("liver"))
    with pytest.raises(SATSegmentError, match="No structure is in both"):
        run(tmp_path / "liver", tmp_path / "lung")


def test_masks_of_a_scan_with_no_content_at_all(run, tmp_path):
    nothing = Image(np.zeros(SIZE, bool), np.eye(4))
    for folder in ("reference", "method"):
        write(tmp_path / folder / "liver.nii.gz", nothing.array)
    tables, *_ = run(tmp_path / "reference", tmp_path / "method")
    assert (float(tables["cases"][0]["dsc"]), tables["cases"][0]["hd95_mm"]) == (1, "")
