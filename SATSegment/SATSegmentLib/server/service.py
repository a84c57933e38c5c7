"""What a server does for its users: scans, runs, devices and the budget of each; HTTP is elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from SATSegmentLib.engine.api import RunOptions, SegmentRequest, TeachRequest
from SATSegmentLib.engine.offline import offline_environment
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.engine.transport.wire import LimitExceeded, NotKept
from SATSegmentLib.errors import DeviceError, ModelNotFound, ScanDamaged
from SATSegmentLib.models.catalog import catalog, installed_models
from SATSegmentLib.models.folder import FAMILY
from SATSegmentLib.server.devices import DeviceEngine, DeviceQueue
from SATSegmentLib.server.limits import ServerLimits
from SATSegmentLib.server.metrics import Metrics
from SATSegmentLib.server.runs import Kind, Run, RunStore
from SATSegmentLib.server.scans import ScanStore, StoredScan

_SWEEP_SECONDS = 1.0
# A run that is told to stop may finish the window it is in; ending the child would cost all others their features.
_CANCEL_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerOptions:
    """How a server runs.

    Attributes
    ----------
    devices : tuple of str
        One child process each: "auto", "cpu", "cuda:0", ...
    cache_bytes : int or None
        Memory for image features on each device; half of what is free by default.
    spill : bool
        Whether features that find no place in memory may go to a private temporary folder.
    limits : ServerLimits
        How much it takes.
    """

    devices: tuple[str, ...] = ("auto",)
    cache_bytes: int | None = None
    spill: bool = False
    limits: ServerLimits = field(default_factory=ServerLimits)


class Service:
    """Scans, runs and devices. All methods are called in one event loop.

    Parameters
    ----------
    options : ServerOptions
        How it runs.
    engines : sequence of DeviceEngine, optional
        One for each device; child processes by default.
    """

    def __init__(self, options: ServerOptions, engines: Sequence[DeviceEngine] | None = None) -> None:
        self.options, self.limits = options, options.limits
        self.metrics = Metrics()
        engines = engines or [
            WorkerEngine(environment=offline_environment(), cancel_seconds=_CANCEL_SECONDS) for _ in options.devices
        ]
        self.devices = [DeviceQueue(name, one) for name, one in zip(options.devices, engines, strict=True)]
        self.scans = ScanStore(self.limits, self._forget)
        self.runs = RunStore()
        self.metrics.watch("scans", "Scans in memory.", lambda: len(self.scans))
        self.metrics.watch("scan_bytes", "Their voxels.", lambda: self.scans.nbytes)
        self.metrics.watch("queue_length", "Runs waiting or going on.", lambda: sum(map(len, self.devices)))

    async def look_after(self) -> None:
        """Let go what nobody needs any more, again and again, until this task is cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Let go what nobody needs any more: silent clients' scans, runs nobody listens to, old results."""
        now, limits = time.monotonic(), self.limits
        for run in self.runs.select(lambda one: not one.ended):
            if not run.listeners and now - run.heard_at > limits.orphan_seconds:
                # A client that comes back after all starts anew.
                run.cancel(NotKept("Nobody listened to the run any more, and it was ended.", "Run it again."))
            elif run.started_at and now - run.started_at > limits.run_seconds:
                minutes = limits.run_seconds / 60
                run.cancel(LimitExceeded(f"The run took longer than {minutes:.0f} minutes.", "Ask for less at once."))
        for run in self.runs.select(lambda one: one.ended and now - one.ended_at > limits.result_seconds):
            self.runs.forget(run)
        self.scans.sweep()

    def close(self) -> None:
        """End all children, and what they do."""
        for device in self.devices:
            device.close()

    def models(self) -> dict[str, Path]:
        """The models that can be asked for, by name."""
        named = {entry.folder: entry.name for entry in catalog()}
        return {named.get(folder, folder.name): folder for folder in installed_models(FAMILY)}

    def checked_options(self, options: RunOptions) -> RunOptions:
        """A client's options, where they can be followed here.

        Raises
        ------
        ModelNotFound
            The model is not the name of one that is installed here; folders are not taken.
        DeviceError
            The server does not use that device.
        """
        models = self.models()
        if options.model not in models:
            raise ModelNotFound(
                f"The server has no model {options.model!r}.",
                f"It has {', '.join(models)}; ask who runs it for another.",
            )
        if options.device != "auto" and options.device not in self.options.devices:
            raise DeviceError(
                f"The server does not use the device {options.device}.",
                f"Leave the choice to the server (auto), or name one of {', '.join(self.options.devices)}.",
            )
        # The folder: by its name, one in the server's working folder could be meant as well.
        folder = str(models[options.model])
        return dataclasses.replace(
            options, model=folder, cache_bytes=self.options.cache_bytes, spill=self.options.spill
        )

    def start(self, kind: Kind, scans: list[StoredScan], request: SegmentRequest | TeachRequest, key: str) -> Run:
        """Let a run wait for its turn on a device.

        Raises
        ------
        LimitExceeded
            The user has too many already.
        """
        user = scans[0].user
        known = self.runs.of_key(user, key)
        if known is not None:
            return known
        if self.runs.open_runs(user) >= self.limits.user_runs:
            raise LimitExceeded("You have too many runs waiting on this server.", "Wait for one of them to end.")
        number = self._device_for(scans[0], request.options.device)
        device = self.devices[number]
        scans[0].device = number
        options = dataclasses.replace(request.options, device=device.name)
        run = Run(kind, scans, dataclasses.replace(request, options=options), key, self._run_ended)
        for scan in scans:
            scan.runs += 1
        self.runs.add(run)
        device.put(run)
        return run

    def find(self, user: str, digest: str, name: str) -> Run:
        """A run of a user's scan.

        Raises
        ------
        NotKept
            There is none, or no longer.
        """
        run = self.runs.find(user, name)
        if run is None or run.scans[0].digest != digest:
            raise NotKept("The server does not have this run, or no longer.", "Run it again.")
        return run

    def _device_for(self, scan: StoredScan, wanted: str) -> int:
        """The device that has the scan's features, else the one with the shortest queue."""
        if wanted != "auto":
            return self.options.devices.index(wanted)
        if scan.device is not None:
            return scan.device
        return min(range(len(self.devices)), key=lambda number: len(self.devices[number]))

    def _run_ended(self, run: Run) -> None:
        outcome = "done" if run.error is None else type(run.error).__name__
        self.metrics.runs.labels(run.kind, outcome).inc()
        if run.started_at:
            self.metrics.run_seconds.labels(run.kind).observe(run.seconds)
        _log.info("run %s: %s, %s, %.1f s", run.name, run.kind, outcome, run.seconds)
        first = run.scans[0]
        first.feature_bytes = max(first.feature_bytes, run.feature_bytes)
        for scan in run.scans:
            self.scans.run_ended(scan)
            if isinstance(run.error, ScanDamaged):
                # Its client sends it again; other runs on it end in the same way.
                self.scans.remove(scan)
        for other in self.scans.over_budget(run.user):
            other.feature_bytes = 0
            self._forget(other)

    def _forget(self, scan: StoredScan) -> None:
        """Let a scan's features go, unless another user has the same scan."""
        if scan.device is not None and not self.scans.others_have(scan):
            self.devices[scan.device].forget(scan.digest)


@contextlib.asynccontextmanager
async def looked_after(service: Service) -> Any:
    """A service that lets go what nobody needs while the block is on, and ends with it."""
    task = asyncio.create_task(service.look_after())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.to_thread(service.close)
