"""What a check found, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Outcome:
    """How a check ended.

    Attributes
    ----------
    numbers : dict of str to float or str
        What was measured; milliseconds, bytes, ratios, as their names say.
    notes : list of str
        Why it failed or was not run.
    """

    name: str
    status: Status
    numbers: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def said(self) -> str:
        """In one line."""
        return "; ".join([*self.notes, *(f"{name} {shown(value)}" for name, value in self.numbers.items())])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def table(device: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Markdown, to be pasted into Docs/performance.md."""
    memory = f", {device['memory_bytes'] / 1e9:.0f} GB" if device.get("memory_bytes") else ""
    lines = [
        f"{device['name']}{memory}, PyTorch {device['torch']}, CUDA {device['cuda']}, cuDNN {device['cudnn']}.",
        "",
    ]
    lines += ["| check | | measured |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.status} | {one.said} |" for one in outcomes]
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """A number with three digits that matter."""
    if not isinstance(value, float):
        return str(value)
    return f"{value / 1e9:.2f}e9" if abs(value) >= 1e8 else f"{value:.3g}"
