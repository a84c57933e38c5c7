"""What all checks share: sizes, clocks that wait for the card, targets, and the list of checks by name."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

Triple = tuple[int, int, int]
_PLACES = {"goldens": "network", "window_nano": "network", "window_pro": "network", "training": "learning"}
_PLACES |= {"team": "learning"}


@dataclass(frozen=True)
class Setup:
    """What is checked, and how large.

    Attributes
    ----------
    window : (int, int, int)
        Voxels.
    prompts : tuple of int
        Of the warm runs.
    windows : (int, int, int)
        Of the scan, along each axis.
    rounds : int
        Timed repetitions.
    """

    device: torch.device
    small: bool
    window: Triple
    prompts: tuple[int, ...]
    windows: Triple
    rounds: int

    @classmethod
    def of(cls, device: str, small: bool) -> Setup:
        """The released sizes, or ones that any processor does in a moment."""
        place = torch.device(device)
        if small:
            return cls(place, True, (16, 16, 16), (1, 3), (2, 1, 1), 1)
        return cls(place, False, (288, 288, 96), (1, 16, 306), (2, 2, 2), 5)

    @property
    def on_card(self) -> bool:
        """Whether there is a card to be judged."""
        return self.device.type == "cuda"

    def spec(self, model: str) -> UNetSpec:
        """Of a released network, or a narrow one."""
        spec = NAMED_SPECS[model]
        assert isinstance(spec, UNetSpec)
        if not self.small:
            return spec
        narrow = replace(spec, features=(8, 8, 16), strides=spec.strides[:3], encoder_convs=spec.encoder_convs[:3])
        narrow = replace(narrow, decoder_convs=spec.decoder_convs[:2], projection_dim=32, decoder_layers=1)
        return replace(narrow, feedforward_dim=32, mask_dim=16)

    def precisions(self) -> list[str]:
        """Those that are checked: on a CPU the one that each computes at full speed."""
        return ["float32", "float16", "bfloat16"] if self.on_card else ["float32"]

    def milliseconds(self, run: Callable[[], object], rounds: int | None = None) -> float:
        """The median of some runs, each waited for; the first warms up."""
        run()
        taken = []
        for _ in range(rounds or self.rounds):
            self.wait()
            started = time.perf_counter()
            run()
            self.wait()
            taken.append(1000 * (time.perf_counter() - started))
        return statistics.median(taken)

    def wait(self) -> None:
        """Until the card has done what it was asked for."""
        if self.on_card:
            torch.cuda.synchronize(self.device)

    def fresh(self) -> None:
        """Start to count the peak anew."""
        if self.on_card:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> float:
        """Most bytes that were allocated since; 0 without a card."""
        return float(torch.cuda.max_memory_allocated(self.device)) if self.on_card else 0.0


class NotRun(Exception):
    """There is not what this check needs."""


class Failed(Exception):
    """A target was missed; what was measured is told all the same."""

    def __init__(self, numbers: dict[str, Any], notes: list[str]) -> None:
        super().__init__("; ".join(notes))
        self.numbers, self.notes = numbers, notes


class Targets:
    """Numbers as they are measured, and what they must not exceed or fall below."""

    def __init__(self) -> None:
        self.numbers: dict[str, Any] = {}
        self._missed: list[str] = []

    def most(self, name: str, value: float, limit: float, judged: bool = True) -> None:
        """It must be at most `limit`."""
        self.numbers[name] = value
        if judged and not value <= limit:
            self._missed.append(f"{name} is {value:.4g}, more than {limit:.4g}")

    def least(self, name: str, value: float, limit: float) -> None:
        """It must be at least `limit`."""
        self.numbers[name] = value
        if not value >= limit:
            self._missed.append(f"{name} is {value:.4g}, less than {limit:.4g}")

    def true(self, name: str, value: bool) -> None:
        """It must be so."""
        self.numbers[name] = bool(value)
        if not value:
            self._missed.append(f"not so: {name}")

    def note(self, **numbers: Any) -> None:
        """Only to be told."""
        self.numbers |= numbers

    def result(self) -> tuple[dict[str, Any], list[str]]:
        """All numbers; raises `Failed` where a target was missed."""
        if self._missed:
            raise Failed(self.numbers, self._missed)
        return self.numbers, []


def found(name: str, setup: Setup) -> tuple[dict[str, Any], list[str]]:
    """Run a check by its name."""
    check = getattr(importlib.import_module(f"of_{_PLACES.get(name, 'scans')}"), name)
    return check(setup)
