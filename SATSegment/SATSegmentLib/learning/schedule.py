"""How fast a training learns, step by step."""

from __future__ import annotations

import math


def warmed_cosine(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Learning rate of a step, counted from 0: linear warm-up to `peak`, then a cosine to zero."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    course = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(course, 1.0)))
