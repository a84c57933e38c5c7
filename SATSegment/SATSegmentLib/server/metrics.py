"""What Prometheus reads: counts and times, nothing of a patient, a scan or a user."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics:
    """The server's own numbers, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.runs = Counter("satsegment_runs", "Runs that have ended.", ["kind", "outcome"], registry=self._registry)
        self.run_seconds = Histogram(
            "satsegment_run_seconds",
            "Time of a run on its device.",
            ["kind"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.received = Counter("satsegment_received_bytes", "Voxels received, unpacked.", registry=self._registry)
        self.refused = Counter("satsegment_refused", "Requests refused.", ["reason"], registry=self._registry)

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a number that is read when it is asked for."""
        Gauge(f"satsegment_{name}", text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All of them in Prometheus's format."""
        return generate_latest(self._registry)
