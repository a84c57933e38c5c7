"""The worker's memory: what it may keep between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from SATSegmentLib.inference.cache import FeatureCache


def feature_cache(memory_bytes: int | None) -> FeatureCache:
    """A cache of so much memory, and what the disk of the temporary folder can spare beside it."""
    from SATSegmentLib.inference.cache import FeatureCache, default_cache

    usual = default_cache()
    return usual if memory_bytes is None else FeatureCache(memory_bytes, usual.disk_bytes)
