"""One server for all tests of this folder: two users, the small model, one child process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from helpers.local_server import ALICE, BOB, server_here
from helpers.small_model import makeModel
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.server.app import create_app
from SATSegmentLib.server.limits import ServerLimits
from SATSegmentLib.server.service import ServerOptions, Service
from SATSegmentLib.server.tokens import Tokens

TOKENS = {ALICE: "alice", BOB: "bob"}


@dataclass
class Running:
    """A server that runs."""

    url: str
    service: Service


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    makeModel(folder)
    return folder


@pytest.fixture(scope="session")
def running(models_folder: Path) -> Iterator[Running]:
    before = dict(os.environ)
    os.environ |= {"SATSEGMENT_MODELS": str(models_folder), "OMP_NUM_THREADS": "1"}
    limits = ServerLimits(
        scan_bytes=32 << 20, user_scans=4, user_runs=3, prompts=20, stall_seconds=0.5, lease_seconds=30
    )
    service = Service(ServerOptions(("cpu",), cache_bytes=1 << 30, limits=limits))
    with server_here(create_app(service, Tokens(TOKENS))) as url:
        yield Running(url, service)
    os.environ.clear()
    os.environ |= before


@pytest.fixture
def alice(running: Running) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(running.url, ALICE)
    yield engine
    engine.close()


@pytest.fixture
def bob(running: Running) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(running.url, BOB)
    yield engine
    engine.close()
