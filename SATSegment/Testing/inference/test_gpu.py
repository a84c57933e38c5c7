"""What a GPU does otherwise: products of one width, nothing that waits for it, its share of memory, full float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.fake_cuda import GPU, fake_cuda
from helpers.models import queries, tiny_segmenter
from helpers.seeded import GOLDEN
from SATSegmentLib.errors import DeviceError, SATSegmentWarning
from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference import tiles
from SATSegmentLib.inference.device import inferring
from SATSegmentLib.inference.memory import cuda_free_bytes
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.inference.tiles import HighTiles, TileLogits, TileSums, Tiling
from SATSegmentLib.sat.backbones.streaming import norm, slabs, sources, strips, winograd
from SATSegmentLib.sat.features import Features
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image, SegmentResult

GB = 1 << 30


@pytest.fixture(scope="module")
def scan() -> Image:
    return read_scan(GOLDEN / "oblique.nii.gz")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture(scope="module")
def expected(segmenter: Segmenter, scan: Image) -> list[SegmentResult]:
    return segmenter.segment_queries(scan, queries(4), "ct")


def assert_same(ours: list[SegmentResult], theirs: list[SegmentResult]) -> None:
    assert any(one.voxels for one in theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


def test_masks_are_those_of_a_cpu(monkeypatch, segmenter, scan, expected):
    monkeypatch.setattr(tiles, "runs_ahead", lambda device: True)
    assert_same(segmenter.segment_queries(scan, queries(4), "ct"), expected)


@pytest.mark.parametrize("storage", ["native", "uint8"])
def test_logits_are_the_same_to_the_last_bit_in_any_company(monkeypatch, storage):
    monkeypatch.setattr(tiles, "runs_ahead", lambda device: True)
    rng = torch.Generator().manual_seed(0)
    features = Features(torch.zeros(0), torch.randn(1, 24, 7, 6, 5, generator=rng))
    features = features.quantize() if storage == "uint8" else features
    embeddings, part = torch.randn(37, 24, generator=rng), Box.whole((7, 6, 5))
    exact = torch.einsum("pc,cxyz->xyzp", embeddings, features.dequantize()[0])
    everyone = TileLogits(features, embeddings).of(part)
    torch.testing.assert_close(everyone, exact, rtol=0, atol=1e-4)
    for company in ([3], [36, 3], list(range(3, 30))):
        logits = TileLogits(features, embeddings[company])
        assert torch.equal(logits.of(part), everyone[..., company])
        assert torch.equal(logits.of(part, torch.tensor([company.index(3)])), everyone[..., [3]])


@pytest.mark.parametrize("storage", ["native", "uint8"])
def test_tiles_are_looked_at_and_added_up_where_the_features_are(storage):
    whole = Box.whole((96, 96, 32))
    with fake_cuda():
        tiling = Tiling(whole.shape, GPU)
        voxels = torch.empty(1, 8, *whole.shape, dtype=torch.float16, device=GPU, memory_format=torch.channels_last_3d)
        features = Features(torch.empty(1, 4, 8, device=GPU), voxels)
        logits = TileLogits(features.quantize() if storage == "uint8" else features, torch.empty(20, 8, device=GPU))
        high = HighTiles(tiling, 20, 0.0, -1.0)
        for cells, part in tiling.groups(whole, 8, 20):
            values = logits.of(part)
            assert (values.device, values.dtype, values.shape[3]) == (GPU, torch.float32, 20)
            high.look(cells, part, values)
        assert high.highest.device.type == "cpu"
        assert high.needed().device.type == "cpu"


def test_a_mean_of_windows_is_added_up_there_too(monkeypatch):
    monkeypatch.setattr(tiles, "runs_ahead", lambda device: True)
    tiling = Tiling((48, 48, 32), torch.device("cpu"))
    sums = TileSums(tiling, torch.ones(len(tiling), 2, dtype=torch.bool))
    tile, part = next(tiling.parts(Box.whole((48, 48, 32)), sums.matters))
    sums.add(tile, part, torch.ones(*part.shape, 2))
    box, array = sums.dense(1)
    assert array[part.relative_to(box)].min() == 1
    assert array.sum() == part.voxels


class RunsOutOnce(TorchDispatchMode):
    """Memory runs out in one operation, as CUDA says it."""

    def __init__(self, operation: int) -> None:
        super().__init__()
        self.count, self._operation = 0, operation

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        if self.count == self._operation:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return func(*args, **(kwargs or {}))


def test_wherever_memory_runs_out_the_run_goes_on_and_masks_stay_the_same(segmenter, monkeypatch):
    # TorchScript drops the message of an error that is raised in Python; it keeps those of PyTorch's own operations.
    for module, name in (
        (norm, "_activate_pieces"),
        (sources, "_read_pieces"),
        (strips, "_read_strip"),
        (slabs, "_add_lines"),
        (winograd, "_convolve"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)
    noise = np.random.default_rng(0).normal(100, 30, (32, 64, 64)).astype(np.float32)
    one_window = Image(noise, np.diag((1.0, 1.0, 3.0, 1.0)))
    expected = segmenter.segment_queries(one_window, queries(2), "mri")
    segmenter.cache.clear()
    with RunsOutOnce(-1) as counted:
        segmenter.segment_queries(one_window, queries(2), "mri")
    for share in (0.6, 0.8, 0.98):  # in the encoder, in the first look, while windows are added up
        segmenter.cache.clear()
        with RunsOutOnce(int(share * counted.count)), pytest.warns(SATSegmentWarning, match="ran out of memory"):
            assert_same(segmenter.segment_queries(one_window, queries(2), "mri"), expected)


@pytest.mark.parametrize(
    ("free", "fraction", "reserved", "allocated", "expected"),
    [
        (20, 1.0, 4, 3, 21),  # what the allocator holds and nobody uses is free to us
        (30, 0.25, 4, 3, 5),  # 8 of 32 are ours, 3 of them used
        (2, 0.25, 4, 3, 3),  # others took the rest
        (30, 0.1, 4, 4, 0),  # more is held than is allowed by now
    ],
)
def test_free_memory_of_a_gpu_is_its_share(monkeypatch, free, fraction, reserved, allocated, expected):
    answers = {
        "mem_get_info": (free * GB, 32 * GB),
        "get_per_process_memory_fraction": fraction,
        "memory_reserved": reserved * GB,
        "memory_allocated": allocated * GB,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, answer=answer: answer, raising=False)
    assert cuda_free_bytes(GPU) == expected * GB


def test_float32_is_float32_and_what_was_set_before_is_set_again():
    cudnn, before = torch.backends.cudnn, torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    cudnn.benchmark = True
    try:
        assert cudnn.allow_tf32
        with inferring():
            assert not cudnn.allow_tf32
            assert not cudnn.benchmark
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cuda.matmul.allow_tf32
        assert cudnn.allow_tf32
        assert cudnn.benchmark
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
        cudnn.benchmark = False


@pytest.mark.parametrize("where", ["tokens", "voxels"])
def test_numbers_that_half_precision_does_not_hold_are_refused(where):
    features = Features(torch.zeros(1, 2, 3), torch.zeros(1, 4, 2, 2, 2, dtype=torch.float16))
    features.refuse_overflow()
    getattr(features, where)[0, 1] = torch.nan
    with pytest.raises(DeviceError, match="bfloat16"):
        features.refuse_overflow()
