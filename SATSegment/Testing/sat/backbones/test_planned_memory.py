"""What a window takes of the memory is what was planned for it: networks, windows, precisions, threads."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from helpers.live_bytes import LiveBytes
from SATSegmentLib.sat.backbone import Spec
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.backbones.streaming import slabs, strip_cost

CPU = torch.device("cpu")
NETWORKS = ("nano", "umamba", "swinunetr")


def narrow(name: str, parts: int) -> Spec:
    """A released network with a fraction of its channels."""
    spec = NAMED_SPECS[name]
    if name == "swinunetr":
        return replace(spec, feature_size=spec.feature_size // parts)  # type: ignore[call-arg]
    return replace(spec, features=tuple(width // parts for width in spec.features))  # type: ignore[attr-defined,call-arg]


def taken_and_planned(spec: Spec, window: tuple[int, int, int], stored: torch.dtype, threads: int) -> tuple[int, int]:
    backbone = spec.build().requires_grad_(False).eval()
    backbone.set_precision(stored)
    image = torch.randn(1, 1, *window, generator=torch.Generator().manual_seed(0))
    weights = [*backbone.state_dict().values()]
    with torch.inference_mode(), LiveBytes([image, *weights], threads) as live:
        backbone(image.to(stored))
        taken = live.peak - sum(one.nbytes for one in weights)  # planning makes layers, which hold no data, but count
        planned = spec.encode_bytes(window, stored, CPU)
    return taken, planned


def long(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.long)


CASES = [
    ("nano", 4, (64, 64, 32), 1),
    ("umamba", 4, (32, 32, 32), 1),
    ("swinunetr", 4, (32, 32, 32), 1),
    ("umamba", 4, (32, 32, 32), 4),
    ("umamba", 1, (32, 32, 32), 1),
    *(
        long(name, parts, window, threads)
        for name in NETWORKS
        for parts in (1, 4)
        for window in ((32, 32, 32), (96, 64, 32), (64, 64, 96))
        for threads in (1, 3)
        if (name, parts, window, threads) != ("umamba", 1, (32, 32, 32), 1)
    ),
]


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "parts", "window", "threads"), CASES)
def test_a_window_takes_what_is_planned(monkeypatch, name, parts, window, threads, stored):
    # Which precision is faster here is measured otherwise.
    monkeypatch.setattr(slabs, "compute_dtype", lambda dtype, device: torch.float32)
    taken, planned = taken_and_planned(narrow(name, parts), window, stored, threads)
    print(f"{name}, 1/{parts}, {window}, {threads} threads: {taken / 1e6:.1f} of {planned / 1e6:.1f} MB planned")
    assert taken <= planned
    # How many strips are in work at the highest point is up to the threads' turns.
    assert threads > 1 or planned <= 1.2 * taken


def test_each_further_thread_is_planned_for(monkeypatch):
    monkeypatch.setattr(slabs, "compute_dtype", lambda dtype, device: torch.float32)
    planned = []
    for threads in (1, 8):
        monkeypatch.setattr(strip_cost.workers, "count", lambda threads=threads: threads)
        planned.append(NAMED_SPECS["umamba"].encode_bytes((288, 288, 96), torch.bfloat16, CPU))
    # Each has tiles of its own, and their borders.
    assert planned[0] + 7 * 8e6 < planned[1] < 1.15 * planned[0]
