"""What a user of the panel waits for, as ratios to what cannot be avoided, in one run.

    python benchmarks/bench_panel.py

* a key in the prompt line until its list is painted, to the search alone;
* writing 100 overlapping segments of a body scan, to writing one of them 100 times;
* the longest pause of the event loop during a run, to the longest one while nothing happens.

Runs in the test rig, so it needs PySide6 and slicer-core (requirements/dev.txt). Other programs lengthen the times; the
ratios say more. Nothing here is asserted: `make test` asserts counts, order and processor work instead.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1] / "SATSegment"
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

TEXTS = ("left kidney", "rt adren", "vertebra l3", "hippocampus", "pulmonary vein")
SEGMENTS = 100
IDLE_SECONDS = 3.0


def main() -> None:
    from rig.start import settingsFolder, start

    start()
    with tempfile.TemporaryDirectory(prefix="bench-panel-") as folder:
        settingsFolder(str(Path(folder) / "settings"))
        _report("key to painted list", "search alone", *_keys(), 1e3, "ms")
        _report(f"{SEGMENTS} segments", f"{SEGMENTS} times one segment", *_segments(), 1.0, "s")
        _report("longest pause in a run", "longest pause at rest", *_pauses(Path(folder)), 1e3, "ms")


def _report(what: str, beside: str, value: float, base: float, scale: float, unit: str) -> None:
    print(f"{what}: {value * scale:.1f} {unit}; {beside}: {base * scale:.1f} {unit}; ratio {value / base:.2f}")


def _keys() -> tuple[float, float]:
    """Medians over all letters, in seconds."""
    import qt
    from rig import hands

    from SATSegmentLib.gui import search_tables
    from SATSegmentLib.gui.popup_rows import find
    from SATSegmentLib.gui.prompt_box import PromptBox

    search_tables.read("ct")
    window = qt.QWidget()
    box = PromptBox(window, "ct")
    window.show()
    painted, searched = [], []
    for text in TEXTS:
        for end in range(1, len(text) + 1):
            painted.append(_seconds(lambda letter=text[end - 1]: _type_and_paint(hands, box, letter)))
            searched.append(_seconds(lambda beginning=text[:end]: find(beginning, "ct")))
        box.lineEdit.clear()
        box.popup.hide()
    box.cleanup()
    window.deleteLater()
    return statistics.median(painted), statistics.median(searched)


def _type_and_paint(hands: Any, box: Any, letter: str) -> None:
    hands.typeText(box.lineEdit, letter)
    if box.popup.visible:
        box.popup.view.repaint()


def _segments() -> tuple[float, float]:
    import numpy as np
    from mrml.mrml_phantom import addVolume, grid
    from mrml.test_segmentations import ball
    from rig.slicer_app import newScene

    from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults

    scene = newScene()
    shape, random = (300, 512, 512), np.random.default_rng(0)
    results = [ball(number, shape, random) for number in range(SEGMENTS)]
    volume_node = addVolume(scene, np.zeros(shape, np.int16), grid("oblique"))
    whole = _seconds(lambda: writeResults(createSegmentation(volume_node), volume_node, results))
    one = _seconds(lambda: [writeResults(createSegmentation(volume_node), volume_node, [each]) for each in results])
    scene.Clear(1)
    return whole, one


def _pauses(folder: Path) -> tuple[float, float]:
    import pytest
    from gui.panel_rig import Heart, addRealHead, panelWithDemoModel
    from rig.hands import waitFor
    from rig.slicer_app import newScene

    addRealHead(newScene())
    with pytest.MonkeyPatch.context() as patch, panelWithDemoModel(folder, patch) as rig:
        rig.ask("cerebellum", "lateral ventricle", "white matter")
        rest, until = Heart(), time.monotonic() + IDLE_SECONDS
        waitFor(lambda: time.monotonic() > until, 10 * IDLE_SECONDS)
        rest.stop()
        run = Heart()
        rig.ui.runButton.click()
        rig.waitForEnd(600)
        run.stop()
    return run.longestPause, rest.longestPause


def _seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
