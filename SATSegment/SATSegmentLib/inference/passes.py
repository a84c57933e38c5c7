"""The passes of a run: which prompts share one, and carrying them out."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from SATSegmentLib.errors import OutOfMemory
from SATSegmentLib.inference.memory import is_out_of_memory, out_of_memory
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.query import Query
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.scan_pass import ScanPass
from SATSegmentLib.types import Modality, Orientation


def looked_for_together(asks: Sequence[Query]) -> dict[tuple[Modality, Orientation], list[Query]]:
    """The prompts of each modality and training orientation: one pass each."""
    groups: dict[tuple[Modality, Orientation], list[Query]] = {}
    for ask in asks:
        groups.setdefault((ask.prompt.modality, ask.prompt.orientation), []).append(ask)
    return groups


def carry_out(passes: Sequence[ScanPass], plan: RunPlan, run: Run, device: torch.device) -> OutOfMemory | None:
    """Find what is still missing among the run's results; returns the error where memory ran out on the way."""
    missing = [[row for row, ask in enumerate(one.asks) if ask.index not in run.results] for one in passes]
    count = sum(len(one.asks) for one in passes)
    run.expect(sum(one.work(len(rows)) for one, rows in zip(passes, missing, strict=True)))
    try:
        for one, rows in zip(passes, missing, strict=True):
            for row, result in one.results(run, plan, rows):
                run.found(one.asks[row].index, result, count)
    except (MemoryError, OSError, RuntimeError) as error:
        if error is run.of_caller or not is_out_of_memory(error):
            raise
        # Without the traceback, which holds on to all that filled the memory.
        return out_of_memory(device)
    return None
