"""Runs of one network: each is planned, carried out, and gone on with in smaller steps where memory runs out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence

import torch

from SATSegmentLib.errors import OutOfMemory, SATSegmentWarning
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.checks import warn_about_precision
from SATSegmentLib.inference.memory import free_memory, is_out_of_memory, out_of_memory
from SATSegmentLib.inference.plan import plan_run
from SATSegmentLib.inference.progress import Run
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.inference.scan_pass import ScanPass
from SATSegmentLib.inference.speed import Speed, measure_speed
from SATSegmentLib.sat.interrupt import interruptible
from SATSegmentLib.sat.network import SATNetwork
from SATSegmentLib.types import FeatureStorage

PlanCallback = Callable[[RunPlan], None]
_log = logging.getLogger(__name__)


class Runner:
    """Carries out runs of one network. Not thread-safe: one run at a time.

    Parameters
    ----------
    network : SATNetwork
        On the device it runs on.
    storage : FeatureStorage
        How image features are kept.

    Attributes
    ----------
    encode_seconds : float
        Spent in the image encoder by the last run; 0 where all features were kept from earlier ones.
    """

    def __init__(self, network: SATNetwork, storage: FeatureStorage) -> None:
        self._network = network
        self._storage = storage
        self._speed: Speed | None = None
        self.encode_seconds = 0.0

    def plan(self, passes: Sequence[ScanPass], cache: FeatureCache) -> RunPlan:
        """What a run of these passes will take, with the features that `cache` holds now.

        Warns (`SATSegmentWarning`) where it needs more memory than there is: nobody is to wait for a run that the
        system then ends. It is not refused: some computers find more, and slowly it may be done.
        """
        if self._speed is None:
            self._speed = measure_speed(self._network)
        plan = plan_run(self._network, [one.size for one in passes], cache, self._speed, self._storage)
        if not plan.fits:
            warnings.warn(plan.shortage(), SATSegmentWarning, stacklevel=3)
        return plan

    def run(
        self,
        prepare: Callable[[], Sequence[ScanPass]],
        cache: FeatureCache,
        run: Run,
        on_plan: PlanCallback | None,
    ) -> None:
        """Find what is asked for; `run.results` has it in the end.

        Parameters
        ----------
        prepare : callable
            Makes the passes, from the scan. Called once: that may take most of the memory there is.
        cache : FeatureCache
            Where the passes keep image features.
        run : Run
            Tells how far it is.
        on_plan : callable or None
            Gets the plan before the run starts, and again each time it goes on with less.

        Raises
        ------
        OutOfMemory, Cancelled
        """
        with interruptible(run.check):
            try:
                passes = prepare()
                plan = self.plan(passes, cache)
            except (MemoryError, OSError, RuntimeError) as error:
                if error is not run.of_caller and is_out_of_memory(error):
                    raise out_of_memory(self._device) from error
                raise
            self._begin(plan, cache, on_plan)
            if plan.precision_in_doubt:
                warn_about_precision(plan.precision)
            while failed := self._carry_out(passes, plan, run):
                free_memory()
                smaller = plan.smaller()
                if smaller is None:
                    raise failed
                instead, plan = smaller.instead_of(plan), smaller
                warnings.warn(f"{failed.message.split('.')[0]}. {instead}", SATSegmentWarning, stacklevel=4)
                self._begin(plan, cache, on_plan)
        self._learn_speed(passes)

    @property
    def _device(self) -> torch.device:
        return self._network.position_code.device

    def _begin(self, plan: RunPlan, cache: FeatureCache, on_plan: PlanCallback | None) -> None:
        _log.info("%s", plan)
        cache.use(plan.device_bytes, plan.memory_bytes)
        self._network.backbone.in_slabs = plan.in_slabs
        if on_plan is not None:
            on_plan(plan)

    def _carry_out(self, passes: Sequence[ScanPass], plan: RunPlan, run: Run) -> OutOfMemory | None:
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
            return out_of_memory(self._device)
        return None

    def _learn_speed(self, passes: Sequence[ScanPass]) -> None:
        """The next plan goes by what encoding really took, rather than by a small piece of it."""
        windows, seconds = sum(one.encoded for one in passes), sum(one.encode_seconds for one in passes)
        self.encode_seconds = seconds
        if windows and seconds and self._speed is not None:
            self._speed = self._speed.after_encoding(self._network, windows, seconds)
