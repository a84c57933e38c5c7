"""Numbers of a command line: outside their range, or no numbers at all, they are refused in the same words."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

N = TypeVar("N", int, float)


def number_where(kind: type[N], allowed: Callable[[N], bool], rule: str) -> Callable[[str], N]:
    """A `type` for `add_argument`.

    Parameters
    ----------
    kind : type
        int or float.
    allowed : callable
        Whether a number may be given.
    rule : str
        What is said of all others: "must be ...".
    """

    def parsed(text: str) -> N:
        try:
            value = kind(text)
            if allowed(value):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} {rule}")

    return parsed
