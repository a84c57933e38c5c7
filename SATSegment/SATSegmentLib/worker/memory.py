"""What the worker does when a device runs out of memory: fewer structures at a time, then a clear answer."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from SATSegmentLib.errors import OutOfMemory, SATSegmentWarning
from SATSegmentLib.types import Image, Progress, Prompt, SegmentResult

if TYPE_CHECKING:
    from SATSegmentLib.inference.cache import FeatureCache
    from SATSegmentLib.inference.segmenter import Segmenter


def segment_in_what_memory_there_is(
    segmenter: Segmenter,
    image: Image,
    prompts: Sequence[Prompt],
    progress: Callable[[Progress], None],
    cancel: Callable[[], bool],
    threshold: float,
) -> list[SegmentResult]:
    """As `Segmenter.segment`; where the memory does not suffice, with half as many structures at a time.

    A structure's mask is the same in any company, so this changes the time and nothing else. It is never
    silent: each step down is a `SATSegmentWarning`. The device is never changed; that is the user's to say.

    Raises
    ------
    OutOfMemory: one structure alone does not fit.
    """
    results: list[SegmentResult] = []
    size = len(prompts)
    reached = 0.0

    def tell(one: Progress) -> None:
        # After a step down the same work is done again: the bar waits, it does not jump back.
        nonlocal reached
        share = min(size, len(prompts) - len(results)) / max(len(prompts), 1)
        reached = max(reached, len(results) / max(len(prompts), 1) + share * one.fraction)
        left = None if one.seconds_left is None else one.seconds_left / max(share, 1e-6) * max(1 - reached, share)
        progress(Progress(min(reached, 1.0), one.stage, left if share < 1 else one.seconds_left))

    while True:
        try:
            # At least once: where there are no prompts at all, the engine says so.
            while len(results) < max(len(prompts), 1):
                some = prompts[len(results) : len(results) + size]
                results += segmenter.segment(image, some, progress=tell, cancel=cancel, threshold=threshold)
            return results
        except OutOfMemory as error:
            free_memory()
            if size <= 1:
                raise
            size = (size + 1) // 2
            warnings.warn(
                f"{error.message.split('.')[0]}. Going on with {size} structures at a time.",
                SATSegmentWarning,
                stacklevel=2,
            )


def feature_cache(memory_bytes: int | None) -> FeatureCache:
    """A cache of so much memory, and what the disk of the temporary folder can spare beside it."""
    from SATSegmentLib.inference.cache import FeatureCache, default_cache

    usual = default_cache()
    return usual if memory_bytes is None else FeatureCache(memory_bytes, usual.disk_bytes)


def free_memory() -> None:
    """Give back what nobody holds any more, on the graphics card too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
