"""`satsegment download` and `models --delete`: consent first, then files; from a folder without a network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from models.hub_server import Hub, tree
from models.released_files import NANO, hub_with, write_released_files

import SATSegmentLib
from SATSegmentLib.cli.main import main
from SATSegmentLib.models import install

LIBRARY = str(Path(SATSegmentLib.__file__).parent.parent)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released_files(tmp_path_factory.mktemp("released"))


@pytest.fixture
def hub(released: Path) -> Iterator[Hub]:
    hub = hub_with(released)
    yield hub
    hub.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setitem(install._SIZES, "sat-nano", install.Sizes(1e6, 1e6))
    # What the command sets for its own process must not stay set for other tests.
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_XET", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "1")
    return tmp_path / "models"


def start(hub: Hub, *words: str) -> subprocess.Popen[str]:
    """The command in a process of its own: huggingface_hub reads its address when it is imported."""
    code = (
        # A shell lets what it starts in the background ignore Ctrl+C, tests included.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"import sys; sys.path.insert(0, {LIBRARY!r}); from SATSegmentLib.models import install; "
        "install._SIZES['sat-nano'] = install.Sizes(1e6, 1e6); "
        "from SATSegmentLib.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def satsegment(hub: Hub, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    process = start(hub, *words)
    out, err = process.communicate(answer, timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_without_consent_the_notice_is_shown_and_nothing_is_fetched(hub: Hub, home: Path) -> None:
    done = satsegment(hub, "download", "sat-nano", answer="yes\n")  # a pipe is nobody who agrees
    assert done.returncode == 2
    assert "no licence" in done.stderr
    assert "--accept" in done.stderr
    assert hub.requests == []
    assert not home.exists()


def test_with_consent_the_model_is_downloaded_and_can_be_deleted(hub: Hub, home: Path, capsys) -> None:
    hub.bytes_per_second = 100_000
    first = start(hub, "download", "sat-nano", "--accept")
    until = time.monotonic() + 300
    while not install.started_bytes(NANO) and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)  # Ctrl+C
    _, said = first.communicate(timeout=300)
    assert first.returncode == 1, said
    assert "continues from there" in said
    assert not NANO.installed
    hub.bytes_per_second = None
    hub.requests.clear()
    second = satsegment(hub, "download", "SAT-Nano", "--accept")
    assert second.returncode == 0, second.stderr
    assert "already downloaded" in second.stderr
    assert any(asked and asked != "bytes=0-" for _, _, asked in hub.requests)
    assert NANO.installed
    assert main(["download", "sat-nano", "--accept"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["models", "--json"]) == 0
    listed = {one["name"]: one["installed"] for one in json.loads(capsys.readouterr().out)["models"]}
    assert listed["sat-nano"]
    assert main(["models", "--delete", "sat-nano"]) == 2  # nobody at a terminal agreed
    assert NANO.installed
    assert main(["models", "--delete", "sat-nano", "--yes"]) == 0
    assert not NANO.installed


@pytest.mark.long
def test_a_folder_needs_neither_consent_nor_network(hub: Hub, released: Path, home: Path) -> None:
    done = satsegment(hub, "download", "sat-nano", "--from", str(released))
    assert done.returncode == 0, done.stderr
    assert hub.requests == []
    assert {"model.json", "network.safetensors", "bank.safetensors"} <= set(tree(home / "sat-nano"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["download", "sat-huge"], "has no model"),
        (["download", "demo"], "nothing to download"),
        (["download", "sat-nano", "--from", "/no/such/folder"], "not a folder"),
        (["models", "--delete", "demo"], "stays"),
        (["models", "--delete", "sat-pro"], "not installed"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], message: str, capsys) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err
