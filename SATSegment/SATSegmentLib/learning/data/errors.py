"""What can be wrong with training data, told with the file and line that it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from SATSegmentLib.errors import SATSegmentError

_SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one record.

    Attributes
    ----------
    place : str
        File and line, "train.jsonl:12"; never a patient's name.
    reason : str
        What is wrong, in one sentence without a full stop.
    """

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class RecordError(SATSegmentError):
    """Records cannot be used; `problems` holds each of them."""

    def __init__(self, problems: Sequence[Problem], remedy: str = "") -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            shown.append(f"... and {len(self.problems) - _SHOWN} more")
        count = "One problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(
            f"{count} in the training records:\n" + "\n".join(shown) + "\n",
            remedy or "Correct these lines, or skip them on purpose (skip_bad).",
        )

    def __reduce__(self) -> tuple[type[RecordError], tuple[tuple[Problem, ...], str]]:
        """Problems, not the text made of them, go to another process."""
        return type(self), (self.problems, self.remedy)


class SplitError(SATSegmentError):
    """The records cannot be divided into parts as asked."""


class CacheError(SATSegmentError):
    """A preprocessed scan on disk is gone or damaged."""


class RecipeError(SATSegmentError):
    """A number in the recipe cannot be meant."""
