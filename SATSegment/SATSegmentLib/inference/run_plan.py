"""What a run is expected to take (`plan.plan_run` says it); without torch, because it crosses processes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

FeaturePlacement = Literal["device", "memory", "memory and disk", "nowhere"]


@dataclass(frozen=True)
class RunPlan:
    """What a run is expected to take, and how it goes about it. Bytes and seconds.

    Attributes
    ----------
    device, precision : str
        What the network runs on, and in.
    windows : int
        That cover the scan, over all passes; one pass for each modality and training orientation among the prompts.
    least_windows, to_encode : int
        How many of them are looked at whatever is found, and those of these whose features are not there yet.
    prompts : int
        Structures asked for.
    prompt_block : int
        How many of them go over the features together.
    block_bytes : int
        For sums of probabilities that are held at once.
    feature_bytes : int
        Image features of all windows, whether they will be needed or not.
    features_in : FeaturePlacement
        Where they are kept for this run's second look and for prompts that come later.
    device_bytes, memory_bytes : int
        What features may take of the device's and of the computer's memory.
    peak_bytes : int
        Highest use of memory (the GPU's, if it runs on one), weights and kept features included.
    free_bytes : int
        What there is of it for the run, with what it has already: weights, kept features, the scan.
    in_slabs : bool
        Whether each window is encoded in slabs; a GPU with memory for it computes maps whole.
    seconds : float
        Expected time; the least where not all windows are looked at in any case.
    windows_note : str
        A sentence for people, where windows that were to be left out cannot be; else empty.
    precision_in_doubt : bool
        Whether this network's masks in this precision may be others than in float32.
    """

    device: str
    precision: str
    windows: int
    least_windows: int
    to_encode: int
    prompts: int
    prompt_block: int
    block_bytes: int
    feature_bytes: int
    features_in: FeaturePlacement
    device_bytes: int
    memory_bytes: int
    peak_bytes: int
    free_bytes: int
    in_slabs: bool
    seconds: float
    windows_note: str = ""
    precision_in_doubt: bool = False

    def __str__(self) -> str:
        kept = f"features ({_gigabytes(self.feature_bytes)}) kept in {self.features_in}"
        if not self.keeps_features:
            kept = f"features ({_gigabytes(self.feature_bytes)}) fit nowhere and are made again for later prompts"
        windows, about = _count(self.windows, "window"), "about"
        if self.least_windows < self.windows:
            windows, about = f"at least {self.least_windows} of {windows}", "at least"
        encoding = f"{self.to_encode} to encode" if self.to_encode else "encoded before"
        if self.precision_in_doubt:
            kept += "; masks may differ from those in float32"
        kept += f". {self.windows_note}" if self.windows_note else ""
        memory = f"{_gigabytes(self.peak_bytes)} of memory"
        memory += "" if self.fits else f" (only {_gigabytes(self.free_bytes)} available)"
        return (
            f"{_count(self.prompts, 'structure')}, {windows} ({encoding}) on {self.device} in "
            f"{self.precision}: {about} {_duration(self.seconds)} and {memory}; {kept}"
        )

    @property
    def keeps_features(self) -> bool:
        """Whether the features of all windows find a place."""
        return self.features_in != "nowhere"

    @property
    def fits(self) -> bool:
        """Whether it should find the memory it needs."""
        return self.peak_bytes <= self.free_bytes

    def shortage(self) -> str:
        """What there is to say, and to do, about a run that does not fit; for people."""
        on_cpu = self.device == "cpu"
        place, end = ("computer", "the system may end it") if on_cpu else (f"GPU ({self.device})", "it may run out")
        half = f"choose {'bfloat16' if on_cpu else 'float16'}, which takes about half of it, "
        return (
            f"The run needs about {_gigabytes(self.peak_bytes)} of memory, and the {place} has "
            f"{_gigabytes(self.free_bytes)} for it: it may be slow, or {end}. Close other programs, "
            f"{half if self.precision == 'float32' else ''}use SAT-Nano instead of SAT-Pro, "
            f"or {'let a server run it' if on_cpu else 'segment on the CPU'}."
        )

    def smaller(self) -> RunPlan | None:
        """How to go on after memory ran out; None where there is nothing left to do without.

        First features leave the device; then it encodes windows in slabs, in half of the memory and nearly the same
        time; then fewer structures are looked for at a time. Masks stay the same, up to rounding where maps were whole
        before; and the device and the precision are never changed: those are the user's to say.
        """
        if self.device_bytes:
            return replace(self, device_bytes=0, features_in="memory")
        if not self.in_slabs:
            return replace(self, in_slabs=True)
        at_once = min(self.prompt_block, self.prompts)
        if at_once <= 1:
            return None
        return replace(self, prompt_block=(at_once + 1) // 2, block_bytes=max(self.block_bytes // 2, 1))

    def instead_of(self, larger: RunPlan) -> str:
        """What this plan does that `larger` did not, for people."""
        if larger.device_bytes > self.device_bytes:
            return "Continuing with image features in the computer's memory."
        if self.in_slabs and not larger.in_slabs:
            return "Continuing with each window in smaller pieces."
        return f"Continuing with {_count(self.prompt_block, 'structure')} at a time."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    return f"{max(seconds, 1):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
