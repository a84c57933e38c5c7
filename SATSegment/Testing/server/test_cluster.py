"""Under Ray Serve: two replicas, each scan with one of them, later prompts on its features, the same bits."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.local_server import ALICE, ServerProcess, request
from helpers.small_model import headLikeImage
from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.engine.local import LocalEngine
from SATSegmentLib.engine.remote import RemoteEngine
from SATSegmentLib.engine.transport.wire import AccessDenied
from SATSegmentLib.grid.digest import digest_of
from SATSegmentLib.types import Image

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def url(models_folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "SATSEGMENT_MODELS": str(models_folder),
        "SATSEGMENT_TOKEN": ALICE,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
    }
    server = ServerProcess(environment, "--device", "cpu", "--replicas", "2", "--gpus-per-replica", "0", port=port)
    yield server.url
    server.stop(60)


@pytest.mark.long
def test_each_scan_stays_with_one_of_two_replicas(url: str, models_folder: Path) -> None:
    from SATSegmentLib.server.cluster import replica_of

    first = headLikeImage()
    scans = [Image(first.array + np.float32(number), first.ijk_to_ras) for number in range(8)]
    homes = [replica_of(f"/v1/scans/{digest_of(scan)}/runs", "", 2) for scan in scans]
    pair = [scans[homes.index(0)], scans[homes.index(1)]]
    # As many threads as the replicas have: sums in another order differ in the last bit.
    torch.set_num_threads(1)
    local, engine = LocalEngine(), RemoteEngine(url, ALICE, patience_seconds=5)
    for scan in pair:
        theirs = local.segment(request(scan, model=str(models_folder / "tiny"))).results
        for one, other in zip(engine.segment(request(scan)).results, theirs, strict=True):
            np.testing.assert_array_equal(one.mask, other.mask)
    engine.beat()
    assert len(engine._kept) == 2
    for scan in pair:
        plans = []
        engine.segment(request(scan), RunListener(on_plan=plans.append))
        assert plans[0].to_encode == 0
    with pytest.raises(AccessDenied):
        RemoteEngine(url, "wrong-token-0123456789").hello()
    engine.close()
