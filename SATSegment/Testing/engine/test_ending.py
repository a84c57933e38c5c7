"""A kill, a lack of memory and a crash are told apart, behind a launcher too, and its path is seen by nobody."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections import deque
from pathlib import Path

import psutil
import pytest

from SATSegmentLib.engine.api import EngineError
from SATSegmentLib.engine.transport import ending
from SATSegmentLib.engine.transport.ending import Ending
from SATSegmentLib.engine.transport.pipe import ChildProcess
from SATSegmentLib.errors import OutOfMemory, from_dict

# As CTK's launcher behaves: the child's own end is hidden behind exit code 1 and one line with its path.
LAUNCHER = """#!{python}
import subprocess, sys
child = subprocess.Popen([{python!r}, *sys.argv[1:]])
child.wait()
if child.returncode < 0:
    print("error: [/opt/Secret/bin/python-real] exit abnormally - Report the problem.", file=sys.stderr)
    sys.exit(1)
sys.exit(child.returncode)
"""


def child(tmp_path: Path, *, launched: bool, log: deque[str]) -> tuple[ChildProcess, int]:
    """A child that has started, and the process id of the interpreter that runs it."""
    python = sys.executable
    if launched:
        launcher = tmp_path / "PythonSlicer"
        launcher.write_text(LAUNCHER.format(python=sys.executable))
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        python = str(launcher)
    process = ChildProcess(python, None, 60.0, log)
    note = Path(process._scratch) / ending.MEMORY_FILE
    for _ in range(1200):
        if note.exists():
            break
        time.sleep(0.05)
    assert note.exists()
    own = process.process.pid
    return process, psutil.Process(own).children()[0].pid if launched else own


@pytest.fixture(autouse=True)
def _quiet_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the test's machine must not decide."""
    monkeypatch.setattr(ending, "_OOM_COUNTERS", ())
    monkeypatch.setattr("SATSegmentLib.engine.transport.pipe.memory_left", lambda folder: 1.0)


@pytest.mark.parametrize("launched", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_is_said_to_be_one(tmp_path: Path, launched: bool, number: int) -> None:
    log: deque[str] = deque()
    process, pid = child(tmp_path, launched=launched, log=log)
    os.kill(pid, number)
    error = process.ended()
    assert isinstance(error, EngineError)
    assert "ended from outside" in error.message
    assert "Nothing was lost" in error.message
    assert "Secret" not in str(error) + " ".join(log)
    process.kill()


@pytest.mark.parametrize("launched", [False, True])
def test_a_crash_is_said_to_be_one(tmp_path: Path, launched: bool) -> None:
    log: deque[str] = deque()
    process, pid = child(tmp_path, launched=launched, log=log)
    os.kill(pid, signal.SIGSEGV)
    error = process.ended()
    assert "crashed (Segmentation fault)" in error.message
    assert "Secret" not in str(error) + " ".join(log)
    process.kill()


def test_a_kill_for_want_of_memory_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = tmp_path / "vmstat"
    counter.write_text("nr_free_pages 5\noom_kill 3\n")
    monkeypatch.setattr(ending, "_OOM_COUNTERS", (tmp_path / "absent", counter))
    process, pid = child(tmp_path, launched=True, log=deque())
    counter.write_text("nr_free_pages 5\noom_kill 4\n")
    os.kill(pid, signal.SIGKILL)
    error = process.ended()
    assert isinstance(error, OutOfMemory)
    assert error.device == "cpu"
    assert "ran out of memory" in error.message
    process.kill()


def test_the_child_notes_how_much_memory_is_left(tmp_path: Path) -> None:
    ending.say_last_words(str(tmp_path))
    for _ in range(200):
        if (tmp_path / ending.MEMORY_FILE).exists() and ending.memory_left(str(tmp_path)) < 1:
            break
        time.sleep(0.02)
    assert 0 < ending.memory_left(str(tmp_path)) < 1


ABNORMAL = {"code": 1, "by_launcher": True}
FATAL = ("Fatal Python error: Bus error", "", "Current thread 0x1:")
TRACEBACK = ("Traceback (most recent call last):", "  ...", "ImportError: no torch")


@pytest.mark.parametrize(
    ("end", "words", "kind"),
    [
        (Ending(-9), "ended from outside", EngineError),
        (Ending(-9, oom_kills=1), "ran out of memory", OutOfMemory),
        (Ending(-9, memory_left=0.01), "ran out of memory", OutOfMemory),
        (Ending(-15), "ended from outside", EngineError),
        (Ending(**ABNORMAL), "ended from outside", EngineError),
        (Ending(**ABNORMAL, oom_kills=2), "ran out of memory", OutOfMemory),
        (Ending(**ABNORMAL, memory_left=0.02), "ran out of memory", OutOfMemory),
        (Ending(**ABNORMAL, lines=FATAL), "crashed (Bus error)", EngineError),
        (Ending(**ABNORMAL, lines=FATAL, memory_left=0.01), "crashed (Bus error)", EngineError),
        (Ending(-11), "crashed", EngineError),
        (Ending(0xC0000005), "crashed", EngineError),
        (Ending(0xC0000017), "ran out of memory", OutOfMemory),
        (Ending(1), "ended from outside", EngineError),
        (Ending(1, lines=TRACEBACK), "exit code 1", EngineError),
        (Ending(3, lines=("something",)), "exit code 3", EngineError),
        (Ending(0), "exit code 0", EngineError),
    ],
)
def test_endings(end: Ending, words: str, kind: type) -> None:
    error = end.error()
    assert type(error) is kind
    assert words in error.message
    assert "Nothing was lost" in error.message
    assert error.remedy


def test_whose_memory_it_was_crosses_the_pipe() -> None:
    error = from_dict(OutOfMemory("a", "b", device="cuda:1").as_dict())
    assert isinstance(error, OutOfMemory)
    assert error.device == "cuda:1"
