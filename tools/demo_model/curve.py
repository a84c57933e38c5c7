"""The training curves for Docs/demo-model.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_SMOOTHING_STEPS = 50
_LOGS = (
    ("U-Net, labels", "tissue.jsonl"),
    ("query decoder, words", "decoder/log.jsonl"),
    ("both, words", "whole/log.jsonl"),
)


def draw_curve(run: Path, out: Path) -> None:
    """Loss (running mean) and validation Dice over the steps of the three trainings."""
    figure, panels = plt.subplots(1, len(_LOGS), figsize=(10, 3.2), sharey=True, layout="constrained")
    for axes, (title, name) in zip(panels, _LOGS, strict=True):
        _draw(axes, [json.loads(line) for line in (run / name).read_text().splitlines()])
        axes.set(title=title, xlabel="step", ylim=(0, 1))
    panels[0].set(ylabel="BCE + Dice loss, validation Dice")
    panels[0].legend(frameon=False)
    figure.savefig(out, dpi=110)


def _draw(axes: Any, entries: list[dict[str, Any]]) -> None:
    steps = [entry["step"] for entry in entries]
    window = np.ones(_SMOOTHING_STEPS) / _SMOOTHING_STEPS
    axes.plot(
        steps[_SMOOTHING_STEPS - 1 :], np.convolve([e["loss"] for e in entries], window, mode="valid"), label="loss"
    )
    checked = [entry for entry in entries if "validation_dice" in entry]
    axes.plot([e["step"] for e in checked], [e["validation_dice"] for e in checked], "o-", label="validation Dice")
