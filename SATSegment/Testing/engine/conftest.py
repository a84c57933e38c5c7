"""A small model, and one worker for the tests that neither kill nor replace it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from helpers.small_model import makeModel
from SATSegmentLib.engine.process import WorkerEngine


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(makeModel(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="package")
def worker() -> Iterator[WorkerEngine]:
    worker = WorkerEngine(environment={**os.environ, "OMP_NUM_THREADS": "1"})
    yield worker
    worker.close()
