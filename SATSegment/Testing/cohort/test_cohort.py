"""A cohort on good and bad scans: every scan is a row, whole or with its reason, and nothing is done twice."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from helpers.dicom_series import lps_affine, write_classic
from helpers.small_model import headLikeImage, makeModel
from SATSegmentLib.cli import main
from SATSegmentLib.cli.main import build_parser
from SATSegmentLib.cli.run_options import _NAMES
from SATSegmentLib.cohort.asked import Asked
from SATSegmentLib.cohort.collect import ALL_COLUMNS, PAGE, PARQUET, TABLE
from SATSegmentLib.cohort.listing import find_tasks
from SATSegmentLib.cohort.settings import settings_of
from SATSegmentLib.cohort.units import key_of
from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.errors import SATSegmentError

ASKED = ("--modality", "mri", "--prompt", "left hippocampus", "--prompt", "brainstem")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return makeModel(tmp_path_factory.mktemp("models"))


def write_scan(path: Path, shift: float = 0.0) -> Path:
    """A small head-like scan."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = headLikeImage(32)
    affine = image.ijk_to_ras.copy()
    affine[0, 3] += shift
    nib.save(nib.Nifti1Image(image.array.T.astype(np.float32), affine), path)
    return path


def cohort(scans: Path, out: Path, model: Path, *more: object) -> int:
    return main(["cohort", str(scans), "--out", str(out), "--model", str(model), "--device", "cpu", *map(str, more)])


def table(out: Path) -> list[dict[str, str]]:
    with (out / TABLE).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, model) -> tuple[Path, Path, int]:
    """A folder of good and bad scans, the results, and the exit code."""
    folder = tmp_path_factory.mktemp("mixed")
    scans, out = folder / "scans", folder / "out"
    write_scan(scans / "a" / "head.nii.gz")
    write_scan(scans / "b" / "head.nii.gz", 5)
    (scans / "broken.nii.gz").write_bytes((scans / "a" / "head.nii.gz").read_bytes()[:2000])
    zeros = nib.Nifti1Image(np.zeros((16, 16, 16), np.int16), np.eye(4))
    zeros.set_sform(None)
    zeros.set_qform(None)
    nib.save(zeros, scans / "zeros.nii")
    header = nib.Nifti1Header()
    header.set_data_shape((2000, 2000, 1300))
    header.set_data_dtype(np.int16)
    header.set_qform(np.eye(4), 1)
    header["vox_offset"] = 352
    with (scans / "huge.nii").open("wb") as stream:
        header.write_to(stream)
        # Ten billion bytes that take no room.
        stream.truncate(352 + 2 * 2000 * 2000 * 1300)
    return scans, out, cohort(scans, out, model, *ASKED)


def test_each_scan_is_a_row_with_results_or_a_reason(mixed):
    _, out, code = mixed
    rows = table(out)
    by_scan = {row["scan"]: row for row in rows}

    assert code == 6
    assert len(set(ALL_COLUMNS)) == len(ALL_COLUMNS)
    # The zeros' file says nothing about where they are.
    assert by_scan["zeros"]["doubts"]
    assert by_scan["zeros"]["doubt_reasons"]
    assert set(by_scan) == {"a__head", "b__head", "broken", "zeros", "huge"}
    assert [row["structure"] for row in rows if row["scan"] == "a__head"] == ["left hippocampus", "brainstem"]
    assert by_scan["a__head"]["scan_status"] == "done"
    assert float(by_scan["a__head"]["volume_ml"]) > 0
    for name, words in {"broken": "", "zeros": "", "huge": "GB of memory"}.items():
        assert by_scan[name]["scan_status"] == "failed"
        assert by_scan[name]["reason"]
        assert words in by_scan[name]["reason"]


def test_a_scan_is_a_folder_that_slicer_opens_with_a_picture_and_numbers(mixed):
    _, out, _ = mixed
    unit = out / "scans" / "a__head"
    assert sorted(one.name for one in unit.iterdir()) == ["masks.seg.nrrd", "picture.png", "result.json"]
    picture = sitk.ReadImage(str(unit / "picture.png"))
    assert max(picture.GetSize()) == 256
    assert picture.GetNumberOfComponentsPerPixel() == 3
    result = json.loads((unit / "result.json").read_text(encoding="utf-8"))
    assert [one["structure"] for one in result["results"]] == ["left hippocampus", "brainstem"]
    assert not [one for one in (out / "scans").iterdir() if one.name.startswith(".")]


