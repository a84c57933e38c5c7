"""A progress bar for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from SATSegmentLib.inference.progress import ProgressCallback
from SATSegmentLib.types import Progress


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """A bar on standard error that follows a run; silent where nobody is looking."""
    from tqdm import tqdm

    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"
    with tqdm(total=1.0, desc=title, bar_format=layout, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def show(progress: Progress) -> None:
            bar.set_postfix_str(progress.stage, refresh=False)
            bar.update(progress.fraction - bar.n)

        yield show
