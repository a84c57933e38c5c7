"""Places are checked before the work, and exit codes mean what the help says."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from SATSegmentLib.cli import main
from SATSegmentLib.cli import models as models_command
from SATSegmentLib.cli.main import _COMMANDS, build_parser
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.files import atomic_path
from SATSegmentLib.resources import resource_path

SEGMENT = ["segment", str(resource_path("Demo/itk_t1.nii.gz")), "--modality", "mri", "--prompt", "brainstem"]


@pytest.mark.parametrize(
    ("out", "report", "words"),
    [
        ("missing/a.seg.nrrd", None, "does not exist"),
        ("a.nii.gz", None, "does not end in .seg.nrrd"),
        ("a.seg.nrrd", "missing/r.json", "does not exist"),
        ("a.seg.nrrd", "a.seg.nrrd", "different files"),
        ("a.seg.nrrd", "folder", "is a folder"),
        (f"{'x' * 300}.seg.nrrd", None, "too long"),
        ("a.seg.nrrd", f"{'x' * 300}.json", "too long"),
        ("link.seg.nrrd", None, "already exists"),
    ],
)
def test_targets_are_refused_before_the_scan_is_read(tmp_path, monkeypatch, capsys, out, report, words):
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "link.seg.nrrd")

    def never(*_, **__):
        raise AssertionError("the scan was read before the targets were checked")

    monkeypatch.setattr("SATSegmentLib.scans.read_scan", never)
    more = ["--report", str(tmp_path / report)] if report else []
    assert main([*SEGMENT, "--out", str(tmp_path / out), *more]) == 2
    assert words in capsys.readouterr().err


def test_a_scan_is_not_replaced_by_its_own_result(tmp_path, capsys):
    scan = tmp_path / "scan.seg.nrrd"
    scan.write_bytes(b"x")
    words = ["segment", str(scan), "--modality", "mri", "--prompt", "brainstem", "--out", str(scan), "--overwrite"]
    assert main(words) == 2
    assert "scan itself" in capsys.readouterr().err


@pytest.mark.parametrize("length", [200, 240, 246])
def test_long_names_that_the_disk_takes_are_written(tmp_path, length):
    target = tmp_path / ("x" * (length - 9) + ".seg.nrrd")
    with atomic_path(target) as temporary:
        assert temporary.name.endswith(".seg.nrrd")
        temporary.write_text("whole")
    assert target.read_text() == "whole"


def test_a_dangling_link_is_replaced_only_on_request(tmp_path):
    link = tmp_path / "a.json"
    os.symlink(tmp_path / "nowhere", link)
    with atomic_path(link, overwrite=True) as temporary:
        temporary.write_text("new")
    assert link.read_text() == "new"
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Cancelled(), 1, "cancelled"),
        (KeyboardInterrupt(), 1, "cancelled"),
        (ValueError("unforeseen"), 3, "this is a bug"),
        (PermissionError(13, "Permission denied", "/a/b"), 2, "Permission denied: /a/b"),
        (EOFError(), 2, "input ended"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_each_end_has_its_own_code(monkeypatch, capsys, error, code, words):
    def fail(_):
        raise error

    monkeypatch.setattr(models_command, "run", fail)
    monkeypatch.setattr(sys.modules["SATSegmentLib.cli.main"], "_forget_output", lambda: None)
    assert main(["models"]) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_cancel_says_what_stays_as_the_help_does(command, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(f"SATSegmentLib.cli.{command}"), "run", interrupted)
    text = build_parser(command)._subparsers._group_actions[0].choices[command].format_help()
    example = text.partition("\nExample")[2]
    words = shlex.split(re.search(rf"^  .*?\bsatsegment ({command}\b.*)$", example, re.MULTILINE)[1], comments=True)
    meaning = " ".join(re.search(r"^  1  ((?:.|\n {5})*)", text, re.MULTILINE)[1].split())
    assert main(words) == 1
    assert capsys.readouterr().err == f"satsegment: {meaning}.\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
def test_a_full_standard_output_is_an_error_without_a_traceback():
    program = "import sys; from SATSegmentLib.cli import main; sys.exit(main(['models']))"
    with open("/dev/full", "w") as full:
        done = run_python(program, stdout=full)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes it there in another way")
def test_a_closed_standard_input_is_an_error_without_a_traceback():
    words = ["report", "-", "--modality", "ct"]
    done = run_python(f"import sys; sys.stdin = None; from SATSegmentLib.cli import main; sys.exit(main({words}))")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "input" in done.stderr


def run_python(program, **more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", program]
    return subprocess.run(words, stderr=subprocess.PIPE, text=True, env=environment, check=False, **more)


@pytest.mark.parametrize("where", ["SATSegmentLib.cli.main", "SATSegmentLib.cli.cohort"])
def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback(where):
    program = f"""
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {where!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from SATSegmentLib.cli import main
sys.exit(main(["cohort", "--help"]))
"""
    done = run_python(program)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [SEGMENT, ["cohort", str(resource_path("Demo")), "--modality", "mri"]])
def test_without_pytorch_both_commands_say_what_to_install_and_write_nothing(tmp_path, capsys, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "torch", None)
    out = tmp_path / "a.seg.nrrd"
    assert main([*command, "--out", str(out), "--json"]) == 2
    printed = capsys.readouterr()
    assert "pip install 'satsegment[local]'" in printed.err
    assert json.loads(printed.out)["error"]["details"] == {"reason": "package", "subject": "torch"}
    assert not out.exists()
