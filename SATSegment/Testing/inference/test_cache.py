"""Features come back as they were, or not at all."""

from __future__ import annotations

import pytest
import torch

from SATSegmentLib.inference.cache import FeatureCache, default_cache
from SATSegmentLib.sat.features import Features


def features(number: int, dtype=torch.bfloat16) -> Features:
    random = torch.Generator().manual_seed(number)
    voxels = torch.rand(1, 3, 50, 60, 70, generator=random).to(dtype)
    return Features(torch.rand(1, 4, 8, generator=random), voxels)


SIZE = features(0).voxels.nbytes


class Counting:
    """Makes features and counts how often."""

    def __init__(self, cache: FeatureCache) -> None:
        self.cache = cache
        self.made: list[int] = []

    def get(self, number: int) -> Features:
        def encode() -> Features:
            self.made.append(number)
            return features(number)

        return self.cache.get(("scan", number), encode)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def same(a: Features, b: Features) -> bool:
    return torch.equal(a.tokens, b.tokens) and torch.equal(a.voxels, b.voxels) and a.voxels.dtype == b.voxels.dtype


def test_features_beyond_memory_come_back_from_disk_and_the_folder_goes_with_the_cache(scratch):
    windows = Counting(FeatureCache(SIZE, 2 * SIZE))
    for _ in range(3):
        for number in range(3):
            assert same(windows.get(number), features(number))
    assert windows.made == [0, 1, 2]
    assert len(list(scratch.rglob("*.bin"))) == 2
    assert (windows.cache.memory_used, windows.cache.disk_used) == (SIZE, 2 * SIZE)

    windows.cache.clear()
    assert not list(scratch.iterdir())


def test_least_recently_used_leaves_first(scratch):
    windows = Counting(FeatureCache(2 * SIZE, 0))
    for number in (0, 1, 0, 2, 0, 1):
        windows.get(number)
    assert windows.made == [0, 1, 2, 1]


def test_budgets_hold(scratch):
    windows = Counting(FeatureCache(2 * SIZE + 10, 3 * SIZE + 10))
    for number in range(9):
        windows.get(number)
        assert windows.cache.memory_used <= windows.cache.memory_bytes
        assert windows.cache.disk_used <= windows.cache.disk_bytes
        assert sum(path.stat().st_size for path in scratch.rglob("*.bin")) == windows.cache.disk_used


@pytest.mark.parametrize("damage", ["flip", "swap", "cut", "remove", "tail"])
def test_damaged_spill_file_is_noticed_and_made_again(scratch, damage):
    windows = Counting(FeatureCache(0, SIZE))
    windows.get(0)
    (path,) = scratch.rglob("*.bin")
    content = bytearray(path.read_bytes())
    block = 1 << 20
    if damage == "flip":
        content[len(content) // 2] ^= 4
    if damage == "swap":
        content[:block], content[block : 2 * block] = content[block : 2 * block], content[:block]
    if damage == "tail":
        content[-1] ^= 1
    if damage == "cut":
        content = content[:-100]
    path.write_bytes(content)
    if damage == "remove":
        path.unlink()

    assert same(windows.get(0), features(0))
    assert windows.made == [0, 0]


def test_full_disk_makes_features_again(scratch, monkeypatch):
    def no_room(*_args, **_options):
        raise OSError(28, "No space left on device")

    windows = Counting(FeatureCache(0, SIZE))
    monkeypatch.setattr("tempfile.mkdtemp", no_room)
    assert same(windows.get(0), features(0))
    assert same(windows.get(0), features(0))
    assert windows.made == [0, 0]


def test_what_a_killed_process_has_spilled_goes_though_nothing_is_spilled_now(scratch):
    left = scratch / "satsegment-features-left"
    left.mkdir()
    for name in (".lock", "1.bin"):
        (left / name).write_bytes(b"features of a scan")
    default_cache(memory_bytes=0, spill=False)
    assert not list(scratch.iterdir())
