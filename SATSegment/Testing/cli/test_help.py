"""`--help` of every command shows examples that its parser takes, and the exit codes it can end with."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from SATSegmentLib.cli import exit_codes
from SATSegmentLib.cli.main import _COMMANDS, build_parser, main

CODES = {name: code for name, code in vars(exit_codes).items() if isinstance(code, int)}


def help_of(command: str, capsys, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_has_examples_that_are_understood(command, capsys, monkeypatch):
    text = help_of(command, capsys, monkeypatch)
    _, _, rest = text.partition("\nExample")
    examples = re.findall(r"^  .*?\b(satsegment .*)$", rest.partition("\n\n")[0], re.MULTILINE)
    assert any(example.split()[1] == command for example in examples)
    for example in examples:
        words = shlex.split(example, comments=True)[1:]
        build_parser(words[0]).parse_args(words)


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_lists_the_exit_codes_that_the_command_ends_with(command, capsys, monkeypatch):
    rest = help_of(command, capsys, monkeypatch).partition("\nExit codes:\n")[2]
    listed = {int(code) for code in re.findall(r"^  (\d)  \S", rest, re.MULTILINE)}
    module = importlib.import_module(f"SATSegmentLib.cli.{command}")
    assert listed == set(exit_codes.OF_ALL) | {code for name, code in CODES.items() if hasattr(module, name)}


def test_programs_are_told_all_exit_codes():
    agents = Path(__file__).parents[3] / "AGENTS.md"
    section = agents.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("##")[0]
    assert {int(code) for code in re.findall(r"(?:^|· )(\d) ", section, re.MULTILINE)} == set(CODES.values())


@pytest.mark.parametrize("command", _COMMANDS)
def test_prose_of_help_fits_the_terminal(command, capsys, monkeypatch):
    text = help_of(command, capsys, monkeypatch)
    wide = [line for line in text.splitlines() if len(line) > 80 and not line.startswith("  ")]
    assert not [line for line in wide if "[" not in line and "usage" not in line]


def test_a_wrong_option_is_told_in_one_line(capsys):
    for words in (["segment", "head.nii", "--modality", "mri"], ["cohort", "x", "--out", "y", "--shard", "3/2"], []):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == exit_codes.ERROR
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(f"`{' '.join(['satsegment', *words[:1]])} --help` lists all options.")
