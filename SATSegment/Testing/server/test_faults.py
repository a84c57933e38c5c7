"""Kills, crowds and full disks: a clear error for whom it concerns, everybody else goes on, nothing is left over."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

import SATSegmentLib
from helpers.local_server import ALICE, BOB, HEAD, ServerProcess, long_image, request
from helpers.small_model import headLikeImage
from SATSegmentLib.engine import messages
from SATSegmentLib.engine.api import EngineError, RunListener
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.wire import AccessDenied, ConnectionLost, LimitExceeded
from SATSegmentLib.errors import Cancelled, SATSegmentError
from SATSegmentLib.scratch import PREFIX, clear_leftovers
from SATSegmentLib.types import Image

_LIBRARY = str(Path(SATSegmentLib.__file__).parents[1])
TOKENS = f"alice {ALICE}\nbob {BOB}\n"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The server's temporary folder, which is empty again at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    clear_leftovers()
    assert list(folder.glob(f"{PREFIX}*")) == []


@pytest.fixture
def environment(models_folder: Path, temporary: Path) -> dict[str, str]:
    return {"SATSEGMENT_MODELS": str(models_folder), "TMPDIR": str(temporary)}


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    file = tmp_path / "tokens"
    file.write_text(TOKENS)
    file.chmod(0o600)
    return str(file)


def children_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def all_gone(processes: list[psutil.Process], seconds: float = 10.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.mark.long
def test_a_server_that_is_killed_ten_times_costs_an_error_or_a_wait_and_leaves_nothing(
    environment: dict[str, str], tokens: str
) -> None:
    rng = random.Random(1)
    server = ServerProcess(environment, "--device", "cpu", "--tokens", tokens)
    port = server.port
    engine = RemoteEngine(server.url, ALICE, patience_seconds=60.0)
    expected = engine.segment(request()).results
    ends = []
    for _ in range(10):
        outcome: list[object] = []

        def ask(outcome: list[object] = outcome) -> None:
            try:
                outcome.append(engine.segment(request(), RunListener()).results)
            except SATSegmentError as error:
                outcome.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(rng.uniform(0.0, 0.6))
        before = children_of(server.process.pid)
        server.kill()
        assert all_gone(before)
        server = ServerProcess(environment, "--device", "cpu", "--tokens", tokens, port=port)
        asking.join(90)
        assert not asking.is_alive()
        ends.append(type(outcome[0]).__name__)
        # It was sent and run again by itself, on the server that came back.
        assert not isinstance(outcome[0], Exception), outcome
        for one, other in zip(outcome[0], expected, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
    engine.close()
    last = children_of(server.process.pid)
    server.stop()
    assert all_gone(last)


@pytest.mark.long
def test_a_server_that_is_stopped_ends_the_run_in_hand(environment: dict[str, str], tokens: str) -> None:
    server = ServerProcess(environment, "--device", "cpu", "--tokens", tokens)
    started = threading.Event()
    listener = RunListener(on_plan=lambda plan: started.set())
    outcome: list[SATSegmentError] = []

    def ask() -> None:
        with pytest.raises(ConnectionLost, match="Nothing was lost") as lost:
            RemoteEngine(server.url, ALICE, patience_seconds=0.5).segment(request(long_image()), listener)
        outcome.append(lost.value)

    asking = threading.Thread(target=ask)
    asking.start()
    assert started.wait(60)
    children = children_of(server.process.pid)
    server.stop()
    assert server.process.returncode == 0
    assert "The server has stopped." in server.process.stdout.read()
    assert children
    assert all_gone(children)
    asking.join(20)
    assert outcome


@pytest.mark.long
def test_a_server_that_does_not_come_back_is_said(environment: dict[str, str], tokens: str) -> None:
    server = ServerProcess(environment, "--device", "cpu", "--tokens", tokens)
    engine = RemoteEngine(server.url, ALICE, patience_seconds=2.0)
    engine.segment(request())
    stages: list[str] = []
    threading.Timer(1.0, server.kill).start()
    with pytest.raises(ConnectionLost, match="Nothing was lost"):
        engine.segment(request(long_image()), RunListener(progress=lambda one: stages.append(one.stage)))
    assert any("trying again" in stage for stage in stages)


@pytest.mark.long
def test_clients_that_are_killed_leave_neither_scans_nor_runs(environment: dict[str, str], tokens: str) -> None:
    """Ten of them, at random moments; another user's runs go on meanwhile."""
    rng = random.Random(2)
    server = ServerProcess(environment, "--device", "cpu", "--tokens", tokens, "--lease-seconds", "2")
    program = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from helpers.local_server import request, long_image\n"
        "from SATSegmentLib.engine.remote import RemoteEngine\n"
        "engine = RemoteEngine(sys.argv[1], sys.argv[2])\n"
        "print('go', flush=True); engine.segment(request(long_image()))"
    )
    paths = [_LIBRARY, str(Path(__file__).parents[1])]
    bob = RemoteEngine(server.url, BOB)
    expected = bob.segment(request()).results
    for _ in range(10):
        client = subprocess.Popen(
            [sys.executable, "-c", program, server.url, ALICE, *paths], stdout=subprocess.PIPE, text=True
        )
        client.stdout.readline()
        time.sleep(rng.uniform(0.0, 1.5))
        client.kill()
        client.wait(10)
    began = time.monotonic()
    answer = bob.segment(request())
    assert time.monotonic() - began < 120
    for one, other in zip(answer.results, expected, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
    bob.close()
    until = time.monotonic() + 60
    while metric(server.url, "scans") or metric(server.url, "queue_length"):
        assert time.monotonic() < until
        time.sleep(0.5)
    server.stop()


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="the limit is POSIX's")
def test_a_full_disk_costs_time_or_a_clear_error_and_leaves_nothing(
    environment: dict[str, str], tokens: str, temporary: Path
) -> None:
    """No file may grow: what a disk without room does to each write."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))"
    words = ["--device", "cpu", "--tokens", tokens, "--spill", "--features-gb", "0.000000001"]
    roomy = ServerProcess(environment, *words)
    alice = RemoteEngine(roomy.url, ALICE)
    expected = alice.segment(request()).results
    assert any(path.stat().st_size > 200 for path in temporary.rglob("*") if path.is_file())  # it does spill
    alice.close()
    roomy.stop()
    server = ServerProcess(environment, *words, before=full)
    alice, bob = RemoteEngine(server.url, ALICE), RemoteEngine(server.url, BOB)
    for engine in (alice, bob, alice):
        # Features that cannot be kept are computed again.
        for one, other in zip(engine.segment(request()).results, expected, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
    (digest,) = alice._kept
    headers = {"Authorization": f"Bearer {ALICE}", "SATSegment-Protocol": str(messages.PROTOCOL)}
    runs = f"{server.url}/v1/scans/{digest}/runs"
    body = {"kind": "segment", "key": "k" * 8, "prompts": [{"text": "brainstem", "modality": "mri"}]}
    run = requests.post(runs, json={**body, "options": {"model": "tiny"}}, headers=headers, timeout=10).json()["run"]
    requests.get(f"{runs}/{run}/events", headers=headers, timeout=30)
    answer = requests.post(f"{runs}/{run}/file", headers=headers, timeout=30)
    assert answer.status_code == 507
    assert "no room" in answer.json()["error"]["message"]
    assert bob.segment(request()).results
    assert not list(Path("/dev/shm").glob("satsegment-*"))
    for engine in (alice, bob):
        engine.close()
    server.stop()
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def metric(url: str, name: str) -> float:
    headers = {"Authorization": f"Bearer {ALICE}"}
    lines = requests.get(f"{url}/metrics", headers=headers, timeout=10).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"satsegment_{name} "))


@pytest.mark.long
def test_fifty_clients_at_once_are_all_answered(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "many"
    users = {f"user{n}": f"token-of-user-{n:04d}" for n in range(50)}
    file.write_text("".join(f"{user} {token}\n" for user, token in users.items()))
    file.chmod(0o600)
    server = ServerProcess(environment, "--device", "cpu", "--tokens", str(file))

    def ask(number: int) -> str:
        wrong = number % 10 == 9
        image = Image(headLikeImage(24).array + np.float32(number % 5), headLikeImage().ijk_to_ras)
        engine = RemoteEngine(server.url, "wrong-token-0123456789" if wrong else users[f"user{number}"])
        try:
            results = engine.segment(request(image, HEAD[:1])).results
            return "answered" if results[0].status in ("found", "empty") else "?"
        except AccessDenied:
            return "denied"
        finally:
            engine.close()

    with ThreadPoolExecutor(50) as pool:
        ends = list(pool.map(ask, range(50)))
    assert ends.count("denied") == 5
    assert ends.count("answered") == 45
    server.stop()


def test_a_device_process_that_is_killed_costs_one_run_and_the_next_one_works(alice: RemoteEngine, running) -> None:
    alice.segment(request())
    engine = running.service.devices[0]._engine

    def kill_once(_: object, done: list[int] = []) -> None:  # noqa: B006 - it counts
        if not done:
            done.append(os.kill(engine.pid, 9) or 1)

    with pytest.raises(EngineError, match="Nothing was lost"):
        alice.segment(request(long_image()), RunListener(progress=lambda one: kill_once(one) if one.fraction else None))
    assert alice.segment(request()).results


def test_a_users_runs_do_not_hold_up_another_users(alice: RemoteEngine, bob: RemoteEngine, running) -> None:
    """Three long runs of one user are waiting; the other's is next."""
    alice.segment(request())
    (digest,) = alice._kept
    headers = {"Authorization": f"Bearer {ALICE}", "SATSegment-Protocol": str(messages.PROTOCOL)}
    runs = f"{running.url}/v1/scans/{digest}/runs"
    body = {"kind": "segment", "prompts": [{"text": "brainstem", "modality": "mri"}], "options": {"model": "tiny"}}
    answers = [
        requests.post(runs, json={**body, "key": f"key number {n}"}, headers=headers, timeout=10) for n in range(4)
    ]
    assert [one.status_code for one in answers] == [201, 201, 201, 413]
    assert "too many runs" in answers[-1].json()["error"]["message"]
    assert bob.segment(request()).results
    for one in answers[:3]:
        requests.delete(f"{runs}/{one.json()['run']}", headers=headers, timeout=10)


