"""Temporary folders with a patient's data: private, and gone however their process ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import SATSegmentLib
from SATSegmentLib import scratch
from SATSegmentLib.errors import OutputError
from SATSegmentLib.scratch import PrivateFolder, clear_leftovers, held_folder

LIBRARY = str(Path(SATSegmentLib.__file__).parent.parent)
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

_HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from SATSegmentLib.scratch import PrivateFolder, ended_by_signals
with ended_by_signals():
    folder = PrivateFolder("features")
    (folder.path / "1.bin").write_bytes(b"features of a scan")
    print(folder.path, flush=True)
    {wait}
"""
_SLEEP = "time.sleep(60)"
# As in a long call into a library: the main thread comes to no bytecode, so no handler of Python can run in it.
_DEAF = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'x', b'y', 300_000_000)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def hold(temporary: Path, wait: str = _SLEEP) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD.format(wait=wait), LIBRARY],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def test_it_is_private_and_goes() -> None:
    folder = PrivateFolder("features")
    if os.name == "posix":
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    path = folder.path
    folder.remove()
    folder.remove()
    assert not path.exists()
    other = PrivateFolder("features")
    path = other.path
    del other
    assert not path.exists()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("wait", [_SLEEP, _DEAF])
def test_a_signal_leaves_nothing_behind(temporary: Path, number: signal.Signals, wait: str) -> None:
    process, folder = hold(temporary, wait)
    assert folder.is_dir()
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert list(temporary.iterdir()) == []


@POSIX
def test_a_program_that_takes_a_signal_for_itself_has_the_time_it_needs() -> None:
    """As a training that saves first, and a server that lets its clients go."""
    program = (
        "import signal, sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from SATSegmentLib import scratch\n"
        "scratch._GRACE_SECONDS = 0.1\n"
        "asked = threading.Event()\n"
        "with scratch.ended_by_signals():\n"
        "    signal.signal(signal.SIGTERM, lambda *_: asked.set())\n"
        "    print('ready', flush=True)\n"
        "    asked.wait()\n"
        "    threading.Event().wait(0.5)\n"
        "    print('saved', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, LIBRARY], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(10) == 0
    assert process.stdout.read() == "saved\n"


@POSIX
def test_nohup_keeps_a_program_whose_terminal_is_closed() -> None:
    program = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from SATSegmentLib.scratch import ended_by_signals\n"
        "with ended_by_signals():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
    )
    subprocess.run([sys.executable, "-c", program, LIBRARY], check=True, timeout=20)


@POSIX
def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_has_is_not(temporary: Path) -> None:
    killed, left = hold(temporary)
    living, kept = hold(temporary)
    killed.kill()
    killed.wait()
    assert left.is_dir()
    strange = temporary / "satsegment-notes"
    strange.mkdir()
    clear_leftovers()
    assert not left.exists()
    assert (kept / "1.bin").is_file()
    assert strange.is_dir()  # nobody knows whose it is
    living.terminate()
    living.wait()


@POSIX
def test_the_command_line_ends_on_sigterm_without_a_trace(temporary: Path) -> None:
    from helpers.small_model import headLikeImage, makeModel

    code = (
        f"import sys; sys.path[:0] = [{LIBRARY!r}, {str(Path(LIBRARY) / 'Testing')!r}]\n"
        "import numpy as np\n"
        "from helpers.small_model import headLikeImage\n"
        "from SATSegmentLib.types import Image\n"
        "import SATSegmentLib.scans as scans, SATSegmentLib.inference.cache as cache\n"
        "image = headLikeImage()\n"
        "scans.read_scan = lambda *_, **__: Image(np.tile(image.array, (4, 7, 7)), image.ijk_to_ras)\n"
        "cache.default_cache = lambda *_: cache.FeatureCache(1, 1 << 30)  # all features go to disk\n"
        "from SATSegmentLib.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    model = makeModel(temporary)
    out = temporary / "out.seg.nrrd"
    words = ["segment", "scan", "--modality", "mri", "--model", str(model), "--prompt", "brainstem", "--out", str(out)]
    scratch = temporary / "temporary"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=environment)
    until = time.monotonic() + 60
    while not list(scratch.rglob("*.bin")) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(scratch.rglob("*.bin"))
    process.terminate()
    assert process.wait(20) == 143
    assert list(scratch.iterdir()) == []
    assert not out.exists()
    assert headLikeImage().array.size


def test_a_folder_is_written_by_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_HELPERS_SECONDS", 0.2)
    work = "with held_folder(Path(sys.argv[2])): print('held', flush=True); sys.stdin.read()"
    start = "import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nfrom SATSegmentLib.scratch import *"
    code = f"{start}\n{work}"
    other = subprocess.Popen(
        [sys.executable, "-c", code, LIBRARY, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match="Another process is writing"), held_folder(tmp_path):
        pass
    other.kill()
    other.communicate()
    for _ in range(2):
        with held_folder(tmp_path):
            pass
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match="cannot be written to"), held_folder(tmp_path / "none"):
        pass