def test_the_page_shows_flags_first_and_has_a_picture_for_each_scan(mixed):
    _, out, _ = mixed
    page = (out / PAGE).read_text(encoding="utf-8")
    rows = table(out)
    flagged = {row["scan"] for row in rows if row["flags"]}
    order = [part.split("</a>")[0].split(" <small>")[0].split(">")[-1] for part in page.split("<h2>")[1:]]
    assert flagged, "random weights find nothing that is plausible"
    assert set(order[: len(flagged)]) == flagged
    assert page.count("<img") == 2
    assert "scans/a__head/picture.png" in page
    assert "\u26a0" in page


def test_parquet_holds_what_the_csv_holds(mixed):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    _, out, _ = mixed
    content = parquet.read_table(out / PARQUET).to_pylist()
    assert [row["scan"] for row in content] == [row["scan"] for row in table(out)]
    assert content[0]["volume_ml"] == pytest.approx(float(table(out)[0]["volume_ml"]))


def stamps(out: Path) -> dict[str, int]:
    return {one.parent.name: one.stat().st_mtime_ns for one in out.glob("scans/[!.]*/result.json")}


def test_resume_does_only_what_is_missing_or_has_changed(mixed, model, capsys):
    scans, out, _ = mixed
    before = stamps(out)
    assert cohort(scans, out, model, *ASKED) == 2
    assert "--resume" in capsys.readouterr().err

    assert cohort(scans, out, model, *ASKED, "--resume") == 6
    assert "2 of 5 scans have results (2 done before), 3 without results, 2 with flags." in capsys.readouterr().out
    # Whoever failed is tried again.
    tried = {"broken", "zeros", "huge"}
    assert {name for name, stamp in stamps(out).items() if stamp != before[name]} == tried
    (out / "scans" / "b__head" / "result.json").unlink()
    write_scan(scans / "a" / "head.nii.gz", 9)
    cohort(scans, out, model, *ASKED, "--resume")
    assert {name for name, stamp in stamps(out).items() if stamp != before[name]} - tried == {"a__head", "b__head"}


def test_a_list_says_what_is_asked_of_each_scan(tmp_path, model):
    write_scan(tmp_path / "one.nii.gz")
    (tmp_path / "one.txt").write_text("The brainstem is normal. No lesion in the left hippocampus.")
    (tmp_path / "list.csv").write_text(
        "scan,name,modality,prompts,report,frame\n"
        "one.nii.gz,first,mri,left hippocampus; brainstem,,\n"
        "one.nii.gz,report,mri,,one.txt,\n"
        "one.nii.gz,FIRST,mri,brainstem,,\n"
        "one.nii.gz,unsaid,,brainstem,,\n"
        "one.nii.gz,unknown,mri,no such thing,,\n"
        "one.nii.gz,frame,mri,brainstem,,x\n"
        "none.nii.gz,none,mri,brainstem,,\n"
    )
    assert cohort(tmp_path / "list.csv", tmp_path / "out", model) == 6
    rows = table(tmp_path / "out")
    structures = {name: [row["structure"] for row in rows if row["scan"] == name] for name in ("first", "report")}
    assert structures["first"] == ["left hippocampus", "brainstem"]
    assert "brainstem" in structures["report"]
    reasons = {row["scan"]: row["reason"] for row in rows if row["scan_status"] == "failed"}
    assert "called FIRST" in reasons["FIRST~2"]
    assert "modality" in reasons["unsaid"]
    assert "no such thing" in reasons["unknown"]
    assert "frame" in reasons["frame"]
    assert "no file" in reasons["none"]


