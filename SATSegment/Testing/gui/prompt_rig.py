"""A prompt line in a window of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import qt
from rig import hands

from SATSegmentLib.gui import search_tables
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.prompt_box import PromptBox


def promptBox(folder: Path) -> Iterator[PromptBox]:
    """A focused prompt line for CT, whose sets are kept in `folder`; released when the test is over."""
    for modality in ("ct", "mri", "pet"):
        search_tables.read(modality)
    window = qt.QWidget()
    column = qt.QVBoxLayout(window)
    box = PromptBox(window, "ct", History(folder / "sets.json"))
    column.addWidget(box.widget)
    column.addStretch(1)
    window.resize(360, 500)
    window.show()
    window.activateWindow()
    box.setFocus()
    hands.settle()
    yield box
    box.release()
