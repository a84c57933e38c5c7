"""A threshold that is no probability is refused at every door: its mask would be empty, or the whole scan."""

from __future__ import annotations

import math

import pytest

from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.errors import PromptError
from SATSegmentLib.inference.query import Output

WRONG = [math.nan, -0.01, 1.5, math.inf, -math.inf, "0.5", None]


@pytest.mark.parametrize("threshold", WRONG)
@pytest.mark.parametrize("of", [Output, lambda threshold: RunOptions(threshold=threshold)], ids=["segmenter", "engine"])
def test_what_is_no_probability_is_refused(of, threshold) -> None:
    with pytest.raises(PromptError, match="is no probability"):
        of(threshold)


@pytest.mark.parametrize("threshold", [0, 0.0, 0.05, 0.5, 1])
def test_probabilities_are_taken(threshold) -> None:
    assert Output(threshold).threshold == RunOptions(threshold=threshold).threshold == threshold