def test_lists_in_json_lines_and_bids_trees_are_read(tmp_path):
    lines = [
        {"scan": "x.nii.gz", "modality": "mri", "prompts": ["brainstem", "thalami"]},
        {"scan": "y.nii", "volume": 2},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    one, two = find_tasks(tmp_path / "list.jsonl")
    assert (one.prompts, one.modality, two.volume) == (("brainstem", "thalami"), "mri", 2)

    bids = tmp_path / "bids"
    for name in ("sub-01/anat/sub-01_T1w.nii.gz", "sub-01/pet/sub-01_pet.nii.gz", "sub-01/func/sub-01_bold.nii.gz"):
        write_scan(bids / name)
    (bids / "dataset_description.json").write_text("{}")
    assert {task.name: task.modality for task in find_tasks(bids)} == {"sub-01_T1w": "mri", "sub-01_pet": "pet"}


@pytest.mark.parametrize("text", ["name,modality\nx,mri\n", "scan,colour\nx.nii,red\n", "scan\n\n"])
def test_a_list_that_cannot_be_meant_is_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SATSegmentError):
        find_tasks(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("head.nii.gz", b"\x1f\x8b\x00", "is a scan, not a list. Give the folder"),
        ("head.NRRD", b"NRRD0004", "is a scan, not a list"),
        ("list.jsonl", b'"head.nii.gz"\n', "each line must be an object"),
        ("list.jsonl", b"[1, 2]\n", "each line must be an object"),
        ("list.csv", b"scan\n" + b"x" * 200_000, "is no list: field larger"),
        ("list.csv", b"\xff\xfe\x00", "is no list"),
    ],
)
def test_a_file_that_is_no_list_is_named_for_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SATSegmentError, match=re.escape(said)):
        find_tasks(tmp_path / name)


def test_shards_share_the_scans_out_and_collect_joins_them_and_counts(tmp_path, model, capsys):
    for number in range(3):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)
    (tmp_path / "scans" / "s3.nii.gz").write_bytes(b"no scan")
    for number in (1, 2):
        more = (*ASKED, "--shard", f"{number}/2")
        assert cohort(tmp_path / "scans", tmp_path / f"out{number}", model, *more) == (0, 6)[number - 1]
        assert not (tmp_path / f"out{number}" / TABLE).exists()
    assert sorted(stamps(tmp_path / "out1")) == ["s0", "s2"]
    capsys.readouterr()
    assert main(["collect", str(tmp_path / "out1"), str(tmp_path / "out2"), "--out", str(tmp_path / "all")]) == 0
    assert "3 of 4 scans have results, 1 without results" in capsys.readouterr().out
    assert sorted({row["scan"] for row in table(tmp_path / "all")}) == ["s0", "s1", "s2", "s3"]
    assert "../out2/scans/s1/picture.png" in (tmp_path / "all" / PAGE).read_text(encoding="utf-8")


def command(scans: Path, out: Path, model: Path, *more: str) -> list[str]:
    words = ["cohort", str(scans), "--out", str(out), "--model", str(model), "--device", "cpu", *ASKED, *more]
    return [sys.executable, "-c", "import sys; from SATSegmentLib.cli import main; sys.exit(main())", *words]


