"""What goes to a GPU and comes from it arrives whole, through buffers that are used again and again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.late_lane import LateLane
from SATSegmentLib.inference import transfer
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.identity import FeatureKey
from SATSegmentLib.inference.transfer import Transfer
from SATSegmentLib.sat.features import Features

KINDS = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.uint8])


def made(shape: tuple[int, ...], dtype: torch.dtype, last: bool) -> torch.Tensor:
    values = (torch.arange(torch.Size(shape).numel()) % 251).view(1, *shape).to(dtype)
    return values.contiguous(memory_format=torch.channels_last_3d) if last else values


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.tuples(*[st.integers(1, 6)] * 4), KINDS, st.booleans()), min_size=1, max_size=4))
def test_several_on_their_way_at_once_arrive_as_they_were(tensors):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "BUFFER_BYTES", 64)
        way = Transfer(LateLane())
        sources = [made(*one) for one in tensors]
        arriving = [way.upload(source) for source in sources]
        back = [way.download(source) for source in sources]
        for source, one, other in zip(sources, arriving, back, strict=True):
            for found in (one.take(), other):
                assert torch.equal(found, source)
                assert found.stride() == source.stride()
                assert found.data_ptr() != source.data_ptr()


def test_a_part_of_a_tensor_is_sent_and_no_more():
    lane = LateLane()
    whole = made((4, 6, 6, 6), torch.float32, last=False)
    part = whole[:, :, 1:3, ::2]
    assert torch.equal(Transfer(lane).upload(part).take(), part)
    assert lane.taken[0].numel() == part.nbytes


@pytest.mark.parametrize("in_memory", [1 << 20, 0], ids=["memory", "disk"])
def test_features_from_memory_and_disk_are_on_their_way_before_they_are_asked_for(monkeypatch, in_memory):
    cache, lane = FeatureCache(in_memory, 1 << 20), LateLane()
    monkeypatch.setattr(FeatureCache, "_transfer", lambda self, device: way)
    way = Transfer(lane)
    keys = [FeatureKey("w", "cuda:0", "float16", "native", (4, 4, 4), "s", (n, 0, 0)) for n in range(3)]
    kept = {
        key: Features(torch.zeros(1, 2, 3), made((3, 4, 4, 4), torch.float16, True) + n) for n, key in enumerate(keys)
    }
    for key, features in kept.items():
        cache.get(key, lambda features=features: features)
    assert (cache.memory_used > 0, cache.disk_used > 0) == (bool(in_memory), not in_memory)
    for number, key in enumerate(keys):
        found = cache.get(key, pytest.fail)
        assert len(lane.taken) == number + 1
        assert torch.equal(found.voxels, kept[key].voxels)
        cache.prefetch(keys[(number + 1) % 3])
    cache.prefetch(keys[1])  # another than was asked for next
    cache.use(0, in_memory)
    assert torch.equal(cache.get(keys[2], pytest.fail).voxels, kept[keys[2]].voxels)
    cache.clear()