def test_features_leave_with_the_budget_the_oldest_first(running) -> None:
    from SATSegmentLib.server.limits import ServerLimits
    from SATSegmentLib.server.scans import ScanHead, ScanStore

    gone: list[object] = []
    store = ScanStore(ServerLimits(user_bytes=3000, user_scans=9), gone.append)
    scans = []
    for number in range(3):
        scan = store.open("a", f"{number}", ScanHead(np.dtype("u1"), (1, 1, 500), False, np.eye(4)))
        scan.arrived, scan.feature_bytes, scan.used_at = [True], 600, float(number)
        scans.append(scan)
    assert store.over_budget("a") == scans[:1]
    scans[0].runs = 1  # in use: the next one goes
    assert store.over_budget("a") == scans[1:2]
    with pytest.raises(LimitExceeded):
        store.open("a", "large", ScanHead(np.dtype("u1"), (1, 1, 3001), False, np.eye(4)))
    # A new scan takes the place of what was not used for longest, never of one in use.
    store.open("a", "new", ScanHead(np.dtype("u1"), (1, 1, 1800), False, np.eye(4)))
    assert gone == [scans[1]]


def test_scans_leave_with_a_silent_client_and_when_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    from SATSegmentLib.server import scans
    from SATSegmentLib.server.limits import ServerLimits

    now = [1000.0]
    monkeypatch.setattr(scans.time, "monotonic", lambda: now[0])
    gone: list[object] = []
    store = scans.ScanStore(ServerLimits(lease_seconds=60, idle_seconds=1800), gone.append)
    head = scans.ScanHead(np.dtype("u1"), (1, 1, 5), False, np.eye(4))
    silent, kept, busy = (store.open("a", name, head) for name in ("silent", "kept", "busy"))
    busy.runs = 1
    for scan in (silent, kept, busy):
        scan.leased_at = scan.used_at = now[0]
    now[0] += 61
    store.renew("a", ["kept"])
    store.sweep()
    assert gone == [silent]
    now[0] += 1800
    store.renew("a", ["kept"])
    store.sweep()
    assert gone == [silent, kept]