def run_and_kill(words: list[str], out: Path, when) -> None:
    """Start a cohort and kill it with -9 as soon as `when()` holds."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env=environment)
    try:
        while process.poll() is None and not when():
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL) if process.poll() is None else None
        process.wait()


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path, model):
    for number in range(4):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)
    out = tmp_path / "out"
    run_and_kill(command(tmp_path / "scans", out, model), out, lambda: len(stamps(out)) >= 1)
    left = stamps(out)
    assert 1 <= len(left) <= 4
    # What a writer that was killed leaves behind.
    (out / "scans" / ".0123456789ab.s3").mkdir(exist_ok=True)

    assert cohort(tmp_path / "scans", out, model, *ASKED, "--resume") == 0
    assert sorted(stamps(out)) == ["s0", "s1", "s2", "s3"]
    assert {name: stamps(out)[name] for name in left} == left
    assert not [one for one in (out / "scans").iterdir() if one.name.startswith(".")]


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_ten_kills_at_random_moments_cost_nothing_that_was_done(tmp_path, model):
    for number in range(12):
        write_scan(tmp_path / "scans" / f"s{number}.nii.gz", number)
    out = tmp_path / "out"
    rng = np.random.default_rng(0)
    for _ in range(10):
        before, until = stamps(out), time.monotonic() + rng.uniform(0.5, 8)
        run_and_kill(
            command(tmp_path / "scans", out, model, "--resume"), out, lambda until=until: time.monotonic() > until
        )
        assert {name: stamps(out)[name] for name in before} == before
        for unit in (out / "scans").glob("[!.]*"):
            assert len(list(unit.iterdir())) == 3
    assert cohort(tmp_path / "scans", out, model, *ASKED, "--resume") == 0
    assert len(stamps(out)) == 12


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX")
def test_where_a_file_cannot_be_written_its_scan_is_a_row_and_is_done_later(tmp_path, model, capsys):
    import resource

    write_scan(tmp_path / "scans" / "s.nii.gz")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        code = cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code in (2, 6)
    assert "could not be written" in capsys.readouterr().err
    assert not list((tmp_path / "out" / "scans").glob(".*"))
    assert not list((tmp_path / "out" / "scans").glob("*/masks.seg.nrrd"))

    assert cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED, "--resume") == 0
    assert table(tmp_path / "out")[0]["scan_status"] == "done"


def test_strict_makes_flags_an_exit_code(tmp_path, model):
    write_scan(tmp_path / "scans" / "s.nii.gz")
    assert cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED, "--strict") == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--threshold", "1.5"), "'1.5' must be a number between 0 and 1"),
        (("--threshold", "nan"), "'nan' must be a number between 0 and 1"),
        (("--overlap", "2"), "'2' must be a number from 0 to 0.75"),
        (("--overlap", "a"), "'a' must be a number from 0 to 0.75"),
        (("--grid", "x"), "invalid choice: 'x'"),
    ],
)
def test_how_it_is_run_is_checked_as_for_one_scan(words, said, capsys):
    for command in (["cohort", "scans", "--out", "out"], ["segment", "scan.nii", "--out", "a.seg.nrrd", *ASKED]):
        with pytest.raises(SystemExit) as ended:
            main([*command, *words])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_both_commands_take_the_same_options_of_a_run():
    def options(command: str) -> dict[str, object]:
        parser = build_parser(command)._subparsers._group_actions[0].choices[command]
        return {one.dest: (one.default, one.type, one.choices) for one in parser._actions}

    ours, theirs = options("cohort"), options("segment")
    for name in (*_NAMES, "model", "server", "token_file", "ca_file", "free_text"):
        assert ours[name] == theirs[name], name


def test_what_is_wrong_for_all_scans_stops_the_run_and_is_no_scans_row(tmp_path, model, capsys):
    write_scan(tmp_path / "scans" / "s.nii.gz")
    assert cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED, "--device", "cuda:7") == 2
    assert "cuda:7" in capsys.readouterr().err
    assert stamps(tmp_path / "out") == {}


def test_a_preset_that_no_modality_has_is_refused_before_anything_is_written(tmp_path, model, capsys):
    write_scan(tmp_path / "scans" / "s.nii.gz")
    assert cohort(tmp_path / "scans", tmp_path / "out", model, "--modality", "mri", "--preset", "nosuch") == 2
    assert "Presets: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_masks_are_written_as_dicom_too(tmp_path, model):
    head = headLikeImage(32).array.round().astype(int)
    write_classic(tmp_path / "series", head, lps_affine(head.shape, [1, 0, 0, 0, 1, 0]))
    (tmp_path / "list.jsonl").write_text(json.dumps({"scan": "series", "name": "s", "modality": "mri"}))
    assert cohort(tmp_path / "list.jsonl", tmp_path / "out", model, *ASKED[2:4], "--format", "dicomseg") == 0
    unit = tmp_path / "out" / "scans" / "s"
    assert sorted(one.name for one in unit.iterdir()) == ["masks.dcm", "picture.png", "result.json"]
    assert pydicom.dcmread(unit / "masks.dcm").Modality == "SEG"
    assert "scans/s/masks.dcm" in (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    (task,) = find_tasks(tmp_path / "list.jsonl")
    settings = [settings_of(Asked(), RunOptions(), one) for one in ("seg.nrrd", "dicomseg", "rtstruct")]
    assert len({key_of(task, one) for one in settings}) == 3


def test_a_scan_without_dicom_images_is_a_row_that_says_so(tmp_path, model):
    write_scan(tmp_path / "scans" / "s.nii.gz")
    assert cohort(tmp_path / "scans", tmp_path / "out", model, *ASKED, "--format", "rtstruct") == 6
    assert "column dicom_source" in table(tmp_path / "out")[0]["reason"]
