"""Logits of a window's tiles: the same bits in any company, in any part, and for any number of threads."""

from __future__ import annotations

import pytest
import torch

from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference.tiles import TileLogits
from SATSegmentLib.sat.features import Features

WINDOW, CHANNELS = (32, 24, 16), 33


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("prompts", [1, 5, 16, 17, 40, 70])
def test_they_depend_on_no_number_of_threads_nor_on_company(prompts, stored):
    random = torch.Generator().manual_seed(prompts)
    voxels = torch.randn(1, CHANNELS, *WINDOW, generator=random).to(stored, memory_format=torch.channels_last_3d)
    embeddings = torch.randn(prompts, CHANNELS, generator=random)
    features, whole, part = Features(torch.zeros(1, 1, 1), voxels), Box.whole(WINDOW), Box.at((8, 0, 5), (16, 16, 8))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 8):
            torch.set_num_threads(count)
            found.append(TileLogits(features, embeddings).of(whole).clone())
            assert torch.allclose(TileLogits(features, embeddings).roughly(whole), found[0], rtol=0, atol=1e-4)
            alone = TileLogits(features, embeddings[-1:])
            assert torch.equal(alone.of(part)[..., 0], found[0][part][..., -1])
            some = torch.tensor([0, prompts - 1]).unique()
            assert torch.equal(TileLogits(features, embeddings).of(part, some), found[0][part][..., some])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(found[0], other) for other in found[1:])