def test_nothing_is_written_to_disk_unless_spilling_is_on(alice: RemoteEngine, running, monkeypatch) -> None:
    """With no memory for features at all."""
    options = dataclasses.replace(running.service.options, cache_bytes=0)
    monkeypatch.setattr(running.service, "options", options)
    engine = running.service.devices[0]._engine
    alice.segment(request())
    folder = Path(engine._child._scratch)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", "memory")]
    assert files == []
    assert folder.stat().st_mode & 0o077 == 0


def test_a_run_that_takes_too_long_is_ended_and_says_so(running, alice: RemoteEngine, monkeypatch) -> None:
    monkeypatch.setattr(running.service, "limits", dataclasses.replace(running.service.limits, run_seconds=0.5))
    with pytest.raises(LimitExceeded, match="took longer than"):
        alice.segment(request(long_image()))


def test_a_cancel_before_its_turn_ends_a_run_that_waits(alice: RemoteEngine, bob: RemoteEngine) -> None:
    alice.segment(request())
    started = threading.Event()
    ended: list[BaseException] = []

    def long_run() -> None:
        listener = RunListener(progress=lambda one: started.set() if one.fraction else None, cancel=lambda: bool(ended))
        with pytest.raises(Cancelled):
            alice.segment(request(long_image()), listener)

    thread = threading.Thread(target=long_run)
    thread.start()
    assert started.wait(60)
    waits: list[str] = []
    listener = RunListener(
        progress=lambda one: waits.append(one.stage), cancel=lambda: any("before this one" in one for one in waits)
    )
    with pytest.raises(Cancelled):
        bob.segment(request(), listener)
    assert thread.is_alive()  # it was not waited for
    ended.append(Cancelled())
    thread.join(60)
    assert not thread.is_alive()
